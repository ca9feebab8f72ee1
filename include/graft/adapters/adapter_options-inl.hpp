#pragma once
// Bodies of graft/adapters/adapter_options.hpp.

#include "graft/adapters/adapter_options.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/number_text.hpp"

namespace graft {

GRAFT_INLINE std::string adapter_text(const adapter_options& o) {
  return o.kind + ", of size " + std::to_string(o.size) + ", with " + activation_name(o.act) +
         (o.scaling == 1 ? "" : ", scaled by " + number_text(o.scaling));
}

GRAFT_INLINE std::vector<std::string> multi_adapter_options::mixed_names() const {
  std::vector<std::string> all;
  for (const mixed_adapter& a : adapters) all.push_back(a.name);
  if (include_base) all.emplace_back("base");
  return all;
}

}  // namespace graft
