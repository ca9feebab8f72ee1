#pragma once
// Bodies of graft/model/loading.hpp.

#include "graft/core/compiled.hpp"
#include "graft/model/loading.hpp"

namespace graft {

GRAFT_INLINE std::optional<std::string> trunk_name(const std::string& name, const std::string& model_type) {
  const bool added =
      name.find(".adapter.") != std::string::npos || name.find(".lora_") != std::string::npos || name.find(".prefix.") != std::string::npos;
  if (added || !name.starts_with(model_type + ".")) return std::nullopt;
  const std::size_t multi = name.find(".multi_adapter.");
  if (multi == std::string::npos) return name;
  const std::string base = tensor_names::member_norm + std::string("base.");
  if (name.compare(multi, base.size(), base) != 0) return std::nullopt;
  return name.substr(0, multi) + ".LayerNorm." + name.substr(multi + base.size());
}

}  // namespace graft
