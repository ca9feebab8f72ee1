#pragma once
// Bodies of graft/text/pipeline.hpp.

#include <type_traits>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/text/pipeline.hpp"

namespace graft {

GRAFT_INLINE const vocabulary& pipeline::pieces() const {
  return std::visit([](const auto& model) -> const vocabulary& { return model.pieces(); }, model_);
}

GRAFT_INLINE std::string_view pipeline::normalize(std::string_view text, std::string& buffer) const {
  if (normalizer_.empty()) return text;
  detail::aligned_text made, spare;
  made.assign(text, 0, false);
  normalizer_.apply(made, spare);
  buffer = std::move(made.text);
  return buffer;
}

GRAFT_INLINE void pipeline::normalize(detail::aligned_text& text) const {
  detail::aligned_text spare;
  normalizer_.apply(text, spare);
}

GRAFT_INLINE void pipeline::encode(std::string_view text, detail::piece_list out) const {
  detail::aligned_text whole;
  whole.assign(text, 0, false);
  encode(whole, out);
}

GRAFT_INLINE void pipeline::encode(detail::aligned_text& text, detail::piece_list out) const {
  detail::word_list words, spare;
  words.text = std::move(text);
  if (!words.text.text.empty()) words.words.push_back({0, words.text.text.size()});
  pre_tokenizer_.apply(words, spare);
  encode_words(words, out);
  text = std::move(words.text);
}

GRAFT_INLINE void pipeline::encode_words(const detail::word_list& words, detail::piece_list& out) const {
  std::visit(
      [&](const auto& model) {
        using model_type = std::decay_t<decltype(model)>;
        constexpr bool has_scratch = std::is_same_v<model_type, unigram> || std::is_same_v<model_type, bpe>;
        [[maybe_unused]] std::conditional_t<std::is_same_v<model_type, bpe>, bpe::scratch, unigram::scratch> work;
        for (const auto& word : words.words) {
          const auto text = std::string_view(words.text.text).substr(word.begin, word.end - word.begin);
          const detail::piece_list part{out.ids, out.ranges, word.begin};
          if constexpr (has_scratch) {
            model.encode(text, work, part);
          } else if constexpr (std::is_same_v<model_type, wordpiece>) {
            whole_ ? model.encode(text, part) : model.cut(text, part);
          } else {
            model.encode(text, part);
          }
        }
      },
      model_);
}

}  // namespace graft
