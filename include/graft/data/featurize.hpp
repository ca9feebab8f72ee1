#pragma once
// Examples -> features: tokenizing, cutting to length, special tokens.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/index.hpp"
#include "graft/data/example.hpp"

namespace graft {

struct known_ids;
class tokenizer;

/// A row that cannot be featurized: "row ROW: REASON", rows counted from 0. Whoever knows the row's file and line uses `row()` and
/// `reason()`.
class row_error : public error {
 public:
  row_error(index row, const std::string& reason) : error("row " + std::to_string(row) + ": " + reason), row_(row), reason_(reason) {}
  index row() const noexcept { return row_; }
  const std::string& reason() const noexcept { return reason_; }

 private:
  index row_;
  std::string reason_;
};

/// Cuts a pair to LENGTH tokens together: one at a time from the end of the longer, the first on a tie.
void truncate_pair(std::vector<std::int32_t>& a, std::vector<std::int32_t>& b, std::size_t length);

/// The features of a row that brings its ids; its label and target are left unknown.
/// @throws config_error  the row has no ids (only text), more than MAX_SEQ_LENGTH, or an id or segment that KNOWN has not; or it begins or
///                       ends with padding, which no attention_mask told
features featurize(const example& row, const known_ids& known, index max_seq_length);

/// The features of any row; its label and target are left unknown. Texts are stripped, tokenized and cut so that the whole fits
///   RoBERTa  `<s> A </s></s> B </s>`  or  `<s> A </s></s>`      BERT  `[CLS] A [SEP] B [SEP]`  or  `[CLS] A [SEP]`,  B with segment id 1
/// by the tokenizer's layout(): two separators after a single text, too, as nlprunners has it, or with ONE_SEPARATOR one, as transformers
/// has it. Ready-made ids are checked and kept. Texts are not STRIPPED where they are wanted as they stand.
/// @throws encoding_error  a text is not valid UTF-8      @throws config_error  as above, or MAX_SEQ_LENGTH has no room for special tokens
features featurize(const example& row, const tokenizer& tokens, index max_seq_length, bool one_separator = false, bool stripped = true);

/// The features of a row that is asked for a tag of each word, as transformers has it (is_split_into_words): `<s> A </s>` of the tokens of
/// its words, each cut alone, with a space before it where spaces are part of tokens; and no more than fit. Of a text, not stripped, the
/// words are those of words_of (data/tags.hpp) where AS_TRAINED, else those that transformers' pipeline finds in it with
/// aggregation_strategy "first", and each text stands as it is.
/// @throws encoding_error  as above      @throws config_error  as above; the row has two texts, or ids
features featurize_words(const example& row, const tokenizer& tokens, index max_seq_length, bool as_trained = true);

/// `featurize(row, SOURCE, MAX_SEQ_LENGTH)` of every row; of one with words, featurize_words; in order, by THREADS threads (0: as many as
/// OpenMP takes); SOURCE is a tokenizer or, where all rows bring their ids, known_ids. PROGRESS(rows done, rows in all), when given, is
/// called from the calling thread now and then and at the end.
/// @throws row_error  for the first row that `featurize` refuses, whatever the number of threads
/// Tested: tests/data/featurize_test.cpp
std::vector<features> featurize_all(std::span<const example> rows, const tokenizer& source, index max_seq_length, int threads,
                                    const std::function<void(index, index)>& progress = {});
std::vector<features> featurize_all(std::span<const example> rows, const known_ids& source, index max_seq_length, int threads,
                                    const std::function<void(index, index)>& progress = {});

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/featurize-inl.hpp"  // IWYU pragma: export
#endif
