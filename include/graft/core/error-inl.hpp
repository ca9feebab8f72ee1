#pragma once
// Bodies of graft/core/error.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"

namespace graft {

GRAFT_INLINE format_error format_error::at_line(const std::string& path, std::uint64_t line, const std::string& message) {
  return {path, std::string(":") + std::to_string(line) + ": ", message};
}

GRAFT_INLINE format_error format_error::at_byte(const std::string& path, std::uint64_t offset, const std::string& message) {
  return {path, ": byte " + std::to_string(offset) + ": ", message};
}

GRAFT_INLINE format_error::format_error(const std::string& path, const std::string& where, const std::string& message)
    : error(path + where + message), path_(path) {}

}  // namespace graft
