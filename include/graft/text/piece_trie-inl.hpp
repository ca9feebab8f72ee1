#pragma once
// Bodies of graft/text/piece_trie.hpp.

#include <numeric>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/text/piece_trie.hpp"

namespace graft::detail {

GRAFT_INLINE piece_trie::piece_trie(const std::vector<std::string>& pieces) {
  std::vector<std::int32_t> order(pieces.size());
  std::iota(order.begin(), order.end(), 0);
  const auto piece = [&](std::size_t i) -> const std::string& { return pieces[static_cast<std::size_t>(order[i])]; };
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const int compared = pieces[static_cast<std::size_t>(a)].compare(pieces[static_cast<std::size_t>(b)]);
    return compared != 0 ? compared < 0 : a < b;
  });
  struct stretch {  // of ORDER: what begins with the bytes that lead to a node
    std::size_t begin, end, depth;
    std::uint32_t parent;
  };
  starts_.fill(none);
  std::vector<stretch> level{{0, pieces.size(), 0, none}}, next;
  for (; !level.empty(); level = std::exchange(next, {})) {
    for (const auto& [first, end, depth, parent] : level) {
      std::size_t begin = first;
      while (begin < end && piece(begin).size() == depth) {
        if (parent != none) nodes_[parent].id = order[begin];  // the last of equal ones
        ++begin;
      }
      if (parent != none) nodes_[parent].first = static_cast<std::uint32_t>(nodes_.size());
      while (begin < end) {
        const char byte = piece(begin)[depth];
        std::size_t until = begin;
        while (until < end && piece(until)[depth] == byte) ++until;
        const auto made = static_cast<std::uint32_t>(nodes_.size());
        nodes_.emplace_back();
        bytes_.push_back(static_cast<unsigned char>(byte));
        if (parent == none) {
          starts_[static_cast<unsigned char>(byte)] = made;
        } else {
          ++nodes_[parent].children;
        }
        next.push_back({begin, until, depth + 1, made});
        begin = until;
      }
    }
  }
}

}  // namespace graft::detail
