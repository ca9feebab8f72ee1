#pragma once
// Bodies of graft/train/checkpoint.hpp.

#include "graft/core/compiled.hpp"
#include "graft/io/model_file.hpp"
#include "graft/train/checkpoint.hpp"

namespace graft {

GRAFT_INLINE std::string changed_since(const run_identity& before, const run_identity& now) {
  std::string text;
  for (const auto& [name, value] : now) {
    const auto old = before.find(name);
    if (old == before.end() || old->second == value) continue;
    text += (text.empty() ? "" : "; ") + name;
    // Digests say nothing to a reader; what they are of has a name in words.
    text += name.find(' ') != std::string::npos
                ? std::string(name.ends_with('s') ? " are not the same as then" : " is not the same as then")
                : " is " + value + " and was " + old->second;
  }
  return text;
}

GRAFT_INLINE std::string rows_digest(std::span<const features> rows) {
  fnv1a hash;
  for (const features& row : rows) {
    const std::uint64_t length = row.input_ids.size();
    hash.add(std::as_bytes(std::span(&length, 1)));
    hash.add(std::as_bytes(std::span(row.input_ids)));
    hash.add(std::as_bytes(std::span(row.token_type_ids)));
    hash.add(std::as_bytes(std::span(&row.label, 1)));
    hash.add(std::as_bytes(std::span(&row.target, 1)));
  }
  return hash.text();
}

}  // namespace graft
