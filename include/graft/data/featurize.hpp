#pragma once
// Examples -> features: tokenizing, cutting to length, special tokens.

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/types.hpp"
#include "graft/data/example.hpp"
#include "graft/text/tokenizer.hpp"

namespace graft {

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
/// (two separators after a single text, too: what the published adapters were trained with), by the tokenizer's layout(). Ready-made ids
/// are checked and kept.
/// @throws encoding_error  a text is not valid UTF-8      @throws config_error  as above, or MAX_SEQ_LENGTH has no room for special tokens
features featurize(const example& row, const tokenizer& tokens, index max_seq_length);

/// `featurize(row, SOURCE, MAX_SEQ_LENGTH)` of every row, in order, by THREADS threads; SOURCE is a tokenizer or, where all rows bring
/// their ids, known_ids. PROGRESS(rows done, rows in all), when given, is called from the calling thread now and then and
/// at the end.
/// @throws row_error  for the first row that `featurize` refuses, whatever the number of threads
/// Tested: tests/data/featurize_test.cpp
template <class Source>
std::vector<features> featurize_all(std::span<const example> rows, const Source& source, index max_seq_length, int threads,
                                    const std::function<void(index, index)>& progress = {}) {
  const index count = std::ssize(rows);
  std::vector<features> results(rows.size());
  std::atomic<index> done = 0;
  std::atomic<index> failed = count;  // the first row that failed so far; later ones need no work
  std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic, 32) num_threads(std::max(threads, 1))
  for (index row = 0; row < count; ++row) {
    if (row > failed) continue;
    try {
      results[static_cast<std::size_t>(row)] = featurize(rows[static_cast<std::size_t>(row)], source, max_seq_length);
      if (++done % 256 == 0 && progress && omp_get_thread_num() == 0) progress(done, count);
    } catch (...) {
#pragma omp critical(graft_featurize_failure)
      if (row < failed) {
        failed = row;
        failure = std::current_exception();
      }
    }
  }
  if (failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const error& reason) {
      throw row_error(failed, reason.what());
    }
  }
  if (progress) progress(count, count);
  return results;
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/featurize-inl.hpp"  // IWYU pragma: export
#endif
