#pragma once
// Unicode's normalization forms, and the properties of characters by which tokenizers cut, as of the tables of the tokenizers library.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "graft/text/aligned_text.hpp"
#include "graft/text/unicode_tables.hpp"

namespace graft::detail {

enum class normal_form : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// Appends TEXT in normal form to OUT.
/// Source: Unicode Standard Annex #15.   Tested: tests/text/normalizer_test.cpp
void append_normal_form(const aligned_text& text, normal_form form, aligned_text& out);

/// Categories M*, as of Unicode 9.
bool is_mark(std::int32_t value);

/// Category Mn, as of Unicode 8.
bool is_nonspacing(std::int32_t value);

/// Lower case of one character, without context; that of U+0130 has U+0307 behind it.
std::int32_t lower_case_of(std::int32_t value);

/// The canonical combining class.
std::uint16_t combining_class(std::int32_t value);

/// Calls VISIT(part) for each part of the canonical decomposition of VALUE, or the COMPATIBLE one.
template <class Visit>
void decompose(std::int32_t value, bool compatible, Visit visit) {
  if (is_in(late_decompositions, value)) return visit(value);
  std::array<std::int32_t, 32> parts;  // the longest has 18
  int boundary = 0;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
  const auto count = utf8proc_decompose_char(value, parts.data(), parts.size(), options, &boundary);
  for (utf8proc_ssize_t i = 0; i < count; ++i) visit(parts[static_cast<std::size_t>(i)]);
}

/// What `\w` matches.
bool is_word_character(std::int32_t value);

/// Categories N*.
bool is_numeric(std::int32_t value);

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/text/unicode_forms-inl.hpp"  // IWYU pragma: export
#endif
