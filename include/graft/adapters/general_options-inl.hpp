#pragma once
// Bodies of graft/adapters/general_options.hpp.

#include <algorithm>

#include "graft/adapters/general_options.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/range.hpp"

namespace graft {

namespace detail {

struct general_flag {
  const char* name;
  bool general_adapter_options::*field;
};
inline constexpr general_flag general_flags[] = {{"mh_adapter", &general_adapter_options::mh_adapter},
                                                 {"output_adapter", &general_adapter_options::output_adapter},
                                                 {"is_parallel", &general_adapter_options::is_parallel},
                                                 {"original_ln_before", &general_adapter_options::original_ln_before},
                                                 {"original_ln_after", &general_adapter_options::original_ln_after},
                                                 {"ln_before", &general_adapter_options::ln_before},
                                                 {"ln_after", &general_adapter_options::ln_after},
                                                 {"adapter_residual_before_ln", &general_adapter_options::adapter_residual_before_ln},
                                                 {"use_gating", &general_adapter_options::use_gating}};

[[noreturn]] GRAFT_INLINE void refuse_setting(const std::string& field, const json& found, const std::string& expected) {
  throw config_error("adapter_settings: \"" + field + "\" is " + shown(found) + ", " + expected + " was expected");
}

}  // namespace detail

GRAFT_INLINE std::vector<special_kind> special_kinds() {
  general_adapter_options pfeiffer, parallel;
  pfeiffer.mh_adapter = parallel.mh_adapter = false;
  pfeiffer.original_ln_before = true;
  parallel.is_parallel = true;
  return {{"houlsby", {}}, {"pfeiffer", pfeiffer}, {"parallel", parallel}};
}

GRAFT_INLINE general_adapter_options as_general(const adapter_options& o) {
  for (const special_kind& kind : special_kinds()) {
    if (o.kind == kind.name) return kind.options;
  }
  return parse_general_settings(o.settings);
}

GRAFT_INLINE index general_adapter_options::size_at(const adapter_options& o, site_location where) const {
  if (!(where.behind == sub_layer::attention ? mh_adapter : output_adapter)) return 0;
  if (std::find(o.leave_out.begin(), o.leave_out.end(), where.layer) != o.leave_out.end()) return 0;
  if (sizes.empty()) return o.size;
  return where.layer < static_cast<index>(sizes.size()) ? sizes[static_cast<std::size_t>(where.layer)] : 0;
}

GRAFT_INLINE general_adapter_options parse_general_settings(const std::string& settings) {
  using residual = general_adapter_options::residual;
  using scaling = general_adapter_options::scaling;
  general_adapter_options o;
  if (settings.empty()) return o;
  const json given = parse_json(settings, "adapter_settings");
  if (!given.is_object()) throw config_error("adapter_settings is no JSON object: one such as {\"ln_before\": true} was expected");
  for (const auto& [name, value] : given.items()) {
    bool known = false;
    for (const detail::general_flag& flag : detail::general_flags) {
      if (name != flag.name) continue;
      if (!value.is_boolean()) detail::refuse_setting(name, value, "true or false");
      o.*flag.field = value.get<bool>();
      known = true;
    }
    if (known) continue;
    if (name == "residual_before_ln") {
      if (value != "post_add" && !value.is_boolean()) detail::refuse_setting(name, value, "true, false or \"post_add\"");
      o.from = value == "post_add" ? residual::post_add : value.get<bool>() ? residual::before_ln : residual::input;
    } else if (name == "scaling") {
      if (value != "learned" && value != "channel") detail::refuse_setting(name, value, "\"learned\" or \"channel\"");
      o.scaled = value == "learned" ? scaling::learned : scaling::channel;
    } else if (name == "inv_adapter") {
      if (value != "nice") detail::refuse_setting(name, value, "\"nice\"");
      o.invertible = true;
    } else if (name == "inv_adapter_reduction_factor") {
      if (!value.is_number() || !(value.get<double>() > 0)) detail::refuse_setting(name, value, "a number above 0");
      o.invertible_reduction = value.get<double>();
    } else if (name == "sizes") {
      if (!value.is_array()) detail::refuse_setting(name, value, "a list of sizes, one a layer");
      for (const json& size : value) {
        const bool whole = size.is_number_integer() && (size == 0 || ranges::adapter_size.contains(size.get<double>()));
        if (!whole) detail::refuse_setting(name, size, "0 or " + ranges::adapter_size.text());
        o.sizes.push_back(size.get<index>());
      }
    } else {
      throw config_error("adapter_settings: \"" + name + "\" is no setting of a general adapter" +
                         (name == "dropout" ? ": adapter_dropout says it for every kind" : ""));
    }
  }
  const bool somewhere = o.sizes.empty() || std::any_of(o.sizes.begin(), o.sizes.end(), [](index size) { return size > 0; });
  if (!somewhere || !(o.mh_adapter || o.output_adapter)) {
    throw config_error("adapter_settings: \"mh_adapter\" and \"output_adapter\" are false, or all \"sizes\" 0: there is no adapter");
  }
  if (o.from == residual::post_add && !o.original_ln_before) {
    throw config_error("adapter_settings: \"residual_before_ln\" is \"post_add\", which only \"original_ln_before\" gives a meaning");
  }
  return o;
}

GRAFT_INLINE std::string general_settings(const general_adapter_options& o) {
  using residual = general_adapter_options::residual;
  using scaling = general_adapter_options::scaling;
  const general_adapter_options usual;
  json result = json::object();
  for (const detail::general_flag& flag : detail::general_flags) {
    if (o.*flag.field != usual.*flag.field) result[flag.name] = o.*flag.field;
  }
  if (o.from != residual::before_ln) result["residual_before_ln"] = o.from == residual::post_add ? json("post_add") : json(false);
  if (o.scaled != scaling::number) result["scaling"] = o.scaled == scaling::learned ? "learned" : "channel";
  if (o.invertible) result["inv_adapter"] = "nice";
  if (o.invertible && o.invertible_reduction != usual.invertible_reduction) result["inv_adapter_reduction_factor"] = o.invertible_reduction;
  if (!o.sizes.empty()) result["sizes"] = o.sizes;
  return result.empty() ? "" : result.dump();
}

}  // namespace graft
