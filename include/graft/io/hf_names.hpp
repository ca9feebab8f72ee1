#pragma once
// Tensor names in one form, whichever of their spellings over the years a Hugging Face file uses.

#include <optional>
#include <string>
#include <string_view>

namespace graft {

/// The name under which graft knows the tensor NAME of a RoBERTa or BERT file, or nothing when graft has no use for the tensor.
///   - LayerNorm's `gamma` and `beta`, the names in files converted from TensorFlow, become `weight` and `bias`;
///   - files of a bare encoder get the missing prefix, `roberta.` or `bert.`;
///   - left out: pretraining heads (`lm_head.*`, `cls.*`), buffers (`position_ids`, `token_type_ids`), filling (`__pad.*`), and RoBERTa's
///     pooler, which nothing uses (BERT's is part of its head and stays);
///   - everything else, such as `classifier.*`, stays as it is.
/// @param model_type  "roberta" or "bert"
inline std::optional<std::string> canonical_name(std::string name, std::string_view model_type) {
  const std::string prefix = std::string(model_type) + ".";
  for (const auto* start : {"embeddings.", "encoder.", "pooler."}) {
    if (name.starts_with(start)) {
      name = prefix + name;
      break;
    }
  }
  for (const auto* start : {"lm_head.", "cls.", "__pad.", "roberta.pooler."}) {
    if (name.starts_with(start)) return std::nullopt;
  }
  if (name.ends_with(".position_ids") || name.ends_with(".token_type_ids")) return std::nullopt;
  const auto replace_end = [&](std::string_view from, std::string_view to) {
    if (name.ends_with(from)) name.replace(name.size() - from.size(), from.size(), to);
  };
  replace_end(".gamma", ".weight");
  replace_end(".beta", ".bias");
  return name;
}

}  // namespace graft
