#pragma once
// Bodies of graft/model/description.hpp.

#include <algorithm>
#include <iterator>
#include <span>

#include "graft/adapters/kind_names.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/range.hpp"
#include "graft/core/text_list.hpp"
#include "graft/encoder/config.hpp"
#include "graft/model/description.hpp"

namespace graft::detail {

/// What is made of the logits.
GRAFT_INLINE std::string output_name(const model_description& d) {
  if (d.output == task_kind::token_classification) return "token_classification";
  if (d.output == task_kind::regression) return d.sigmoid ? "sigmoid_regression" : "regression";
  return d.sigmoid ? "multi_label_classification" : "classification";
}

/// What O is, as fields of OBJECT whose names begin with PREFIX.
GRAFT_INLINE void add_adapter(ordered_json& object, const adapter_options& o, const std::string& prefix) {
  object[prefix + "size"] = o.size;
  object[prefix + "hidden_act"] = activation_name(o.act);
  object[prefix + "placement"] = o.kind;
  if (o.scaling != 1) object[prefix + "scaling"] = o.scaling;
  if (!o.settings.empty()) object[prefix + "settings"] = ordered_json::parse(o.settings);
  if (!o.leave_out.empty()) object[prefix + "leave_out"] = o.leave_out;
  if (o.dropout != 0) object[prefix + "dropout"] = o.dropout;
}

/// What O is, as fields of OBJECT.
GRAFT_INLINE void add_lora(ordered_json& object, const lora_options& o) {
  object["lora_r"] = o.r;
  object["lora_alpha"] = o.alpha;
  object["lora_target"] = o.targets;
  if (!o.ranks.empty()) object["lora_rank_pattern"] = o.ranks;
  if (!o.alphas.empty()) object["lora_alpha_pattern"] = o.alphas;
  if (o.dora) object["lora_dora"] = o.dora_outputs ? json("adapterhub") : json(true);
  if (o.bias) object["lora_bias"] = true;
  if (o.gates) object["lora_gates"] = true;
  if (o.dropout != 0) object["lora_dropout"] = o.dropout;
}
GRAFT_INLINE void add_prefix(ordered_json& object, const prefix_options& o) {
  object["prefix_length"] = o.length;
  object["prefix_bottleneck"] = o.bottleneck;
  object["prefix_hidden_act"] = activation_name(o.act);
  object["prefix_gates"] = o.gates;
  object["prefix_leave_out"] = o.leave_out;
}
GRAFT_INLINE void add_fusion(ordered_json& object, const fusion_options& f) {
  object["fusion"] = {{"query", f.query},
                      {"key", f.key},
                      {"value", f.value},
                      {"query_before_ln", f.query_before_ln},
                      {"residual_before", f.residual_before}};
}
GRAFT_INLINE void add_ia3(ordered_json& object, const ia3_options& o) {
  object["ia3_target"] = o.targets;
  object["ia3_feed_forward"] = o.feed_forward;
  if (o.gates) object["ia3_gates"] = true;
}

/// What ALL are, as the field "adapters" of OBJECT.
GRAFT_INLINE void add_members(ordered_json& object, const std::vector<mixed_adapter>& all) {
  object["adapters"] = ordered_json::array();
  for (const mixed_adapter& a : all) {
    ordered_json one{{"name", a.name}};
    if (a.kind != tuning_kind::adapter) one["kind"] = tuning_kind_name(a.kind);
    if (a.kind == tuning_kind::adapter) add_adapter(one, a.adapter, "");
    if (a.kind == tuning_kind::lora) add_lora(one, a.lora);
    if (a.kind == tuning_kind::ia3) add_ia3(one, a.ia3);
    if (a.kind == tuning_kind::prefix) add_prefix(one, a.prefix);
    if (a.kind == tuning_kind::fusion) {
      add_members(one, a.fused);
      add_fusion(one, a.fusion);
    }
    object["adapters"].push_back(one);
  }
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE index model_description::num_labels() const {
  return output == task_kind::regression ? std::max(index{1}, std::ssize(labels)) : std::ssize(labels);
}

GRAFT_INLINE model_description describe(tuning_kind kind, const task& t) {
  model_description d;
  d.kind = kind;
  d.task_name = t.name;
  d.output = t.kind == task_kind::multi_label ? task_kind::classification : t.kind;
  d.sigmoid = t.kind == task_kind::multi_label;
  d.labels = t.labels;
  d.head.tokens = d.one_separator = d.as_trained = t.kind == task_kind::token_classification;
  return d;
}

GRAFT_INLINE std::map<std::string, std::string> to_metadata(const model_description& d) {
  ordered_json o{{"version", 1},
                 {"kind", tuning_kind_name(d.kind)},
                 {"task", d.task_name},
                 {"output", detail::output_name(d)},
                 {"labels", d.labels},
                 {"max_seq_length", d.max_seq_length ? json(*d.max_seq_length) : json()},
                 {"trunk_fingerprint", d.trunk_fingerprint}};
  if (d.one_separator) o["one_separator"] = true;
  if (!d.labels_said) o["labels_said"] = false;
  if (d.head != head_options()) {
    o["head"] = {{"dense_layers", d.head.dense_layers}, {"activation", activation_name(d.head.act)}, {"pooler", d.head.pooler}};
  }
  if (d.kind == tuning_kind::adapter) {
    detail::add_adapter(o, d.adapter, "adapter_");
    o["adapter_layer_norm"] = d.layer_norms_trained ? "trained" : "frozen";
  }
  if (d.kind == tuning_kind::lora) detail::add_lora(o, d.lora);
  if (d.kind == tuning_kind::prefix) detail::add_prefix(o, d.prefix);
  if (d.kind == tuning_kind::ia3) detail::add_ia3(o, d.ia3);
  if (!d.modules_to_save.empty()) o["trained_beside"] = d.modules_to_save;
  if (d.kind == tuning_kind::multi_adapter) {
    detail::add_members(o, d.mix.adapters);
    o["include_base"] = d.mix.include_base;
    o["include_flex"] = d.mix.include_flex;
    o["flex_size"] = d.mix.flex_size;
    o["flex_hidden_act"] = activation_name(d.mix.flex_activation);
    o["weight_mode"] = mixing_mode_name(d.mix.mode);
    if (d.mix.mode == mixing_mode::fusion) detail::add_fusion(o, d.mix.fusion);
    o["num_weight_sets"] = d.num_weight_sets;
  }
  return {{"graft", o.dump()}, {"format", "pt"}};
}

GRAFT_INLINE bool has_description(const std::map<std::string, std::string>& metadata) { return metadata.contains("graft"); }

}  // namespace graft

namespace graft::detail {

/// What PARSE makes of the text FIELD of OBJECT.
/// @throws format_error  it is no text, or PARSE refuses it
template <class Parse>
auto parsed_field(const json& object, const std::string& field, const std::string& path, Parse&& parse, const char* fallback = nullptr) {
  const auto text = fallback == nullptr ? required<std::string>(object, field, path) : optional<std::string>(object, field, path, fallback);
  try {
    return parse(text);
  } catch (const config_error& failure) {
    throw format_error(path, "\"" + field + "\": " + failure.what());
  }
}

inline constexpr auto activation_of = [](const std::string& text) { return parse_activation(text, "the activation"); };

/// What a file may hold, and what a mix may: the last of these no fusion.
inline constexpr tuning_kind file_kinds[] = {tuning_kind::adapter, tuning_kind::multi_adapter, tuning_kind::lora, tuning_kind::ia3,
                                             tuning_kind::prefix,  tuning_kind::full,          tuning_kind::head};
inline constexpr tuning_kind member_kinds[] = {tuning_kind::adapter, tuning_kind::lora, tuning_kind::ia3, tuning_kind::prefix,
                                               tuning_kind::fusion};

/// The one of AMONG that is called TEXT.
/// @throws format_error  there is none: "NAME is "foo", one of ... was expected"
GRAFT_INLINE tuning_kind kind_of(const std::string& text, std::span<const tuning_kind> among, const std::string& name,
                                 const std::string& where) {
  std::string known;
  for (const tuning_kind kind : among) {
    if (text == tuning_kind_name(kind)) return kind;
    add_to_list(known, tuning_kind_name(kind));
  }
  throw format_error(where, name + " is \"" + text + "\", one of " + known + " was expected");
}

/// "yes" or "no" of FIELD as true or false.
GRAFT_INLINE bool choice_field(const json& object, const std::string& field, const std::string& path, const char* yes, const char* no,
                               const char* fallback = nullptr) {
  return parsed_field(
      object, field, path,
      [&](const std::string& text) {
        if (text != yes && text != no) throw config_error("is \"" + text + "\", " + yes + " or " + no + " was expected");
        return text == yes;
      },
      fallback);
}

/// What add_adapter wrote into OBJECT.
GRAFT_INLINE adapter_options adapter_of(const json& object, const std::string& prefix, const std::string& where) {
  adapter_options o;
  o.size = integer_field(object, prefix + "size", where, 1, 65'536);
  o.act = parsed_field(object, prefix + "hidden_act", where, activation_of);
  o.kind = parsed_field(object, prefix + "placement", where, parse_adapter_kind, "houlsby");
  o.scaling = optional<double>(object, prefix + "scaling", where, 1.0);
  if (object.contains(prefix + "settings")) o.settings = object[prefix + "settings"].dump();
  o.leave_out = optional<std::vector<index>>(object, prefix + "leave_out", where, {});
  o.dropout = optional<double>(object, prefix + "dropout", where, 0.0);
  try {
    check_adapter(o, prefix);
  } catch (const config_error& failure) {
    throw format_error(where, failure.what());
  }
  return o;
}

GRAFT_INLINE prefix_options prefix_of(const json& o, const std::string& where) {
  prefix_options p;
  p.length = integer_field(o, "prefix_length", where, 1, 65'536);
  p.bottleneck = integer_field(o, "prefix_bottleneck", where, 0, 65'536);
  p.act = parsed_field(o, "prefix_hidden_act", where, activation_of);
  p.gates = integer_field(o, "prefix_gates", where, 0, 2);
  p.leave_out = required<std::vector<index>>(o, "prefix_leave_out", where);
  return p;
}

GRAFT_INLINE ia3_options ia3_of(const json& o, const std::string& where) {
  return {required<std::vector<std::string>>(o, "ia3_target", where), required<std::vector<std::string>>(o, "ia3_feed_forward", where),
          optional<bool>(o, "ia3_gates", where, false)};
}

GRAFT_INLINE lora_options lora_of(const json& o, const std::string& where) {
  lora_options lora{integer_field(o, "lora_r", where, 1, 65'536), required<double>(o, "lora_alpha", where),
                    required<std::vector<std::string>>(o, "lora_target", where)};
  const auto each = [&](const std::string& field, auto&& f) {
    const json pattern = optional<json>(o, field, where, json::object());
    for (const auto& [layer, value] : pattern.items()) f(pattern, layer);
  };
  each("lora_rank_pattern",
       [&](const json& pattern, const std::string& layer) { lora.ranks[layer] = integer_field(pattern, layer, where, 1, 65'536); });
  each("lora_alpha_pattern",
       [&](const json& pattern, const std::string& layer) { lora.alphas[layer] = required<double>(pattern, layer, where); });
  lora.dora_outputs = optional<json>(o, "lora_dora", where, false) == "adapterhub";
  lora.dora = lora.dora_outputs || optional<bool>(o, "lora_dora", where, false);
  lora.gates = optional<bool>(o, "lora_gates", where, false);
  lora.bias = optional<bool>(o, "lora_bias", where, false);
  lora.dropout = fraction_field(o, "lora_dropout", where, 0);
  auto alphas = lora.alphas;
  alphas["lora_alpha"] = lora.alpha;
  for (const auto& [name, alpha] : alphas) {
    if (ranges::lora_alpha.contains(alpha)) continue;
    throw format_error(where, "\"" + name + "\" is " + number_text(alpha) + ", " + ranges::lora_alpha.text() + " was expected");
  }
  return lora;
}

GRAFT_INLINE fusion_options fusion_of(const json& o, const std::string& where) {
  const auto fusion = required<json>(o, "fusion", where);
  const auto flag = [&](const char* field) { return required<bool>(fusion, field, where); };
  return {flag("query"), flag("key"), flag("value"), flag("query_before_ln"), flag("residual_before")};
}

/// @throws format_error  a name in NAMES stands there twice
GRAFT_INLINE void check_names(std::vector<std::string> names, const std::string& where) {
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    throw format_error(where, "\"adapters\" names " + shown(json(*twice)) + " twice");
  }
}

/// What add_members wrote into O; OF_FUSION: what is fused.
GRAFT_INLINE std::vector<mixed_adapter> members_of(const json& o, const std::string& where, bool of_fusion) {
  const auto among = std::span(member_kinds).first(std::size(member_kinds) - (of_fusion ? 1 : 0));
  std::vector<mixed_adapter> all;
  std::vector<std::string> names;
  for (const json& a : required<std::vector<json>>(o, "adapters", where)) {
    mixed_adapter one{required<std::string>(a, "name", where)};
    names.push_back(one.name);
    one.kind = kind_of(optional<std::string>(a, "kind", where, tuning_kind_name(tuning_kind::adapter)), among,
                       "\"kind\" of " + shown(json(one.name)), where);
    if (one.kind == tuning_kind::adapter) {
      one.adapter = adapter_of(a, "", where);
    } else if (one.kind == tuning_kind::lora) {
      one.lora = lora_of(a, where);
    } else if (one.kind == tuning_kind::ia3) {
      one.ia3 = ia3_of(a, where);
    } else if (one.kind == tuning_kind::prefix) {
      one.prefix = prefix_of(a, where);
    } else {
      one.fused = members_of(a, where, true);
      one.fusion = fusion_of(a, where);
    }
    all.push_back(std::move(one));
  }
  check_names(names, where);
  if (!of_fusion) return all;
  try {
    check_fused(all);
  } catch (const config_error& failure) {
    throw format_error(where, failure.what());
  }
  return all;
}

GRAFT_INLINE multi_adapter_options mix_of(const json& o, const std::string& where) {
  multi_adapter_options mix;
  mix.mode = parsed_field(o, "weight_mode", where, parse_mixing_mode);
  const bool fusion = mix.mode == mixing_mode::fusion;
  mix.adapters = members_of(o, where, fusion);
  mix.include_base = required<bool>(o, "include_base", where);
  mix.include_flex = required<bool>(o, "include_flex", where);
  mix.flex_size = integer_field(o, "flex_size", where, 1, 65'536);
  mix.flex_activation = parsed_field(o, "flex_hidden_act", where, activation_of);
  if (fusion) {
    mix.fusion = fusion_of(o, where);
    try {
      check_fusion(mix);
    } catch (const config_error& failure) {
      throw format_error(where, failure.what());
    }
  }
  check_names(mix.mixed_names(), where);
  return mix;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE model_description parse_description(const std::map<std::string, std::string>& metadata, const std::string& path) {
  const auto text = metadata.find("graft");
  if (text == metadata.end()) {
    throw format_error(path, "does not say what it is (no \"graft\" in its metadata): a file that graft saved was expected");
  }
  const std::string where = path + " (metadata \"graft\")";
  const json o = parse_json(text->second, where);
  if (required<int>(o, "version", where) != 1) throw format_error(where, "\"version\" is " + shown(o["version"]) + ", 1 was expected");
  model_description d;
  d.kind = detail::kind_of(required<std::string>(o, "kind", where), detail::file_kinds, "\"kind\"", where);
  d.task_name = required<std::string>(o, "task", where);
  const auto output = required<std::string>(o, "output", where);
  const bool regression = output.ends_with("regression");
  d.output = regression                         ? task_kind::regression
             : output == "token_classification" ? task_kind::token_classification
                                                : task_kind::classification;
  d.sigmoid = output == "sigmoid_regression" || output == "multi_label_classification";
  if (detail::output_name(d) != output) {
    throw format_error(where, "\"output\" is \"" + output +
                                  "\", classification, multi_label_classification, token_classification, regression or "
                                  "sigmoid_regression was expected");
  }
  d.labels = required<std::vector<std::string>>(o, "labels", where);
  check_labels(d.labels, where);
  d.labels_said = optional<bool>(o, "labels_said", where, true);
  if (o.contains("head")) {
    const auto head = required<json>(o, "head", where);
    d.head = {detail::integer_field(head, "dense_layers", where, 0, 100),
              detail::parsed_field(head, "activation", where, detail::activation_of), required<bool>(head, "pooler", where)};
  }
  d.head.tokens = d.as_trained = d.output == task_kind::token_classification;
  if (regression && d.labels.size() == 1) throw format_error(where, "has a label, which a regression of one number does not have");
  if (o.contains("max_seq_length") && !o["max_seq_length"].is_null()) {
    d.max_seq_length = detail::integer_field(o, "max_seq_length", where, 1, 1'048'576);
  }
  d.trunk_fingerprint = required<std::string>(o, "trunk_fingerprint", where);
  d.one_separator = optional<bool>(o, "one_separator", where, false);
  if (d.kind == tuning_kind::adapter) {
    d.adapter = detail::adapter_of(o, "adapter_", where);
    d.layer_norms_trained = detail::choice_field(o, "adapter_layer_norm", where, "trained", "frozen", "trained");
  } else if (d.kind == tuning_kind::lora) {
    d.lora = detail::lora_of(o, where);
  } else if (d.kind == tuning_kind::prefix) {
    d.prefix = detail::prefix_of(o, where);
  } else if (d.kind == tuning_kind::ia3) {
    d.ia3 = detail::ia3_of(o, where);
  } else if (d.kind == tuning_kind::multi_adapter) {
    d.mix = detail::mix_of(o, where);
    d.num_weight_sets = detail::integer_field(o, "num_weight_sets", where, -1, 1'000);
  }
  d.modules_to_save = optional<std::vector<std::string>>(o, "trained_beside", where, {});
  const bool may_lack_head =
      d.kind == tuning_kind::adapter || d.kind == tuning_kind::lora || d.kind == tuning_kind::ia3 || d.kind == tuning_kind::prefix;
  if (d.num_labels() < 1 && !may_lack_head) throw format_error(where, "has no labels");
  return d;
}

GRAFT_INLINE void check_trunk(const model_description& d, const std::string& fingerprint, const std::string& path) {
  if (d.trunk_fingerprint.empty() || d.trunk_fingerprint == fingerprint) return;
  throw format_error(path,
                     "was trained on another trunk (fingerprint " + d.trunk_fingerprint + ") than the one given (" + fingerprint + ")",
                     remedy{"trunk"});
}

}  // namespace graft
