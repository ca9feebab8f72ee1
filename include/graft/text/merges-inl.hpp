#pragma once
// Bodies of graft/text/merges.hpp.

#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/text/listed_pieces.hpp"
#include "graft/text/merges.hpp"
#include "graft/text/utf8.hpp"

namespace graft::detail {

GRAFT_INLINE bool merge_table::insert(std::int32_t left, std::int32_t right, merge value) {
  slot& entry = slots_[slot_of(key_of(left, right))];
  const bool fresh = entry.value.rank == no_rank;
  entry = {key_of(left, right), value};
  return fresh;
}

GRAFT_INLINE merge_table::merge merge_table::find(std::int32_t left, std::int32_t right) const {
  return slots_[slot_of(key_of(left, right))].value;
}

GRAFT_INLINE std::uint64_t merge_table::key_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

GRAFT_INLINE std::size_t merge_table::slot_of(std::uint64_t key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (key * 0x9e3779b97f4a7c15U) >> 32 & mask;
  while (slots_[at].value.rank != no_rank && slots_[at].key != key) at = (at + 1) & mask;
  return at;
}

GRAFT_INLINE merge_list::merge_list(const vocabulary& pieces, const std::string& path) : table_(0) {
  const mapped_file file(path);
  table_ = merge_table(static_cast<std::size_t>(std::ranges::count(file.text(), '\n')) + 1);
  for_each_merge(file.text(), [&](std::string_view line, std::uint64_t number) {
    add(pieces, line, [&](const std::string& reason) { throw format_error::at_line(path, number, reason); });
  });
}

/// The two of MERGE, "a b" or ["a", "b"]; two empty ones if it is neither.
GRAFT_INLINE std::pair<std::string, std::string> parts_of(const json& merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  return merge.is_string() ? merge_parts(merge.get_ref<const std::string&>()) : std::pair<std::string, std::string>();
}

GRAFT_INLINE merge_list::merge_list(const vocabulary& pieces, const json& merges, const std::string& where, const std::string& prefix)
    : table_(merges.size()) {
  if (!merges.is_array()) throw format_error(where, "is no list of merges");
  const auto fail = [&](const std::string& reason) { throw format_error(where, "entry " + std::to_string(size_) + ": " + reason); };
  for (const auto& merge : merges) {
    if (merge.is_string() && prefix.empty()) {
      add(pieces, merge.get_ref<const std::string&>(), fail);
    } else if (const auto parts = parts_of(merge); !parts.first.empty()) {
      add(pieces, parts.first, parts.second, prefix, fail);
    } else {
      fail(shown(merge) + " is no merge: \"a b\" or [\"a\", \"b\"] was expected");
    }
  }
}

}  // namespace graft::detail
