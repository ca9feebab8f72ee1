#pragma once
// Bodies of graft/text/unicode_forms.hpp.

#include <algorithm>
#include <array>
#include <cstddef>

#include "graft/core/compiled.hpp"
#include "graft/text/unicode_forms.hpp"

namespace graft::detail {

GRAFT_INLINE std::uint16_t combining_class(std::int32_t value) {
  return value < 0x300 ? 0 : static_cast<std::uint16_t>(utf8proc_get_property(value)->combining_class);
}

/// What FIRST and SECOND are written as together, -1 if they are not.
GRAFT_INLINE std::int32_t composed(std::int32_t first, std::int32_t second) {
  std::array<std::int32_t, 2> pair{first, second};
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  return utf8proc_normalize_utf32(pair.data(), 2, options) == 1 ? pair[0] : -1;
}

/// TEXT as changes that bring it into FORM.
GRAFT_INLINE void normal_form_of(std::string_view text, normal_form form, std::vector<changed_character>& changes) {
  const bool compatible = form == normal_form::nfkc || form == normal_form::nfkd;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
  changes.clear();
  for_each_code_point(text, [&](std::int32_t value, std::string_view) {
    std::array<std::int32_t, 32> parts;  // the longest decomposition has 18
    int boundary = 0;
    const auto count = utf8proc_decompose_char(value, parts.data(), parts.size(), options, &boundary);
    for (utf8proc_ssize_t i = 0; i < count; ++i) changes.push_back({parts[static_cast<std::size_t>(i)], i > 0});
  });
  for (auto begin = changes.begin(); begin != changes.end();) {  // marks on one character in their canonical order
    if (combining_class(begin->value) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, changes.end(), [](const auto& one) { return combining_class(one.value) == 0; });
    std::stable_sort(begin, end, [](const auto& a, const auto& b) { return combining_class(a.value) < combining_class(b.value); });
    begin = end;
  }
  if (form == normal_form::nfd || form == normal_form::nfkd) return;
  std::size_t size = 0, starter = changes.size();
  std::uint16_t last = 0;  // the class of what stands between the starter and the next one; 0: nothing
  for (const auto one : std::vector(changes)) {
    const auto order = combining_class(one.value);
    if (starter < size && (last == 0 || last < order)) {
      if (const auto both = composed(changes[starter].value, one.value); both >= 0) {
        changes[starter] = {both, changes[starter].change + one.change - 1};
        continue;
      }
    }
    if (order == 0) starter = size;
    last = order;
    changes[size++] = one;
  }
  changes.resize(size);
}

GRAFT_INLINE void append_normal_form(const aligned_text& in, normal_form form, aligned_text& out) {
  const std::string_view text = in.text;
  const auto ascii = [&](std::size_t at) { return at < text.size() && is_ascii(text[at]); };
  std::vector<changed_character> changes;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (ascii(end)) ++end;
    if (end > at && end < text.size()) --end;  // marks may follow it
    out.copy(in, at, end);
    if (at = end; at == text.size()) return;
    end += ascii(end);
    while (end < text.size() && !ascii(end)) ++end;
    normal_form_of(text.substr(at, end - at), form, changes);
    append_changes(in, at, changes, out);
    at = end;
  }
}

GRAFT_INLINE bool is_mark(std::int32_t value) {
  const auto category = utf8proc_category(value);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

GRAFT_INLINE bool is_nonspacing(std::int32_t value) { return utf8proc_category(value) == UTF8PROC_CATEGORY_MN; }

GRAFT_INLINE bool is_word_character(std::int32_t value) {
  if (value < 0x80)
    return (value >= '0' && value <= '9') || (value >= 'A' && value <= 'Z') || (value >= 'a' && value <= 'z') || value == '_';
  const auto category = utf8proc_category(value);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC || value == 0x200c ||
         value == 0x200d || (value >= 0x24b6 && value <= 0x24e9) || (value >= 0x1f130 && value <= 0x1f149) ||
         (value >= 0x1f150 && value <= 0x1f169) || (value >= 0x1f170 && value <= 0x1f189);
}

GRAFT_INLINE bool is_numeric(std::int32_t value) {
  if (value < 0x80) return value >= '0' && value <= '9';
  const auto category = utf8proc_category(value);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

}  // namespace graft::detail
