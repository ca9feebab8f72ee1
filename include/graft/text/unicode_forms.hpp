#pragma once
// Unicode's normalization forms, and the properties of characters by which tokenizers cut, as of the tables of the tokenizers library.

#include <cstdint>
#include <string_view>
#include <vector>

#include "graft/text/aligned_text.hpp"

namespace graft::detail {

enum class normal_form : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// Appends TEXT in normal form to OUT.
/// Source: Unicode Standard Annex #15.   Tested: tests/text/unicode_forms_test.cpp
void append_normal_form(const aligned_text& text, normal_form form, aligned_text& out);

/// Categories M*.
bool is_mark(std::int32_t value);

/// Category Mn.
bool is_nonspacing(std::int32_t value);

/// What `\w` matches.
bool is_word_character(std::int32_t value);

/// Categories N*.
bool is_numeric(std::int32_t value);

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/text/unicode_forms-inl.hpp"  // IWYU pragma: export
#endif
