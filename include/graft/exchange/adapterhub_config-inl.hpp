#pragma once
// Bodies of graft/exchange/adapterhub_config.hpp.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "graft/adapters/general_options.hpp"
#include "graft/adapters/kind_names.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/range.hpp"
#include "graft/core/utf8.hpp"
#include "graft/data/fields.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/exchange/adapterhub_config.hpp"
#include "graft/exchange/config_fields.hpp"
#include "graft/heads/head_options.hpp"

namespace graft::detail {

/// The activation that NAME, a `non_linearity`, stands for. In files without a version, the oldest, `gelu` is the tanh form, and
/// `gelu_orig` the erf form.
GRAFT_INLINE activation adapterhub_activation(std::string name, bool has_version, const std::string& path) {
  name = lower_ascii(name);
  if (!has_version && name == "gelu") return activation::gelu_new;
  if (!has_version && name == "gelu_orig") return activation::gelu;
  try {
    return parse_activation(name);
  } catch (const config_error&) {
    throw format_error(path, "\"non_linearity\" is \"" + name +
                                 "\", which graft does not compute: relu, gelu, swish or another fixed function of "
                                 "transformers' was expected");
  }
}

GRAFT_INLINE std::optional<index> reduced_size(index hidden_size, double factor) {
  const auto h = static_cast<double>(hidden_size);
  const double quotient = (h - std::fmod(h, factor)) / factor;
  const double whole = std::floor(quotient);
  const double size = std::max(1.0, quotient - whole > 0.5 ? whole + 1 : whole);
  if (!ranges::adapter_size.contains(size)) return std::nullopt;
  return static_cast<index>(size);
}

/// The sizes of the layers' adapters from a reduction factor, a number, or one a layer ({"0": 8, "default": 16}); 0 for layers of
/// LEAVE_OUT.
GRAFT_INLINE std::vector<index> adapterhub_sizes(const json& factor, const json& leave_out, const encoder_config& config,
                                                 const std::string& path) {
  std::vector<index> sizes;
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    if (std::find(leave_out.begin(), leave_out.end(), json(n)) != leave_out.end()) {
      sizes.push_back(0);
      continue;
    }
    const json* one = &factor;
    if (factor.is_object()) {
      const auto of_layer = factor.find(std::to_string(n));
      const auto other = factor.find("default");
      one = of_layer != factor.end() ? &*of_layer : other != factor.end() ? &*other : nullptr;
    }
    if (one == nullptr || !one->is_number() || one->get<double>() <= 0 || one->get<double>() > 1e9) {
      throw format_error(
          path, "\"reduction_factor\" is " + shown(factor) + ", a positive number for layer " + std::to_string(n) + " was expected");
    }
    const std::optional<index> here = reduced_size(config.hidden_size, one->get<double>());
    if (!here) {
      throw format_error(path, "\"reduction_factor\" is " + shown(*one) + ": hidden_size / reduction_factor is the adapter's size, " +
                                   ranges::adapter_size.text() + " was expected");
    }
    sizes.push_back(*here);
  }
  return sizes;
}

GRAFT_INLINE void check_model(const json& about, const encoder_config& config, const std::string& path) {
  const std::string type = encoder_model_type(about, path);
  if (type != config.model_type) throw format_error(path, "is for a " + type + " model, the one given is " + config.model_type);
  if (const index size = required<index>(about, "hidden_size", path); size != config.hidden_size) {
    throw format_error(path, "\"hidden_size\" is " + std::to_string(size) + ", the model's is " + std::to_string(config.hidden_size));
  }
}

/// What GIVEN, the fields of a BnConfig, are in the older libraries' configurations by name.
GRAFT_INLINE json named_configuration(const json& given, const std::string& path) {
  const std::map<std::string, json> known = {
      {"double_seq_bn", {{"mh_adapter", true}, {"output_adapter", true}, {"non_linearity", "swish"}, {"reduction_factor", 16}}},
      {"seq_bn",
       {{"mh_adapter", false},
        {"output_adapter", true},
        {"non_linearity", "relu"},
        {"reduction_factor", 16},
        {"original_ln_before", true}}},
      {"par_bn",
       {{"mh_adapter", false},
        {"output_adapter", true},
        {"non_linearity", "relu"},
        {"reduction_factor", 2},
        {"is_parallel", true},
        {"scaling", 4.0}}}};
  if (given.is_object()) return given;
  const std::string name = !given.is_string()    ? ""
                           : given == "houlsby"  ? "double_seq_bn"
                           : given == "pfeiffer" ? "seq_bn"
                                                 : given.get<std::string>();
  if (const auto found = known.find(name); found != known.end()) return found->second;
  throw format_error(path,
                     "\"config\" is " + shown(given) + ", double_seq_bn, seq_bn (or houlsby, pfeiffer), par_bn or an object was expected");
}

