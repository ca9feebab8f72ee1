#pragma once
// How texts are cut, and how special tokens stand around them.

#include <cstdint>
#include <variant>

#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/pipeline.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft {

/// The ways of cutting text: those of RoBERTa and BERT, which are short cuts, and any other.
using tokenizer_model = std::variant<byte_level_bpe, wordpiece, pipeline>;

/// What stands between two texts, and what segment the second is: RoBERTa's `<s> A </s></s> B </s>` or BERT's `[CLS] A [SEP] B [SEP]`.
struct text_layout {
  int separators = 2;
  std::int32_t second_segment = 0;
  bool operator==(const text_layout&) const = default;
};
inline constexpr text_layout roberta_layout{2, 0}, bert_layout{1, 1};

/// Whether white space is no part of the place where a token stands, and whether the model put a space in front of the text itself.
struct span_trimming {
  bool trim = false;
  bool add_prefix_space = false;
};

}  // namespace graft
