#pragma once
// Bodies of graft/data/featurize.hpp.

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <type_traits>

#include "graft/core/compiled.hpp"
#include "graft/core/threads.hpp"
#include "graft/core/utf8.hpp"
#include "graft/core/workers.hpp"
#include "graft/data/featurize.hpp"
#include "graft/data/tags.hpp"
#include "graft/text/tokenizer.hpp"

namespace graft {

GRAFT_INLINE void truncate_pair(std::vector<std::int32_t>& a, std::vector<std::int32_t>& b, std::size_t length) {
  while (a.size() + b.size() > length) (a.size() >= b.size() ? a : b).pop_back();
}

GRAFT_INLINE features featurize(const example& row, const known_ids& known, index max_seq_length) {
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

}  // namespace graft

namespace graft::detail {

/// Whether the token ID at SPAN in TEXT goes on with the word of the one before it.
/// Source: transformers' TokenClassificationPipeline, gather_pre_entities.
GRAFT_INLINE bool goes_on(const tokenizer& tokens, std::int32_t id, text_span span, const code_points& text) {
  if (id == tokens.unk_id()) return false;
  if (tokens.marks_continuations()) return static_cast<index>(count_code_points(tokens.token(id))) != span.end - span.begin;
  const auto space_at = [&](std::int32_t i) { return i < std::ssize(text.values) && text.values[static_cast<std::size_t>(i)] == ' '; };
  return span.begin > 0 && !space_at(span.begin - 1) && !space_at(span.begin);
}

GRAFT_INLINE void check_known(const std::vector<std::int32_t>& ids, const tokenizer& tokens) {
  const auto beyond = std::ranges::find_if(ids, [&](std::int32_t id) { return id >= tokens.known().count; });
  if (beyond == ids.end()) return;
  throw config_error("\"" + tokens.token(*beyond) + "\" in the text has id " + std::to_string(*beyond) + ", the encoder has rows for " +
                     std::to_string(tokens.known().count) + " alone: do the vocabulary and the model belong together?");
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE features featurize(const example& row, const tokenizer& tokens, index max_seq_length, bool one_separator, bool stripped) {
  if (!row.input_ids.empty()) return featurize(row, tokens.known(), max_seq_length);
  const text_layout& layout = tokens.layout();
  const int separators = one_separator && !row.text_b ? 1 : layout.separators;
  const index specials = 1 + separators + (row.text_b ? 1 : 0);
  if (max_seq_length < specials) {
    throw config_error("max_seq_length is " + std::to_string(max_seq_length) + ", the special tokens alone need " +
                       std::to_string(specials));
  }
  auto a = tokens.encode(row.text_a, stripped);
  auto b = row.text_b ? tokens.encode(*row.text_b, stripped) : std::vector<std::int32_t>();
  truncate_pair(a, b, static_cast<std::size_t>(max_seq_length - specials));

  features result;
  auto& ids = result.input_ids;
  ids.reserve(a.size() + b.size() + static_cast<std::size_t>(specials));
  ids.push_back(tokens.cls_id());
  ids.insert(ids.end(), a.begin(), a.end());
  ids.insert(ids.end(), static_cast<std::size_t>(separators), tokens.sep_id());
  result.token_type_ids.assign(ids.size(), 0);
  if (row.text_b) {
    ids.insert(ids.end(), b.begin(), b.end());
    ids.push_back(tokens.sep_id());
  }
  result.token_type_ids.resize(ids.size(), layout.second_segment);
  detail::check_known(ids, tokens);
  return result;
}

GRAFT_INLINE features featurize_words(const example& row, const tokenizer& tokens, index max_seq_length, bool as_trained) {
  if (!row.input_ids.empty())
    throw config_error("has \"input_ids\", of which nobody knows which are words: a text or \"tokens\" were expected");
  if (row.text_b) throw config_error("has two texts, one was expected where words get tags");
  if (max_seq_length < 2) throw config_error("max_seq_length is " + std::to_string(max_seq_length) + ", the special tokens alone need 2");
  const auto end = static_cast<std::size_t>(max_seq_length - 1);  // where the last token goes
  features result;
  result.words = true;
  auto& ids = result.input_ids;
  ids.push_back(tokens.cls_id());
  const auto lose = [&](text_span span) {
    if (result.cut_at < 0) result.cut_at = span.begin;
  };
  const auto ask = [&](std::size_t token, text_span span) {
    if (token >= end) return lose(span);
    result.answering.push_back(static_cast<std::int32_t>(token));
    result.word_spans.push_back(span);
  };
  std::string spaced;
  const auto add_word = [&](std::string_view word, text_span span) {
    if (ids.size() >= end) return ask(ids.size(), span);
    const bool space = tokens.writes_spaces() && !word.empty() && word[0] != ' ';
    const auto encoded = tokens.encode(space ? std::string_view(spaced.assign(" ").append(word)) : word);
    if (!encoded.empty()) ask(ids.size(), span);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    if (ids.size() > end) lose(span);
  };
  if (!row.words.empty()) {
    for (std::int32_t w = 0; w < std::ssize(row.words); ++w) add_word(row.words[static_cast<std::size_t>(w)], {w, w + 1});
  } else if (as_trained) {
    const detail::code_points text(row.text_a);
    for (const text_span span : detail::words_of(text)) add_word(text.part(span), span);
  } else {
    std::vector<text_span> spans;
    const auto encoded = tokens.encode(row.text_a, false, &spans);
    const detail::code_points text(row.text_a);
    for (std::size_t i = 0; i < encoded.size(); ++i) {
      if (i > 0 && detail::goes_on(tokens, encoded[i], spans[i], text)) {
        if (ids.size() >= end) lose(spans[i]);
        if (!result.word_spans.empty() && ids.size() < end) result.word_spans.back().end = spans[i].end;
      } else {
        ask(ids.size(), spans[i]);
      }
      ids.push_back(encoded[i]);
    }
  }
  ids.resize(std::min(ids.size(), end));
  ids.push_back(tokens.sep_id());
  result.token_type_ids.assign(ids.size(), 0);
  detail::check_known(ids, tokens);
  return result;
}

}  // namespace graft

namespace graft::detail {

template <class Source>
std::vector<features> featurize_rows(std::span<const example> rows, const Source& source, index max_seq_length, int threads,
                                     const std::function<void(index, index)>& progress) {
  const index count = std::ssize(rows);
  std::vector<features> results(rows.size());
  std::atomic<index> done = 0;
  const auto features_of = [&](const example& row) {
    if constexpr (std::is_same_v<Source, tokenizer>) {
      if (!row.words.empty()) return featurize_words(row, source, max_seq_length);
    }
    return featurize(row, source, max_seq_length);
  };
  for_each_item(count, usable_threads(threads), [&](index row) {
    try {
      results[static_cast<std::size_t>(row)] = features_of(rows[static_cast<std::size_t>(row)]);
    } catch (const error& reason) {
      throw row_error(row, reason.what());
    }
    if (++done % 256 == 0 && progress && omp_get_thread_num() == 0) progress(done, count);
  });
  if (progress) progress(count, count);
  return results;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::vector<features> featurize_all(std::span<const example> rows, const tokenizer& source, index max_seq_length, int threads,
                                                 const std::function<void(index, index)>& progress) {
  return detail::featurize_rows(rows, source, max_seq_length, threads, progress);
}
GRAFT_INLINE std::vector<features> featurize_all(std::span<const example> rows, const known_ids& source, index max_seq_length, int threads,
                                                 const std::function<void(index, index)>& progress) {
  return detail::featurize_rows(rows, source, max_seq_length, threads, progress);
}

}  // namespace graft
