#pragma once
// Tensor names in one form, whichever of their spellings over the years a Hugging Face file uses.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/json_fwd.hpp"

namespace graft {

/// The name under which graft knows the tensor NAME of a file of the family MODEL_TYPE, or nothing when graft has no use for the tensor.
///   - names of the family's own become those of graft (name_in_graft);
///   - LayerNorm's `gamma` and `beta`, the names in files converted from TensorFlow, become `weight` and `bias`;
///   - files of a bare encoder get the missing prefix, `roberta.`, `bert.`, ...;
///   - left out: pretraining heads (`lm_head.*`, `cls.*`), buffers (`position_ids`, `token_type_ids`), filling (`__pad.*`), and RoBERTa's
///     pooler, which nothing uses (BERT's is part of its head and stays);
///   - the last layer of a head for words, `classifier.*` in every family, is called as that of one for texts;
///   - everything else, such as `classifier.*`, stays as it is.
/// @throws config_error  as family_of
std::optional<std::string> canonical_name(std::string name, std::string_view model_type);

/// Whether CONFIG, a model's config.json, says that its head answers for words: ...ForTokenClassification.
bool names_token_head(const json& config);

/// What stands before the names of an encoder: the names of wrappers around it, `module._orig_mod.`, and perhaps its own, `bert.`.
class name_prefix {
 public:
  /// What stands before the table of word embeddings among NAMES, those of the file PATH.
  /// @throws format_error  there are several encoders, or it is none of the known wrappers
  template <class Names>
  name_prefix(const Names& names, std::string_view model_type, const std::string& path) : type_prefix_(std::string(model_type) + ".") {
    constexpr std::string_view table = "embeddings.word_embeddings.weight";
    std::vector<std::string> found;
    for (const auto& [theirs, unused] : names) {
      const std::string name = in_graft(theirs);
      const std::string start = name.substr(0, name.size() - std::min(name.size(), table.size()));
      if (name.ends_with(table) && (start.empty() || start.ends_with('.'))) found.push_back(start);
    }
    if (found.size() > 1) {
      throw format_error(path, "holds several encoders, " + found[0] + table.data() + " is one's and " + found[1] + table.data() +
                                   " another's: save one of them alone");
    }
    if (found.empty()) {
      take_wrappers(names);
      return;
    }
    std::size_t at = 0;
    bool of_type = found[0].empty(), other = false;
    for (std::size_t before = std::string::npos; at != before;) {
      before = at;
      for (const std::string_view word : {"module.", "_orig_mod.", "model.", "encoder.", type_prefix_.c_str(), "bert.", "roberta."}) {
        if (!std::string_view(found[0]).substr(at).starts_with(word)) continue;
        at += word.size();
        ends_.push_back(at);
        of_type |= word == type_prefix_;
        other |= word != type_prefix_ && (word == "bert." || word == "roberta.");
        break;
      }
    }
    if (at != found[0].size() || (other && !of_type)) {
      throw format_error(path, "calls the encoder's tensors " + found[0] + "*, " + type_prefix_ + "* was expected" +
                                   (at == found[0].size() ? " by its config.json"
                                                          : ": rename them (module., _orig_mod., model. and encoder. are taken off)"));
    }
    text_ = found[0];
  }

  /// The canonical_name of NAME without the prefix; nothing, too, for what is called like a part of the encoder without being in it.
  std::optional<std::string> canonical(const std::string& theirs) const;

 private:
  std::string in_graft(const std::string& name) const;
  /// Without an encoder: the wrappers that are around every name.
  template <class Names>
  void take_wrappers(const Names& names) {
    for (const std::string_view word : {"module.", "_orig_mod.", "module."}) {
      const std::string wrapped = text_ + std::string(word);
      const bool all = std::all_of(names.begin(), names.end(),
                                   [&](const auto& one) { return one.first.starts_with(wrapped) || one.first.starts_with("__pad."); });
      if (!all || names.empty()) continue;
      text_ = wrapped;
      ends_.push_back(text_.size());
    }
  }

  std::string type_prefix_, text_;
  std::vector<std::size_t> ends_;  // of each word in text_
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/hf_names-inl.hpp"  // IWYU pragma: export
#endif
