#pragma once
// Bodies of graft/text/unicode_forms.hpp.

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/text/unicode_forms.hpp"

namespace graft::detail {

GRAFT_INLINE std::uint16_t combining_class(std::int32_t value) {
  if (value < 0x300) return 0;
  const auto order = static_cast<std::uint16_t>(utf8proc_get_property(value)->combining_class);
  return order != 0 && is_in(late_marks, value) ? 0 : order;
}

/// What FIRST and SECOND are written as together, -1 if they are not.
GRAFT_INLINE std::int32_t composed(std::int32_t first, std::int32_t second) {
  std::array<std::int32_t, 2> pair{first, second};
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  return utf8proc_normalize_utf32(pair.data(), 2, options) == 1 && pair[0] != 0x11938 ? pair[0] : -1;
}

/// TEXT as changes that bring it into FORM.
GRAFT_INLINE void normal_form_of(std::string_view text, normal_form form, std::vector<changed_character>& changes) {
  const bool compatible = form == normal_form::nfkc || form == normal_form::nfkd;
  changes.clear();
  for_each_code_point(text, [&](std::int32_t value, std::string_view) {
    std::int32_t added = 0;
    decompose(value, compatible, [&](std::int32_t part) { changes.push_back({part, std::exchange(added, 1)}); });
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
  if (category < UTF8PROC_CATEGORY_MN || category > UTF8PROC_CATEGORY_ME) return value == 0x1cf2 || value == 0x1cf3;
  return !is_in(late_marks, value);
}

GRAFT_INLINE bool is_nonspacing(std::int32_t value) {
  return value == 0x1734 || (utf8proc_category(value) == UTF8PROC_CATEGORY_MN && !is_in(late_nonspacing, value));
}

GRAFT_INLINE std::int32_t lower_case_of(std::int32_t value) {
  switch (value) {  // since Unicode 15.1
    case 0xa7cb:
      return 0x264;
    case 0xa7dc:
      return 0x19b;
    case 0x1c89:
    case 0xa7cc:
    case 0xa7ce:
    case 0xa7d2:
    case 0xa7d4:
    case 0xa7da:
      return value + 1;
    default:
      break;
  }
  if (value >= 0x10d50 && value <= 0x10d65) return value + 0x20;
  if (value >= 0x16ea0 && value <= 0x16eb8) return value + 0x1b;
  return utf8proc_tolower(value);
}

GRAFT_INLINE bool is_word_character(std::int32_t value) {
  if (value < 0x80)
    return (value >= '0' && value <= '9') || (value >= 'A' && value <= 'Z') || (value >= 'a' && value <= 'z') || value == '_';
  const auto category = utf8proc_category(value);
  if (category == UTF8PROC_CATEGORY_CN) return is_in(new_letters, value) || is_in(new_numbers, value) || is_in(new_marks, value);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC || value == 0x200c ||
         value == 0x200d || (value >= 0x24b6 && value <= 0x24e9) || (value >= 0x1f130 && value <= 0x1f149) ||
         (value >= 0x1f150 && value <= 0x1f169) || (value >= 0x1f170 && value <= 0x1f189);
}

GRAFT_INLINE bool is_numeric(std::int32_t value) {
  if (value < 0x80) return value >= '0' && value <= '9';
  const auto category = utf8proc_category(value);
  if (category == UTF8PROC_CATEGORY_CN) return is_in(new_numbers, value) || is_in(newest_numbers, value);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

}  // namespace graft::detail
