#pragma once
// Bodies of graft/text/character_map.hpp.

#include <algorithm>
#include <cstring>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/text/character_map.hpp"
#include "graft/text/unicode_tables.hpp"

namespace graft::detail {

/// Where the extended grapheme cluster that starts at byte BEGIN ends.
GRAFT_INLINE std::size_t cluster_end(std::string_view text, std::size_t begin) {
  auto [value, bytes] = code_point_at(text, begin);
  std::size_t end = begin + bytes;
  utf8proc_int32_t state = 0;
  while (end < text.size()) {
    if (value < 0x80 && is_ascii(text[end]) && !(value == '\r' && text[end] == '\n')) break;
    const auto next = code_point_at(text, end);
    if (utf8proc_grapheme_break_stateful(value, next.value, &state) && !is_in(new_marks, next.value)) break;
    value = next.value;
    end += next.bytes;
  }
  return end;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE character_map::character_map(std::string_view bytes, const std::string& where) {
  std::uint32_t size = 0;
  if (bytes.size() >= sizeof size) std::memcpy(&size, bytes.data(), sizeof size);
  if (size < 4 || size % 4 != 0 || bytes.size() - 4 < size) {
    throw format_error(where, "is no table of characters: its " + std::to_string(bytes.size()) + " bytes are cut short");
  }
  units_.resize(size / 4);
  std::memcpy(units_.data(), bytes.data() + 4, size);
  replacements_ = bytes.substr(4 + size);
  if (detail::invalid_utf8(replacements_) != std::string::npos) throw format_error(where, "is no table of characters: not UTF-8");
  for (std::size_t value = 0; value < mapped_.size(); ++value) {
    const char byte = static_cast<char>(value);
    mapped_[value] = find({&byte, 1}).has_value();
  }
}

GRAFT_INLINE std::optional<std::string_view> character_map::find(std::string_view key) const {
  const auto offset = [](std::uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); };
  std::size_t at = offset(units_[0]);
  for (const char byte : key) {
    const std::uint32_t label = static_cast<unsigned char>(byte);
    at ^= label;
    if (label == 0 || at >= units_.size() || (units_[at] & (1U << 31 | 0xff)) != label) return std::nullopt;
    const auto unit = units_[at];
    at ^= offset(unit);
    if ((unit >> 8 & 1) == 0) continue;
    const std::size_t begin = at < units_.size() ? units_[at] & 0x7fffffffU : replacements_.size();
    if (begin > replacements_.size()) return std::nullopt;
    return std::string_view(replacements_).substr(begin, std::min(replacements_.find('\0', begin), replacements_.size()) - begin);
  }
  return std::nullopt;
}

GRAFT_INLINE void character_map::apply(const detail::aligned_text& in, detail::aligned_text& out) const {
  const std::string_view text = in.text;
  std::vector<detail::changed_character> changes;  // of all the text, if it is aligned
  const auto copy = [&](std::string_view part) {
    if (!in.aligned) {
      out.text += part;
      return;
    }
    detail::for_each_code_point(part, [&](std::int32_t value, std::string_view) { changes.push_back({value, 0}); });
  };
  const auto replace = [&](std::string_view part, std::string_view by) {
    if (!in.aligned) {
      out.text += by;
      return;
    }
    if (by.empty() && changes.empty()) return;  // as the tokenizers library: the next stands in its place
    const auto old_count = detail::count_code_points(part), count = detail::count_code_points(by);
    detail::for_each_code_point(by, [&](std::int32_t value, std::string_view) { changes.push_back({value, 0}); });
    for (std::size_t i = 0; i + old_count < count; ++i) changes[changes.size() - 1 - i].change = 1;
    if (count < old_count && !changes.empty()) changes.back().change -= static_cast<std::int32_t>(old_count - count);
  };
  for (std::size_t at = 0; at < text.size();) {
    std::size_t plain = at;  // ASCII before ASCII is a character of its own, and usually as it should be
    while (plain + 1 < text.size() && detail::is_ascii(text[plain]) && detail::is_ascii(text[plain + 1]) && text[plain] != '\r' &&
           !mapped_[static_cast<std::size_t>(text[plain])]) {
      ++plain;
    }
    if (plain > at) copy(text.substr(at, plain - at));
    at = plain;
    const std::size_t end = detail::cluster_end(text, at);
    const auto whole = text.substr(at, end - at);
    const auto by = whole.size() < 6 ? find(whole) : std::nullopt;
    if (by) {
      replace(whole, *by);
    } else {
      detail::for_each_code_point(whole, [&](std::int32_t, std::string_view part) {
        const auto one = find(part);
        one ? replace(part, *one) : copy(part);
      });
    }
    at = end;
  }
  if (in.aligned) detail::append_changes(in, 0, changes, out);
}

}  // namespace graft