GRAFT_INLINE adapter_options describe_bottleneck(const json& given, const encoder_config& config, bool has_version,
                                                 const std::string& path) {
  general_adapter_options g;
  json settings = json::object();
  json fields = given;
  // Fields of BnConfig that choose what is computed, under the same names among a general adapter's settings.
  for (const char* name : {"mh_adapter", "output_adapter", "is_parallel", "original_ln_before", "original_ln_after", "ln_before",
                           "ln_after", "adapter_residual_before_ln", "use_gating", "residual_before_ln"}) {
    if (const auto at = fields.find(name); at != fields.end()) {
      settings[name] = *at;
      fields.erase(at);
    }
  }
  adapter_options o;
  o.dropout = fraction_field(given, "dropout", path, 0);
  if (const json invertible = given.value("inv_adapter", json()); !is_off(invertible)) {
    if (invertible != "nice")
      throw format_error(path, "\"inv_adapter\" is " + shown(invertible) + ", which graft does not compute: \"nice\" was expected");
    settings["inv_adapter"] = invertible;
    settings["inv_adapter_reduction_factor"] = required<json>(given, "inv_adapter_reduction_factor", path);
  }
  const json scaling = given.value("scaling", json(1.0));
  if (scaling.is_string()) settings["scaling"] = scaling;
  if (scaling.is_number()) o.scaling = scaling.get<double>();
  if (!scaling.is_number() && !scaling.is_string()) {
    throw format_error(path, "\"scaling\" is " + shown(scaling) + ", a number, \"learned\" or \"channel\" was expected");
  }
  if (settings.value("is_parallel", json()) == true) {
    settings.erase("original_ln_before");  // says nothing there
    settings.erase("residual_before_ln");
    settings.erase("adapter_residual_before_ln");
  }
  if (settings.value("original_ln_before", json(false)) == false && settings.value("residual_before_ln", json()) == false) {
    settings.erase("residual_before_ln");  // h either way
  }
  if (settings.value("ln_after", json(false)) == false) settings.erase("adapter_residual_before_ln");
  for (const char* name : {"mh_adapter", "output_adapter"}) required<bool>(settings, name, path);
  try {
    g = parse_general_settings(settings.dump());
  } catch (const config_error& failure) {
    throw format_error(path, std::string(failure.what()).substr(std::string("adapter_settings: ").size()));
  }
  if (!g.mh_adapter && !g.output_adapter) throw format_error(path, "\"mh_adapter\" and \"output_adapter\" are false: there is no adapter");
  const std::vector<index> sizes = adapterhub_sizes(required<json>(given, "reduction_factor", path),
                                                    json(optional<std::vector<index>>(given, "leave_out", path, {})), config, path);
  o.size = *std::max_element(sizes.begin(), sizes.end());
  if (o.size == 0) throw format_error(path, "\"leave_out\" is " + shown(given["leave_out"]) + ": there is no adapter in any layer");
  const bool one_size = std::all_of(sizes.begin(), sizes.end(), [&](index size) { return size == 0 || size == o.size; });
  std::vector<index> left_out;
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    if (sizes[static_cast<std::size_t>(n)] == 0) left_out.push_back(n);
  }
  o.act = adapterhub_activation(required<std::string>(given, "non_linearity", path), has_version, path);
  o.kind = general_kind;
  o.settings = general_settings(g);
  for (const special_kind& kind : special_kinds()) {
    if (!one_size || general_settings(kind.options) != o.settings) continue;
    o.kind = kind.name;
    o.settings = "";
    o.leave_out = left_out;
    break;
  }
  if (is_general(o) && (!one_size || !left_out.empty())) {
    g.sizes = sizes;
    o.settings = general_settings(g);
  }
  try {
    check_adapter(o, "");
  } catch (const config_error& failure) {
    throw format_error(path, failure.what());
  }
  return o;
}

