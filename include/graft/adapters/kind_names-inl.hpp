#pragma once
// Bodies of graft/adapters/kind_names.hpp.

#include "graft/adapters/adapter_kinds.hpp"
#include "graft/adapters/kind_names.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/range.hpp"

namespace graft {

GRAFT_INLINE std::vector<std::string> adapter_kind_names() {
  return []<template <class> class... Kind>(detail::kind_list<Kind...>) {
    return std::vector<std::string>{std::string(Kind<f32>::name)...};
  }(detail::adapter_kinds());
}

GRAFT_INLINE std::string parse_adapter_kind(const std::string& kind) {
  std::string known;
  for (const std::string& name : adapter_kind_names()) {
    if (name == kind) return kind;
    known += (known.empty() ? "" : ", ") + name;
  }
  throw config_error("adapter_placement is \"" + kind + "\", one of " + known + " was expected");
}

GRAFT_INLINE void check_adapter(const adapter_options& o, const std::string& whose, index layers) {
  parse_adapter_kind(o.kind);
  check_range((whose + "size").c_str(), static_cast<double>(o.size), ranges::adapter_size);
  check_range((whose + "scaling").c_str(), o.scaling, ranges::adapter_scaling);
  detail::with_adapter_kind<f32>(o.kind, [&]<class Kind>() {
    if constexpr (requires { Kind::takes_settings; }) {
      Kind::stands_at(o, {});
      if constexpr (requires { Kind::check_layers(o, layers); }) Kind::check_layers(o, layers);
    } else if (!o.settings.empty()) {
      throw config_error(whose + "settings is " + o.settings + ", which an adapter of kind " + o.kind + " does not read");
    }
  });
}

}  // namespace graft
