#pragma once
// SentencePiece's compiled table of what characters, or short runs of them, are written as.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/text/aligned_text.hpp"

namespace graft {

/// `precompiled_charsmap`: the size in bytes of a double array (little-endian, 32 bits, as the numbers of the array), the array, and the
/// replacements, each with a NUL behind it; the array's values are where they begin.
/// Source: sentencepiece's Normalizer; Precompiled of the tokenizers library, which takes the shortest key.
/// Tested: tests/text/normalizer_test.cpp
class character_map {
 public:
  /// @throws format_error  BYTES, which came from WHERE, are cut short, or the replacements are not UTF-8
  character_map(std::string_view bytes, const std::string& where);

  /// Appends TEXT to OUT: each character that a reader sees as one (extended grapheme cluster) and that has less than 6 bytes becomes what
  /// the shortest key that it begins with stands for; else each of its code points does.
  void apply(const detail::aligned_text& text, detail::aligned_text& out) const;

  /// The replacement for the shortest key that KEY begins with.
  std::optional<std::string_view> find(std::string_view key) const;

 private:
  std::vector<std::uint32_t> units_;
  std::string replacements_;
  std::array<bool, 128> mapped_;  // ASCII that is written otherwise
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/character_map-inl.hpp"  // IWYU pragma: export
#endif