GRAFT_INLINE model_description describe_adapterhub(const json& about, const encoder_config& config, const std::string& path) {
  json given = named_configuration(required<json>(about, "config", path), path);
  if (const json architecture = given.value("architecture", json()); architecture.is_string()) {
    static const std::map<std::string, std::string> names = {{"reft", "ReFT"},
                                                             {"prompt_tuning", "prompt tuning"},
                                                             {"mtl_lora", "MTL-LoRA"},
                                                             {"union", "a union of several adapters (such as MAM or UniPELT)"}};
    const auto known = names.find(architecture.get<std::string>());
    throw format_error(path, "\"architecture\" is " + shown(architecture) + ": " +
                                 (known != names.end() ? known->second : architecture.get<std::string>()) + " is not computed by graft");
  }
  if (given.value("phm_layer", json(false)) == true) {
    throw format_error(path, "is a Compacter (\"phm_layer\" is true), which graft does not compute");
  }
  // Fields about how an adapter was first filled, what counts in training only, parts that it does not have, and what is read elsewhere.
  std::set<std::string> handled{"mh_adapter",
                                "output_adapter",
                                "is_parallel",
                                "original_ln_before",
                                "original_ln_after",
                                "ln_before",
                                "ln_after",
                                "residual_before_ln",
                                "adapter_residual_before_ln",
                                "use_gating",
                                "scaling",
                                "leave_out",
                                "cross_adapter",
                                "non_linearity",
                                "reduction_factor",
                                "init_weights",
                                "init_weights_seed",
                                "dropout",
                                "stochastic_depth",
                                "inv_adapter",
                                "inv_adapter_reduction_factor",
                                "phm_dim",
                                "phm_c_init",
                                "phm_init_range",
                                "phm_rank",
                                "phm_bias",
                                "factorized_phm_W",
                                "factorized_phm_rule",
                                "shared_W_phm",
                                "shared_phm_rule",
                                "learn_phm",
                                "hypercomplex_nonlinearity"};
  // The first version named an invertible adapter in those for tasks, too, but never made it.
  const bool never_made = about.value("type", json()) == "text_task";
  if (const json old = given.value("invertible_adapter", json()); !never_made && !is_off(old)) {
    const std::string where = path + " (\"invertible_adapter\")";
    given["inv_adapter"] = required<json>(old, "block_type", where);
    given["inv_adapter_reduction_factor"] = required<json>(old, "reduction_factor", where);
  }
  given.erase("invertible_adapter");
  if (never_made) given.erase("inv_adapter");
  check_fields(given, {}, handled, path);
  model_description d;
  d.kind = tuning_kind::adapter;
  d.task_name = required<std::string>(about, "name", path);
  d.adapter = describe_bottleneck(given, config, about.contains("version"), path);
  d.layer_norms_trained = false;
  return d;
}

