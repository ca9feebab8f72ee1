#pragma once
// The types of JSON values, for headers that only pass them on.

#include <nlohmann/json_fwd.hpp>

namespace graft {

/// A JSON value; `ordered_json` where the order of keys means something.
using json = nlohmann::json;
using ordered_json = nlohmann::ordered_json;  // keeps the order of the keys in the file

}  // namespace graft
