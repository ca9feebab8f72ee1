#pragma once
// Bodies of graft/heads/pooling.hpp.

#include <array>
#include <cstddef>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/printable.hpp"
#include "graft/heads/pooling.hpp"

namespace graft::detail {

inline constexpr std::array pooling_names{"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::string pooling_name(pooling p) { return detail::pooling_names[static_cast<std::size_t>(p)]; }

GRAFT_INLINE pooling parse_pooling(const std::string& text, const std::string& name) {
  for (std::size_t i = 0; i < detail::pooling_names.size(); ++i) {
    if (text == detail::pooling_names[i]) return static_cast<pooling>(i);
  }
  throw config_error(name + " is \"" + printable(text, 60) +
                     "\", one of cls, max, mean, mean_sqrt_len_tokens, weightedmean and lasttoken was expected");
}

GRAFT_INLINE std::vector<pooling> parse_poolings(const std::string& text, const std::string& name) {
  std::vector<pooling> all;
  for (std::size_t begin = 0, end = 0; end != text.npos; begin = end + 1) {
    end = text.find(',', begin);
    all.push_back(parse_pooling(text.substr(begin, end == text.npos ? end : end - begin), name));
  }
  return all;
}

}  // namespace graft