/// The fields of a BnConfig that are read back to O.
GRAFT_INLINE ordered_json bottleneck_configuration(const adapter_options& o, const encoder_config& config) {
  using residual = general_adapter_options::residual;
  const general_adapter_options g = as_general(o);
  // A factor between those of this size and the next gives this size, whichever way it is rounded.
  const auto factor = [&](index size) {
    const bool whole = config.hidden_size % size == 0;
    return whole ? json(config.hidden_size / size) : json(static_cast<double>(config.hidden_size) / (static_cast<double>(size) + 0.5));
  };
  ordered_json factors = factor(o.size), leave_out = ordered_json::array();
  if (!g.sizes.empty()) {
    factors = ordered_json::object();
    for (std::size_t n = 0; n < g.sizes.size(); ++n) {
      if (g.sizes[n] == 0) leave_out.push_back(n);
      factors[std::to_string(n)] = factor(g.sizes[n] == 0 ? o.size : g.sizes[n]);
    }
  }
  for (const index layer : o.leave_out) leave_out.push_back(layer);
  const json scaling = g.scaled == general_adapter_options::scaling::number    ? json(o.scaling)
                       : g.scaled == general_adapter_options::scaling::learned ? json("learned")
                                                                               : json("channel");
  return {{"mh_adapter", g.mh_adapter},
          {"output_adapter", g.output_adapter},
          {"reduction_factor", factors},
          {"non_linearity", activation_name(o.act)},
          {"original_ln_before", g.original_ln_before},
          {"original_ln_after", g.original_ln_after},
          {"ln_before", g.ln_before},
          {"ln_after", g.ln_after},
          {"init_weights", "bert"},
          {"is_parallel", g.is_parallel},
          {"scaling", scaling},
          {"use_gating", g.use_gating},
          {"residual_before_ln", g.from == residual::post_add ? json("post_add") : json(g.from == residual::before_ln)},
          {"adapter_residual_before_ln", g.adapter_residual_before_ln},
          {"inv_adapter", g.invertible ? json("nice") : json()},
          {"inv_adapter_reduction_factor", g.invertible ? json(g.invertible_reduction) : json()},
          {"cross_adapter", false},
          {"leave_out", leave_out},
          {"dropout", o.dropout},
          {"phm_layer", false},
          {"stochastic_depth", 0.0}};
}

/// What NAME, an `activation_function`, stands for.
GRAFT_INLINE activation head_activation(const std::string& name, const std::string& path) {
  try {
    return parse_activation(name);
  } catch (const config_error&) {
    throw format_error(path, "\"activation_function\" is \"" + name +
                                 "\", which graft does not compute: tanh, relu, gelu or another fixed function "
                                 "of transformers' was expected");
  }
}

GRAFT_INLINE adapterhub_head describe_head(const json& about, const encoder_config& config, const std::string& path) {
  const bool bert = config.model_type == "bert";
  const json given = required<json>(about, "config", path);
  adapterhub_head h;
  h.name = optional<std::string>(about, "name", path, "");
  h.hf_names = given.is_null();
  if (h.hf_names) {
    const auto model_class = required<std::string>(about, "model_class", path);
    const bool tokens = model_class.ends_with("ForTokenClassification");
    if (!tokens && !model_class.ends_with("ForSequenceClassification")) {
      throw format_error(path, "\"model_class\" is " + model_class + ", a head for sequence or token classification was expected");
    }
    h.sigmoid = !tokens && about.value("problem_type", json()) == "multi_label_classification";
    h.trunk_pooler = bert && !tokens;
    h.made = tokens ? token_head(config) : usual_head(config);
  } else {
    const auto type = required<std::string>(given, "head_type", path);
    if (family_of(config.model_type).pre_norm) {
      throw format_error(path, "is a head of AdapterHub's own form, which is not computed around a " + config.model_type +
                                   ": that of ...ForSequenceClassification was expected");
    }
    if (type != "classification" && type != "multilabel_classification" && type != "tagging") {
      throw format_error(path, "\"head_type\" is \"" + type + "\", a head that classifies whole texts, or tags words, was expected");
    }
    h.sigmoid = type == "multilabel_classification";
    h.bias = optional<bool>(given, "bias", path, true);
    h.trunk_pooler = optional<bool>(given, "use_pooler", path, false);
    if (h.trunk_pooler && !bert) {
      throw format_error(path,
                         "\"use_pooler\" is true, and a " + config.model_type + " has no pooler here: a head without it was expected");
    }
    const index head_layers = integer_field(given, "layers", path, 1, 100) - 1;
    h.made.dense_layers = head_layers + (h.trunk_pooler ? 1 : 0);
    const auto act = optional<std::string>(given, "activation_function", path, "");
    h.activated = !act.empty();
    h.made.tokens = type == "tagging";
    if (head_layers > 0) h.made.act = h.activated ? head_activation(act, path) : activation::linear;
    h.made.pooler = h.trunk_pooler && h.made.act != activation::tanh;
    check_fields(given, {},
                 {"head_type", "num_labels", "layers", "activation_function", "label2id", "id2label", "use_pooler", "bias", "dropout_prob"},
                 path);
  }
  h.labels = h.hf_names ? about : given;
  h.classes = required<index>(h.labels, "num_labels", path);
  return h;
}

}  // namespace graft::detail
