#pragma once
// Looking at little of a large JSON text while it is parsed.

#include <cstddef>
#include <cstdint>
#include <string>

#include "graft/core/json.hpp"

namespace graft::detail {

/// What nlohmann's parser calls for each value (its SAX interface), for a WALK that looks at some: it has number_unsigned, string, key and
/// those of objects and arrays, and other(), which gets to know of all the rest. Each is false where the walk ends.
template <class Walk>
struct json_walk {
  bool null() { return walk().other(); }
  bool boolean(bool /*value*/) { return walk().other(); }
  bool number_integer(std::int64_t /*value*/) { return walk().other(); }
  bool number_float(double /*value*/, const std::string& /*text*/) { return walk().other(); }
  bool binary(json::binary_t& /*bytes*/) { return false; }  // is none of text
  bool parse_error(std::size_t /*byte*/, const std::string& /*token*/, const nlohmann::detail::exception& /*failure*/) { return false; }

 private:
  Walk& walk() { return static_cast<Walk&>(*this); }
};

}  // namespace graft::detail
