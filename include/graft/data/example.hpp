#pragma once
// One row of a data set, before and after tokenizing.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graft/text/text_layout.hpp"

namespace graft {

/// Characters (code points) BEGIN .. END - 1 of a text are of LABEL.
struct labeled_span {
  std::string label;
  std::int32_t begin = 0, end = 0;
};

/// A row as it stands in a file. Either texts, or ready-made ids, or words (then `text_a` is empty).
struct example {
  std::string text_a;
  std::optional<std::string> text_b{};
  std::vector<std::int32_t> input_ids{};             // special tokens included, no padding; empty: text is to be tokenized
  std::vector<std::int32_t> token_type_ids{};        // beside input_ids; empty: all 0
  bool masked = false;                               // an attention_mask told the real ids from padding, which was left out
  std::optional<std::string> label{};                // as written, of a list its labels with commas between; absent in test files
  bool label_is_list = false;                        // several may hold at once
  std::string adapter{};                             // which is to answer, when there are several; "": not said
  std::uint64_t line = 0;                            // in its file, from 1; for error messages
  std::string error{};                               // why it could not be read, if it could not: there is nothing else then
  std::vector<std::string> words{};                  // a text that is cut already
  std::vector<std::string> tags{};                   // beside words, as written; absent in test files
  bool tags_are_numbers = false;                     // of a list of labels, from 0
  std::optional<std::vector<labeled_span>> spans{};  // of text_a, whose words have no tags yet: as_words() (data/tags.hpp)
  std::size_t widened = 0;                           // spans that began or ended inside a word, which got the tag whole
};

/// A row as the model reads it.
struct features {
  std::vector<std::int32_t> input_ids{};       // special tokens included, no padding
  std::vector<std::int32_t> token_type_ids{};  // 0 for the first text, 1 for the second in BERT; all 0 in RoBERTa
  std::int32_t label = -1;                     // class id, -1 when unknown; of several at once how many hold
  double target = 0;                           // regression value
  std::vector<std::int32_t> label_set{};       // of several at once the ids of those that hold
  bool words = false;                          // not the row is asked, but its words are for their tags, each by its first token:
  std::vector<std::int32_t> answering{};       // those tokens, in rising order; a word of which no token is left has none
  std::vector<text_span> word_spans{};         // beside them, which word of the row it is, [w, w + 1), or of a text its code points
  std::vector<std::int32_t> tags{};            // beside them, class ids, -1 when unknown
  std::int32_t cut_at = -1;                    // the word, or code point, of the first token that did not fit; -1: all did
};

}  // namespace graft
