#pragma once
// Bodies of graft/exchange/adapterhub_config.hpp.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "graft/core/compiled.hpp"
#include "graft/core/range.hpp"
#include "graft/exchange/adapterhub_config.hpp"
#include "graft/exchange/config_fields.hpp"

namespace graft::detail {

/// The activation that NAME, a `non_linearity`, stands for. In files without a version, the oldest, `gelu` is the tanh form, which graft
/// does not compute, and `gelu_orig` the erf form.
GRAFT_INLINE activation adapterhub_activation(const std::string& name, bool has_version, const std::string& path) {
  if (name == "relu") return activation::relu;
  if (name == "swish" || name == "silu") return activation::swish;
  if (name == (has_version ? "gelu" : "gelu_orig")) return activation::gelu;
  throw format_error(path, "\"non_linearity\" is \"" + name + "\"" +
                               (name == "gelu" ? " in a file without a version, where it is the tanh form" : "") +
                               ", which graft does not compute: relu, swish or " + (has_version ? "gelu" : "gelu_orig") + " was expected");
}

GRAFT_INLINE std::optional<index> reduced_size(index hidden_size, double factor) {
  const auto h = static_cast<double>(hidden_size);
  const double quotient = (h - std::fmod(h, factor)) / factor;
  const double whole = std::floor(quotient);
  const double size = std::max(1.0, quotient - whole > 0.5 ? whole + 1 : whole);
  if (!ranges::adapter_size.contains(size)) return std::nullopt;
  return static_cast<index>(size);
}

/// One size for all layers from a reduction factor: a number, or one a layer ({"0": 8, "default": 16}).
GRAFT_INLINE index adapterhub_size(const json& factor, const encoder_config& config, const std::string& path) {
  index size = 0;
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    const json* one = &factor;
    if (factor.is_object()) {
      const auto own = factor.find(std::to_string(n));
      const auto other = factor.find("default");
      one = own != factor.end() ? &*own : other != factor.end() ? &*other : nullptr;
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
    if (size != 0 && *here != size) {
      throw format_error(path, "\"reduction_factor\" is " + shown(factor) + ": adapters of several sizes, which graft does not compute");
    }
    size = *here;
  }
  return size;
}

GRAFT_INLINE void check_model(const json& about, const encoder_config& config, const std::string& path) {
  const std::string type = encoder_model_type(about, path);
  if (type != config.model_type) throw format_error(path, "is for a " + type + " model, the one given is " + config.model_type);
  if (const index size = required<index>(about, "hidden_size", path); size != config.hidden_size) {
    throw format_error(path, "\"hidden_size\" is " + std::to_string(size) + ", the model's is " + std::to_string(config.hidden_size));
  }
}

GRAFT_INLINE model_description describe_adapterhub(const json& about, const encoder_config& config, const std::string& path) {
  json given = required<json>(about, "config", path);
  if (given == "houlsby" || given == "double_seq_bn") {
    given = {{"mh_adapter", true}, {"output_adapter", true}, {"non_linearity", "swish"}, {"reduction_factor", 16}};
  } else if (given == "pfeiffer" || given == "seq_bn") {
    given = {
        {"mh_adapter", false}, {"output_adapter", true}, {"non_linearity", "relu"}, {"reduction_factor", 16}, {"original_ln_before", true}};
  }
  if (!given.is_object()) {
    throw format_error(path, "\"config\" is " + shown(given) + ", double_seq_bn, seq_bn (or houlsby, pfeiffer) or an object was expected");
  }
  const bool double_bn = required<bool>(given, "mh_adapter", path);
  json fields{{"original_ln_before", false}};
  fields.update(given);
  // Fields about how an adapter was first filled, what counts in training only, and parts that it does not have.
  std::set<std::string> handled{"mh_adapter",
                                "non_linearity",
                                "reduction_factor",
                                "init_weights",
                                "init_weights_seed",
                                "dropout",
                                "stochastic_depth",
                                "adapter_residual_before_ln",
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
  if (about.value("type", json()) == "text_task") handled.insert({"invertible_adapter", "inv_adapter"});
  check_fields(fields,
               {{"output_adapter", true},
                {"original_ln_before", !double_bn},
                {"original_ln_after", true},
                {"residual_before_ln", true},
                {"scaling", 1.0}},
               handled, path);
  if (!required<bool>(fields, "output_adapter", path)) throw format_error(path, "\"output_adapter\" is false");
  model_description d;
  d.kind = "adapter";
  d.task_name = required<std::string>(about, "name", path);
  d.adapter.size = adapterhub_size(required<json>(given, "reduction_factor", path), config, path);
  d.adapter.act = adapterhub_activation(required<std::string>(given, "non_linearity", path), about.contains("version"), path);
  d.adapter.kind = double_bn ? "houlsby" : "pfeiffer";
  d.layer_norms_trained = false;
  return d;
}

GRAFT_INLINE adapterhub_head describe_head(const json& about, const encoder_config& config, const std::string& path) {
  const bool bert = config.model_type == "bert";
  const json given = required<json>(about, "config", path);
  adapterhub_head h;
  h.name = optional<std::string>(about, "name", path, "");
  h.own_names = given.is_null();
  if (h.own_names) {
    const auto model_class = required<std::string>(about, "model_class", path);
    if (!model_class.ends_with("ForSequenceClassification")) {
      throw format_error(path, "\"model_class\" is " + model_class + ", a head for sequence classification was expected");
    }
    if (about.value("problem_type", json()) == "multi_label_classification") {
      throw format_error(path, "\"problem_type\" is \"multi_label_classification\", a head that gives each text one label was expected");
    }
    h.layers = bert ? 1 : 2;
  } else {
    h.layers = required<int>(given, "layers", path);
    std::map<std::string, json> needed{
        {"head_type", "classification"}, {"activation_function", "tanh"}, {"bias", true}, {"use_pooler", false}, {"layers", 2}};
    std::set<std::string> handled{"num_labels", "label2id", "id2label", "dropout_prob"};
    if (bert && h.layers == 1) {
      needed["use_pooler"] = true;
      handled.insert({"layers", "activation_function"});
    }
    check_fields(given, needed, handled, path);
  }
  h.labels = h.own_names ? about : given;
  h.classes = required<index>(h.labels, "num_labels", path);
  return h;
}

}  // namespace graft::detail
