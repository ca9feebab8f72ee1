#pragma once
// Pieces by their bytes: finds all that a text begins with in one walk.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace graft::detail {

/// A trie whose nodes lie level by level, so that the children of each lie side by side, in the order of their bytes.
class piece_trie {
 public:
  /// The id of PIECES[i] is i; of equal pieces that of the last; empty pieces are not found.
  explicit piece_trie(const std::vector<std::string>& pieces);

  /// Calls VISIT(length, id) for each piece that TEXT begins with, shortest first.
  template <class Visit>
  void for_each_prefix(std::string_view text, Visit visit) const {
    if (text.empty()) return;
    std::uint32_t at = starts_[static_cast<unsigned char>(text[0])];
    for (std::size_t length = 1; at != none; ++length) {
      if (nodes_[at].id >= 0) visit(length, nodes_[at].id);
      if (length == text.size()) return;
      at = child(nodes_[at], static_cast<unsigned char>(text[length]));
    }
  }

  /// The id of PIECE, -1 when there is none.
  std::int32_t find(std::string_view piece) const {
    std::int32_t found = -1;
    for_each_prefix(piece, [&](std::size_t length, std::int32_t id) { found = length == piece.size() ? id : -1; });
    return found;
  }

 private:
  static constexpr std::uint32_t none = 0xffffffffU;

  struct node {
    std::int32_t id = -1;
    std::uint32_t first = 0;  // of its children
    std::uint32_t children = 0;
  };

  std::uint32_t child(const node& parent, unsigned char byte) const {
    const auto* begin = bytes_.data() + parent.first;
    const auto* end = begin + parent.children;
    const auto* found = parent.children > 8 ? std::lower_bound(begin, end, byte) : std::find(begin, end, byte);
    return found != end && *found == byte ? static_cast<std::uint32_t>(found - bytes_.data()) : none;
  }

  std::vector<node> nodes_;
  std::vector<unsigned char> bytes_;  // of node I: the one that leads to it
  std::array<std::uint32_t, 256> starts_;
};

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/text/piece_trie-inl.hpp"  // IWYU pragma: export
#endif
