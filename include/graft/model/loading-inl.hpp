#pragma once
// Bodies of graft/model/loading.hpp.

#include <string_view>

#include "graft/core/compiled.hpp"
#include "graft/model/loading.hpp"

namespace graft {

GRAFT_INLINE std::optional<std::string> trunk_name(const std::string& name, const std::string& model_type) {
  const bool added =
      name.find(".adapter.") != std::string::npos || name.find(".lora_") != std::string::npos || name.find(".prefix.") != std::string::npos;
  if (added || !name.starts_with(model_type + ".")) return std::nullopt;
  const std::size_t multi = name.find(".multi_adapter.");
  if (multi == std::string::npos) return name;
  constexpr std::string_view base = ".multi_adapter.layer_norm_dict.base.";
  if (name.compare(multi, base.size(), base) != 0) return std::nullopt;
  return name.substr(0, multi) + ".LayerNorm." + name.substr(multi + base.size());
}

}  // namespace graft
