#pragma once
// Bodies of graft/adapters/adapter_options.hpp.

#include <algorithm>

#include "graft/adapters/adapter_options.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/text_list.hpp"

namespace graft {

GRAFT_INLINE std::string detail::layers_text(const std::vector<index>& layers) {
  return listed(layers, [](index layer) { return std::to_string(layer); });
}

GRAFT_INLINE std::string adapter_text(const adapter_options& o) {
  return o.kind + ", of size " + std::to_string(o.size) + ", with " + activation_name(o.act) +
         (o.scaling == 1 ? "" : ", scaled by " + number_text(o.scaling)) +
         (o.leave_out.empty() ? "" : ", in all layers but " + detail::layers_text(o.leave_out));
}

GRAFT_INLINE std::string member_text(const mixed_adapter& a) {
  if (a.kind == tuning_kind::adapter) return adapter_text(a.adapter);
  if (a.kind == tuning_kind::ia3) return "IA3";
  if (a.kind == tuning_kind::prefix) return "a prefix, of length " + std::to_string(a.prefix.length);
  if (a.kind == tuning_kind::fusion) return "a fusion of " + listed(a.fused, &mixed_adapter::name);
  return std::string(a.lora.dora ? "DoRA" : "a low-rank update") + ", of rank " + std::to_string(a.lora.r) +
         (a.lora.ranks.empty() ? "" : " and others") + ", with alpha " + number_text(a.lora.alpha) +
         (a.lora.alphas.empty() ? "" : " and others");
}

GRAFT_INLINE bool same_member(const mixed_adapter& a, const mixed_adapter& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == tuning_kind::lora) return a.lora == b.lora;
  if (a.kind == tuning_kind::ia3) return a.ia3 == b.ia3;
  if (a.kind == tuning_kind::fusion) {
    const auto same = [](const mixed_adapter& one, const mixed_adapter& other) {
      return one.name == other.name && same_member(one, other);
    };
    return a.fusion == b.fusion && std::equal(a.fused.begin(), a.fused.end(), b.fused.begin(), b.fused.end(), same);
  }
  return a.kind == tuning_kind::prefix ? a.prefix == b.prefix : a.adapter == b.adapter;
}

GRAFT_INLINE std::vector<std::string> multi_adapter_options::mixed_names() const {
  std::vector<std::string> all;
  for (const mixed_adapter& a : adapters) all.push_back(a.name);
  if (include_base) all.emplace_back("base");
  return all;
}

}  // namespace graft
