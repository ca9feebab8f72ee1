#pragma once
// Byte-pair encoding whose smallest pieces are characters.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/json_fwd.hpp"
#include "graft/text/aligned_text.hpp"
#include "graft/text/merges.hpp"
#include "graft/text/vocabulary.hpp"

namespace graft {

/// What a tokenizer.json may set.
struct bpe_settings {
  std::string unk_token;                  // for a character without a piece; "": it is left out
  bool fuse_unk = false;                  // a run of such characters is one
  bool byte_fallback = false;             // a character without a piece is "<0x00>" to "<0xFF>" of its bytes, where there are all
  bool ignore_merges = false;             // a word that is a piece is that piece, whatever the merges make of it
  std::string continuing_subword_prefix;  // of pieces that do not begin a word
  std::string end_of_word_suffix;         // of the piece that ends one
};

/// Joins the characters of a word by a list of merges. `encode` may be called from several threads at once.
/// Source: Sennrich et al. 2016; BPE of the tokenizers library.   Tested: tests/text/tokenizer_goldens_test.cpp
class bpe {
 public:
  /// @throws format_error  a merge that is no pair, or whose parts or result are no pieces; no unk_token among PIECES
  bpe(vocabulary pieces, const json& merges, const std::string& where, const bpe_settings& settings);

  const vocabulary& pieces() const noexcept { return vocabulary_; }

  /// What `encode` needs, to be used again for the next word.
  struct scratch {
    /// A character, or a byte.
    struct symbol {
      std::int32_t id;         // of its piece
      std::size_t begin, end;  // bytes of the word
    };
    std::vector<symbol> symbols;
    detail::merge_scratch merging;
  };

  /// Appends the ids of WORD, valid UTF-8 and not empty.
  void encode(std::string_view word, scratch& work, detail::piece_list out) const;

 private:
  void find_symbols(std::string_view word, scratch& work) const;

  vocabulary vocabulary_;
  bpe_settings settings_;
  detail::merge_list merges_;
  std::int32_t unk_id_ = -1;
  std::vector<std::int32_t> byte_ids_;  // of 256 bytes; -1: none
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/bpe-inl.hpp"  // IWYU pragma: export
#endif
