#pragma once
// Any way of cutting text that a tokenizer.json describes: normalizer, pre-tokenizer, model.

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "graft/text/aligned_text.hpp"
#include "graft/text/bpe.hpp"
#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/normalizer.hpp"
#include "graft/text/pre_tokenizer.hpp"
#include "graft/text/unigram.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft {

/// A word is a piece, or the unknown token.
class word_level {
 public:
  /// @throws format_error  PIECES lack the UNK_TOKEN
  word_level(vocabulary pieces, const std::string& unk_token) : vocabulary_(std::move(pieces)), unk_id_(vocabulary_.require(unk_token)) {}

  const vocabulary& pieces() const noexcept { return vocabulary_; }

  /// Appends the id of WORD.
  void encode(std::string_view word, detail::piece_list out) const {
    const auto id = vocabulary_.find(word);
    out.push(id >= 0 ? id : unk_id_, 0, word.size());
  }

 private:
  vocabulary vocabulary_;
  std::int32_t unk_id_;
};

/// A tokenizer that no short cut fits.   Tested: tests/text/tokenizer_goldens_test.cpp
class pipeline {
 public:
  using word_model = std::variant<unigram, bpe, word_level, wordpiece, byte_level_bpe>;

  /// A WHOLE model cuts its text into words itself.
  pipeline(normalizer text_normalizer, pre_tokenizer words, word_model model, bool whole)
      : normalizer_(std::move(text_normalizer)), pre_tokenizer_(std::move(words)), model_(std::move(model)), whole_(whole) {}

  const vocabulary& pieces() const;

  /// Whether ids depend on where a text stands, so that it has to be aligned.
  bool needs_alignment() const { return pre_tokenizer_.needs_alignment(); }

  /// As of tokenizer.
  bool writes_spaces() const { return pre_tokenizer_.writes_spaces() || std::holds_alternative<byte_level_bpe>(model_); }
  bool marks_continuations() const { return std::holds_alternative<wordpiece>(model_); }

  /// TEXT, valid UTF-8, normalized. It lies in BUFFER, or where it lay.
  std::string_view normalize(std::string_view text, std::string& buffer) const;
  void normalize(detail::aligned_text& text) const;

  /// Appends the ids of TEXT, normalized already.
  void encode(std::string_view text, detail::piece_list out) const;

  /// The same; ranges are of TEXT after it was cut.
  void encode(detail::aligned_text& text, detail::piece_list out) const;

 private:
  void encode_words(const detail::word_list& words, detail::piece_list& out) const;

  normalizer normalizer_;
  pre_tokenizer pre_tokenizer_;
  word_model model_;
  bool whole_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/pipeline-inl.hpp"  // IWYU pragma: export
#endif
