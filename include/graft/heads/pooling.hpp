#pragma once
// How one vector is made of a text's tokens: the ways, by name, without the code that computes them.

#include <cstdint>
#include <string>
#include <vector>

namespace graft {

/// With h_i the hidden states of the n tokens of a text, special ones included:
///   cls  h_1      max  the largest in each column      mean  sum h_i / n      mean_sqrt_len_tokens  sum h_i / sqrt(n)
///   weightedmean  sum i h_i / sum i      lasttoken  h_n
enum class pooling : std::uint8_t { cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken };

/// "cls", "max", ...: the names of sentence-transformers.
std::string pooling_name(pooling p);

/// The one called TEXT.
/// @throws config_error  there is none: "NAME is "foo", one of ... was expected"
pooling parse_pooling(const std::string& text, const std::string& name = "pooling");

/// Those called TEXT, with commas between.
std::vector<pooling> parse_poolings(const std::string& text, const std::string& name = "pooling");

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/heads/pooling-inl.hpp"  // IWYU pragma: export
#endif
