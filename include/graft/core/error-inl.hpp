#pragma once
// Bodies of graft/core/error.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"

namespace graft {

GRAFT_INLINE shape_error shape_error::of_argument(std::string_view layer, std::string_view argument, std::ptrdiff_t rows,
                                                  std::ptrdiff_t cols, const std::string& needed) {
  const std::string shape = "(" + std::to_string(rows) + ", " + std::to_string(cols) + ")";
  return shape_error("layer '" + std::string(layer) + "': " + std::string(argument) + " is " + shape + ", " + needed);
}

GRAFT_INLINE format_error format_error::at_line(const std::string& path, std::uint64_t line, const std::string& message) {
  return {path, std::string(":") + std::to_string(line) + ": ", message};
}

GRAFT_INLINE format_error format_error::at_byte(const std::string& path, std::uint64_t offset, const std::string& message) {
  return {path, ": byte " + std::to_string(offset) + ": ", message};
}

GRAFT_INLINE format_error::format_error(const std::string& path, const std::string& where, const std::string& message)
    : error(path + where + message), path_(path) {}

}  // namespace graft
