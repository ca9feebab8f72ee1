#pragma once
// Bodies of graft/exchange/adapter_list.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/data/tasks.hpp"
#include "graft/exchange/adapter_list.hpp"

namespace graft {

GRAFT_INLINE std::vector<std::pair<std::string, std::string>> read_adapter_list(const std::string& path) {
  const auto listed = read_json<ordered_json>(path);
  if (!listed.is_object()) throw format_error(path, "holds no JSON object; {\"NAME\": \"FILE\", ...} was expected");
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& [name, value] : listed.items()) {
    if (!value.is_string()) throw format_error(path, "\"" + name + "\" is " + shown(value) + ", the path of a file was expected");
    const bool taken = name == "base" || name == "flex" || name == "none";
    if (name.empty() || taken || name.find_first_of("./\t") != std::string::npos) {
      throw format_error(path, "\"" + name + "\" cannot be an adapter's name: base, flex and none are taken, . and / separate names");
    }
    all.emplace_back(name, resolve_path(value.get<std::string>(), path));
  }
  return all;
}

}  // namespace graft
