#pragma once
// One row of a data set, before and after tokenizing.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace graft {

/// A row as it stands in a file. Either texts, or ready-made ids (then `text_a` is empty).
struct example {
  std::string text_a;
  std::optional<std::string> text_b{};
  std::vector<std::int32_t> input_ids{};       // special tokens included, no padding; empty: text is to be tokenized
  std::vector<std::int32_t> token_type_ids{};  // beside input_ids; empty: all 0
  bool masked = false;                         // an attention_mask told the real ids from padding, which was left out
  std::optional<std::string> label{};          // as written, of a list its labels with commas between; absent in test files
  bool label_is_list = false;                  // several may hold at once
  std::string adapter{};                       // which is to answer, when there are several; "": not said
  std::uint64_t line = 0;                      // in its file, from 1; for error messages
  std::string error{};                         // why it could not be read, if it could not: there is nothing else then
};

/// A row as the model reads it.
struct features {
  std::vector<std::int32_t> input_ids{};       // special tokens included, no padding
  std::vector<std::int32_t> token_type_ids{};  // 0 for the first text, 1 for the second in BERT; all 0 in RoBERTa
  std::int32_t label = -1;                     // class id, -1 when unknown; of several at once how many hold
  double target = 0;                           // regression value
  std::vector<std::int32_t> label_set{};       // of several at once the ids of those that hold
};

}  // namespace graft
