#pragma once
// Where tokens stand: in a text, and special ones around texts.

#include <cstdint>

namespace graft {

/// Where a token stands: code points [begin, end) of a text, counted from 0.
struct text_span {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  bool operator==(const text_span&) const = default;
};

/// What stands between two texts, and what segment the second is: RoBERTa's `<s> A </s></s> B </s>` or BERT's `[CLS] A [SEP] B [SEP]`.
struct text_layout {
  int separators = 2;
  std::int32_t second_segment = 0;
  bool operator==(const text_layout&) const = default;
};
inline constexpr text_layout roberta_layout{2, 0}, bert_layout{1, 1};

}  // namespace graft
