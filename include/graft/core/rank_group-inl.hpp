#pragma once
// Bodies of graft/core/rank_group.hpp.

#include <cstdint>

#include "graft/core/compiled.hpp"
#include "graft/core/rank_group.hpp"

namespace graft {

GRAFT_INLINE std::vector<std::string> gather_texts(rank_group& group, const std::string& local_text) {
  const auto ranks = static_cast<std::size_t>(group.size()), self = static_cast<std::size_t>(group.rank());
  std::vector<std::uint64_t> sizes(ranks);
  std::vector<std::size_t> begins(ranks + 1, 0);
  sizes[self] = local_text.size();
  for (std::size_t r = 0; r < ranks; ++r) begins[r + 1] = (r + 1) * sizeof(std::uint64_t);
  group.all_gather(std::as_writable_bytes(std::span(sizes)), begins);
  for (std::size_t r = 0; r < ranks; ++r) begins[r + 1] = begins[r] + static_cast<std::size_t>(sizes[r]);
  std::string all(begins.back(), '\0');
  local_text.copy(all.data() + begins[self], local_text.size());
  group.all_gather(std::as_writable_bytes(std::span(all)), begins);
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < ranks; ++r) texts.push_back(all.substr(begins[r], begins[r + 1] - begins[r]));
  return texts;
}

GRAFT_INLINE std::string text_of_first_rank(rank_group& group, const std::string& local_text) {
  std::uint64_t size = local_text.size();
  group.broadcast(std::as_writable_bytes(std::span(&size, 1)));
  std::string text = group.rank() == 0 ? local_text : std::string(static_cast<std::size_t>(size), '\0');
  group.broadcast(std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace graft
