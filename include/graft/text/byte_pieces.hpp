#pragma once
// The pieces that stand for single bytes, where a text has characters that no other piece has.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/text/vocabulary.hpp"

namespace graft::detail {

/// The ids of "<0x00>" to "<0xFF>" in PIECES, -1 for those that it lacks.
inline std::vector<std::int32_t> byte_pieces(const vocabulary& pieces) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::vector<std::int32_t> ids;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    ids.push_back(pieces.find(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">"));
  }
  return ids;
}

}  // namespace graft::detail
