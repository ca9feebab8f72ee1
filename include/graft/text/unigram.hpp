#pragma once
// The Unigram model of SentencePiece: a word -> its most likely pieces.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/text/aligned_text.hpp"
#include "graft/text/piece_trie.hpp"
#include "graft/text/vocabulary.hpp"

namespace graft {

/// What a tokenizer.json may set.
struct unigram_settings {
  std::int32_t unk_id = -1;    // for characters without a piece, a run of them as one; -1: none
  bool byte_fallback = false;  // such a run is the pieces "<0x00>" to "<0xFF>" of its bytes, where there are all
};

/// Cuts a word into the pieces whose scores (logarithms of probabilities) have the largest sum (Viterbi). A character without a piece of
/// its own scores the least score less 10.   Cost: per byte of the word the length of the longest piece, at most. `encode` may be called
/// from several threads at once. Source: Kudo 2018, section 3.2; Unigram of the tokenizers library.   Tested: tests/text/unigram_test.cpp
class unigram {
 public:
  /// SCORES[i] is that of piece i.
  /// @throws format_error  no pieces; unk_id is no piece's
  unigram(vocabulary pieces, std::vector<double> scores, const unigram_settings& settings);

  const vocabulary& pieces() const noexcept { return vocabulary_; }

  /// What `encode` needs, to be used again for the next word.
  struct scratch {
    struct node {  // the best way to the end of a character
      double score;
      std::int64_t begin;  // of its last piece; -1: there is no way yet
      std::int32_t id;
    };
    std::vector<node> nodes;
    std::vector<detail::byte_range> found;
  };

  /// Appends the ids of WORD, valid UTF-8.
  /// @throws error  a character without a piece, and there is no unknown token
  void encode(std::string_view word, scratch& work, detail::piece_list out) const;

 private:
  void push_unknown(std::string_view word, detail::byte_range range, detail::piece_list& out) const;

  vocabulary vocabulary_;
  std::vector<double> scores_;
  detail::piece_trie trie_;
  unigram_settings settings_;
  double unknown_score_;
  std::vector<std::int32_t> byte_ids_;  // empty, or of 256 bytes; -1: none
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/unigram-inl.hpp"  // IWYU pragma: export
#endif
