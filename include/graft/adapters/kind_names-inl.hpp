#pragma once
// Bodies of graft/adapters/kind_names.hpp.

#include <algorithm>
#include <functional>

#include "graft/adapters/adapter_kinds.hpp"
#include "graft/adapters/kind_names.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/range.hpp"
#include "graft/core/text_list.hpp"

namespace graft {

GRAFT_INLINE std::vector<std::string> adapter_kind_names() {
  return []<template <class> class... Kind>(detail::kind_list<Kind...>) {
    return std::vector<std::string>{std::string(Kind<f32>::name)...};
  }(detail::adapter_kinds());
}

GRAFT_INLINE std::string parse_adapter_kind(const std::string& kind) {
  const std::vector<std::string> known = adapter_kind_names();
  if (std::ranges::find(known, kind) != known.end()) return kind;
  throw config_error("adapter_placement is \"" + kind + "\", one of " + listed(known) + " was expected");
}

GRAFT_INLINE void check_adapter(const adapter_options& o, const std::string& whose, index layers) {
  parse_adapter_kind(o.kind);
  check_range((whose + "size").c_str(), static_cast<double>(o.size), ranges::adapter_size);
  check_range((whose + "scaling").c_str(), o.scaling, ranges::adapter_scaling);
  check_range((whose + "dropout").c_str(), o.dropout, ranges::dropout);
  if (!o.leave_out.empty()) {
    const bool rising = std::adjacent_find(o.leave_out.begin(), o.leave_out.end(), std::greater_equal<>()) == o.leave_out.end();
    if (!rising || o.leave_out.front() < 0 || (layers > 0 && o.leave_out.back() >= layers)) {
      throw config_error(whose + "leave_out is " + detail::layers_text(o.leave_out) + ", numbers of layers in rising order were expected" +
                         (layers > 0 ? ", from 0 to " + std::to_string(layers - 1) : ""));
    }
    if (std::ssize(o.leave_out) == layers) throw config_error(whose + "leave_out names all layers: nothing is left");
  }
  detail::with_adapter_kind<f32>(o.kind, [&]<class Kind>() {
    if constexpr (requires { Kind::takes_settings; }) {
      if (!o.leave_out.empty()) throw config_error(whose + "leave_out is not for kind " + o.kind + ", whose settings have a size a layer");
      Kind::stands_at(o, {});
      if constexpr (requires { Kind::check_layers(o, layers); }) Kind::check_layers(o, layers);
    } else if (!o.settings.empty()) {
      throw config_error(whose + "settings is " + o.settings + ", which an adapter of kind " + o.kind + " does not read");
    }
  });
}

GRAFT_INLINE void check_fused(const std::vector<mixed_adapter>& fused) {
  if (fused.empty()) throw config_error("a fusion needs at least one adapter");
  const auto standing = [](const adapter_options& o) {  // at which of the sites, and in which layers not
    const general_adapter_options g = as_general(o);
    std::vector<index> all{g.mh_adapter ? 1 : 0, g.output_adapter ? 1 : 0};
    all.insert(all.end(), o.leave_out.begin(), o.leave_out.end());
    for (index l = 0; l < std::ssize(g.sizes); ++l) {
      if (g.sizes[static_cast<std::size_t>(l)] == 0) all.push_back(l);
    }
    return all;
  };
  for (const mixed_adapter& a : fused) {
    if (a.kind != tuning_kind::adapter) throw config_error("a fusion is of bottleneck adapters, " + a.name + " is " + member_text(a));
    if (standing(a.adapter) != standing(fused[0].adapter)) {
      throw config_error("a fusion is of adapters at the same sites, " + a.name + " (" + a.adapter.kind + ") and " + fused[0].name + " (" +
                         fused[0].adapter.kind + ") stand at others");
    }
  }
}

GRAFT_INLINE void check_fusion(const multi_adapter_options& o) {
  if (o.include_base || o.include_flex) throw config_error("a fusion is of adapters alone, without the base and without a flex adapter");
  check_fused(o.adapters);
}

}  // namespace graft
