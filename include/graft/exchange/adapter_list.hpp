#pragma once
// The JSON file that names several adapters.

#include <string>
#include <utility>
#include <vector>

namespace graft {

/// Names and paths, in order, from the file PATH, a JSON object: {"NAME": "FILE OR FOLDER", ...}. A relative path is tried from the working
/// directory, then from the folder of PATH.
/// @throws format_error  no such object, or a name that cannot be one in a mix or among adapters
std::vector<std::pair<std::string, std::string>> read_adapter_list(const std::string& path);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/adapter_list-inl.hpp"  // IWYU pragma: export
#endif
