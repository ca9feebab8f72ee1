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
#include <utility>
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
inline void truncate_pair(std::vector<std::int32_t>& a, std::vector<std::int32_t>& b, std::size_t length) {
  while (a.size() + b.size() > length) (a.size() >= b.size() ? a : b).pop_back();
}

/// The features of a row that brings its ids; its label and target are left unknown.
/// @throws config_error  the row has no ids (only text), more than MAX_SEQ_LENGTH, or an id or segment that KNOWN has not; or it begins or
///                       ends with padding, which no attention_mask told
inline features featurize(const example& row, const known_ids& known, index max_seq_length) {
  if (row.input_ids.empty()) throw config_error("has no \"input_ids\", and there is no tokenizer for its text");
  if (!row.masked && row.input_ids.size() > 1 && (row.input_ids.front() == known.pad || row.input_ids.back() == known.pad)) {
    throw config_error("\"input_ids\" " + std::string(row.input_ids.back() == known.pad ? "ends" : "begins") + " with " +
                       std::to_string(known.pad) + ", the id of padding: leave padding out, or give an \"attention_mask\" beside it");
  }
  if (std::ssize(row.input_ids) > max_seq_length) {
    throw config_error("has " + std::to_string(row.input_ids.size()) + " \"input_ids\", the longest allowed (max_seq_length) is " +
                       std::to_string(max_seq_length));
  }
  for (const auto id : row.input_ids) {
    if (id < 0 || id >= known.count) {
      throw config_error("\"input_ids\" holds " + std::to_string(id) + ", the vocabulary has ids 0 to " + std::to_string(known.count - 1));
    }
  }
  for (const auto segment : row.token_type_ids) {
    if (segment < 0 || segment >= known.segments) {
      throw config_error("\"token_type_ids\" holds " + std::to_string(segment) + ", the encoder has segments 0 to " +
                         std::to_string(known.segments - 1));
    }
  }
  features result;
  result.input_ids = row.input_ids;
  result.token_type_ids = row.token_type_ids;
  result.token_type_ids.resize(row.input_ids.size(), 0);
  return result;
}

/// The features of any row; its label and target are left unknown. Texts are stripped, tokenized and cut so that the whole fits
///   RoBERTa  <s> A </s></s> B </s>  or  <s> A </s></s>          BERT  [CLS] A [SEP] B [SEP]  or  [CLS] A [SEP],  B with segment id 1
/// (two separators after a single text, too: what the published adapters were trained with), by the tokenizer's layout(). Ready-made ids
/// are checked and kept.
/// @throws encoding_error  a text is not valid UTF-8      @throws config_error  as above, or MAX_SEQ_LENGTH has no room for special tokens
inline features featurize(const example& row, const tokenizer& tokens, index max_seq_length) {
  if (!row.input_ids.empty()) return featurize(row, tokens.known(), max_seq_length);
  const text_layout& layout = tokens.layout();
  const index specials = 1 + layout.separators + (row.text_b ? 1 : 0);
  if (max_seq_length < specials) {
    throw config_error("max_seq_length is " + std::to_string(max_seq_length) + ", the special tokens alone need " +
                       std::to_string(specials));
  }
  const auto ids_of = [&](const std::string& text) {
    require_utf8(text);
    return tokens.encode(strip(text));
  };
  auto a = ids_of(row.text_a);
  auto b = row.text_b ? ids_of(*row.text_b) : std::vector<std::int32_t>();
  truncate_pair(a, b, static_cast<std::size_t>(max_seq_length - specials));

  features result;
  auto& ids = result.input_ids;
  ids.reserve(a.size() + b.size() + static_cast<std::size_t>(specials));
  ids.push_back(tokens.cls_id());
  ids.insert(ids.end(), a.begin(), a.end());
  ids.insert(ids.end(), static_cast<std::size_t>(layout.separators), tokens.sep_id());
  result.token_type_ids.assign(ids.size(), 0);
  if (row.text_b) {
    ids.insert(ids.end(), b.begin(), b.end());
    ids.push_back(tokens.sep_id());
  }
  result.token_type_ids.resize(ids.size(), layout.second_segment);
  const auto beyond = std::ranges::find_if(ids, [&](std::int32_t id) { return id >= tokens.known().count; });
  if (beyond != ids.end()) {
    throw config_error("\"" + tokens.token(*beyond) + "\" in the text has id " + std::to_string(*beyond) + ", the encoder has rows for " +
                       std::to_string(tokens.known().count) + " alone: do the vocabulary and the model belong together?");
  }
  return result;
}

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
