#pragma once
// Bodies of graft/exchange/start.hpp.

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/range.hpp"
#include "graft/core/text_list.hpp"
#include "graft/exchange/checkpoint.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/exchange/start.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/weights.hpp"

namespace graft {

GRAFT_INLINE adapter_file open_start(const std::string& path, const encoder_config& config) {
  tensor_source stored(path);
  if (auto found = detail::open_known(path, config, stored)) return *found;
  const std::string& file = stored.path();
  adapter_file start{{}, tensor_source(file)};
  const name_prefix prefix(stored.tensors(), config.model_type, file);
  start.tensors.add_all(stored, [&](const std::string& name) { return prefix.canonical(name); });
  model_description& d = start.description;
  d.labels_said = false;
  d.head = usual_head(config);
  if (const index rows = head_rows(start.tensors, config); rows != 0) number_labels(d, rows, file);
  for (const auto& [name, info] : start.tensors.tensors()) {
    if (name.ends_with(".adapter.down_project.weight") && !info.shape.empty()) d.adapter.size = info.shape[0];
    if (name.ends_with(tensor_names::lora_a) && !info.shape.empty()) d.lora.r = info.shape[0];
  }
  return start;
}

}  // namespace graft

namespace graft::detail {

GRAFT_INLINE std::string kind_text(const model_description& d) {
  if (d.kind == tuning_kind::adapter) return "an adapter";
  if (d.kind == tuning_kind::lora) return "a low-rank update";
  if (d.kind == tuning_kind::prefix) return "a prefix";
  if (d.kind == tuning_kind::ia3) return "scales of projections (IA3)";
  if (d.kind == tuning_kind::multi_adapter) return "a mix of adapters";
  if (d.kind == tuning_kind::full) return "a whole tuned model";
  return "a head";
}

GRAFT_INLINE std::string labels_text(const model_description& d) {
  if (d.output == task_kind::regression) return "a regression";
  return "the labels " + listed(d.labels);
}

GRAFT_INLINE void start_check::refuse(const std::string& message, const remedy& help) const {
  throw config_error(path_ + ": " + message, help);
}

GRAFT_INLINE std::string shown_number(double value) { return json(value).dump(); }

GRAFT_INLINE void check_mix(const start_check& check, const model_description& from, const model_description& to,
                            const encoder_config& config) {
  const auto count = [](index size) { return std::to_string(size); };
  const auto names = [](const multi_adapter_options& mix) {
    std::vector<std::string> all = mix.mixed_names();
    std::sort(all.begin(), all.end());
    return all;
  };
  if (names(from.mix) != names(to.mix)) {
    check.refuse("is a mix of " + listed(from.mix.mixed_names()) + ", this run mixes " + listed(to.mix.mixed_names()) +
                     ": a mix starts from one of the same adapters",
                 {"adapters"});
  }
  for (const mixed_adapter& a : from.mix.adapters) {
    const auto same_name = [&](const mixed_adapter& other) { return other.name == a.name; };
    const mixed_adapter& wanted = *std::find_if(to.mix.adapters.begin(), to.mix.adapters.end(), same_name);
    if (!same_member(a, wanted)) {
      check.refuse(
          "its adapter " + a.name + " is " + member_text(a) + ", this run's is " + member_text(wanted) + ": the mix was made of another",
          {"adapters"});
    }
  }
  if (from.mix.include_flex && !to.mix.include_flex) {
    check.refuse("has a flex adapter on top, this run has none", {"include_flex", "1"});
  }
  if (from.mix.include_flex) {
    check.same("its flex adapter's size is", from.mix.flex_size, to.mix.flex_size, "flex_size", count);
    check.same("its flex adapter's activation is", from.mix.flex_activation, to.mix.flex_activation, "flex_hidden_act", activation_name);
  }
  if (from.mix.mode == mixing_mode::fusion && from.mix.fusion != to.mix.fusion) {
    check.refuse("is a fusion with other matrices than this run's", {"fusion", from.mix.fusion.value ? "dynamic" : "static"});
  }
  check.same("its weight mode is", from.mix.mode, to.mix.mode, "weight_mode", mixing_mode_name);
  const auto sets = [&](const model_description& d) { return d.num_weight_sets == -1 ? config.num_hidden_layers : d.num_weight_sets; };
  check.same("its number of weight sets is", sets(from), sets(to), "num_weight_sets", count);
}

/// What FROM says of itself, the head apart, against what the run is to train.
GRAFT_INLINE void check_start(const start_check& check, const adapter_file& file, const model_description& to,
                              const encoder_config& config) {
  const model_description& from = file.description;
  const auto count = [](index size) { return std::to_string(size); };
  const bool trunk_and_head =
      from.kind == tuning_kind::head || from.kind == tuning_kind::full;  // tensors of the encoder are compared one by one
  if (from.kind != tuning_kind::unknown && from.kind != to.kind && !trunk_and_head) {
    check.refuse("is " + kind_text(from) + ", this run trains " + kind_text(to) +
                     (from.kind == tuning_kind::adapter && to.kind == tuning_kind::multi_adapter ? ", which it may be one of" : ""),
                 {from.kind == tuning_kind::adapter && to.kind == tuning_kind::multi_adapter ? "adapters" : "kind"});
  }
  const bool adapters =
      from.kind == tuning_kind::adapter || (from.kind == tuning_kind::unknown && to.kind == tuning_kind::adapter && from.adapter.size > 0);
  if (adapters) check.same("its adapters' size is", from.adapter.size, to.adapter.size, "adapter_size", count);
  if (from.kind == tuning_kind::unknown && to.kind == tuning_kind::lora && file.tensors.tensors().size() > 0) {
    const bool updates = std::any_of(file.tensors.tensors().begin(), file.tensors.tensors().end(),
                                     [](const auto& one) { return one.first.ends_with(tensor_names::lora_a); });
    if (updates) check.same("its rank is", from.lora.r, to.lora.r, "lora_r", count);
  }
  if (from.kind == tuning_kind::adapter) {
    check.same("its activation is", from.adapter.act, to.adapter.act, "adapter_hidden_act", activation_name);
    check.same("its placement is", from.adapter.kind, to.adapter.kind, "adapter_placement", [](const std::string& kind) { return kind; });
    check.same("its scaling is", from.adapter.scaling, to.adapter.scaling, "adapter_scaling", shown_number);
    check.same("its settings are", from.adapter.settings, to.adapter.settings, "adapter_settings",
               [](const std::string& text) { return text.empty() ? "{}" : text; });
    if (from.adapter.leave_out != to.adapter.leave_out) {
      std::vector<index> with_adapter;
      for (index l = 0; l < config.num_hidden_layers; ++l) {
        if (std::find(from.adapter.leave_out.begin(), from.adapter.leave_out.end(), l) == from.adapter.leave_out.end())
          with_adapter.push_back(l);
      }
      const auto text = [](const std::vector<index>& left_out) { return left_out.empty() ? "none" : "layers " + layers_text(left_out); };
      check.refuse("leaves out " + text(from.adapter.leave_out) + ", this run " + text(to.adapter.leave_out),
                   {"adapter_layers", layers_text(with_adapter)});
    }
    if (from.layer_norms_trained && !to.layer_norms_trained) {
      check.refuse("holds trained LayerNorms, this run leaves the encoder's", {"adapter_layer_norm", "trained"});
    }
  }
  if (from.kind == tuning_kind::lora) {
    if (from.lora.dora_outputs || from.lora.bias || from.lora.gates) {
      check.refuse(std::string(from.lora.dora    ? "is DoRA as AdapterHub's library computes it"
                               : from.lora.gates ? "has gates"
                                                 : "has a bias of B") +
                   ", this run trains " + (to.lora.dora ? "DoRA as PEFT computes it" : "plain updates"));
    }
    if (from.lora.dora != to.lora.dora) {
      const auto text = [](bool dora) { return std::string(dora ? "DoRA" : "a plain low-rank update"); };
      check.refuse("is " + text(from.lora.dora) + ", this run trains " + text(to.lora.dora),
                   {"lora_dora", from.lora.dora ? "true" : "false"});
    }
    const auto layers_of = [&](const model_description& d) {
      std::vector<std::string> layers;
      for (const auto& [layer, shape] : dense_layers(config, 1)) {
        if (d.lora.updates(layer)) layers.push_back(layer);
      }
      return layers;
    };
    const auto layers = layers_of(from);
    if (layers != layers_of(to)) {
      check.refuse("updates " + listed(from.lora.targets) + ", this run updates " + listed(to.lora.targets),
                   {"lora_target", listed(from.lora.targets)});
    }
    const bool one_of_each = from.lora.ranks.empty() && to.lora.ranks.empty() && from.lora.alphas.empty() && to.lora.alphas.empty();
    for (const std::string& layer : layers) {
      if (ranges::trained_lora_alpha.contains(from.lora.alpha_of(layer))) continue;
      check.refuse("its alpha is " + shown_number(from.lora.alpha_of(layer)) + ", one above 0 is needed to train: start without it", {});
    }
    if (one_of_each) {
      check.same("its rank is", from.lora.r, to.lora.r, "lora_r", count);
      check.same("its alpha is", from.lora.alpha, to.lora.alpha, "lora_alpha", shown_number);
    }
    const auto same_at = [&](const std::string& layer, const std::string& what, auto given, auto run, auto&& text) {
      if (given == run) return;
      check.refuse("its " + what + " for " + layer + " is " + text(given) + ", this run's is " + text(run),
                   {"lora_" + what + "_pattern", layer + "=" + text(given)});
    };
    for (const std::string& layer : layers) {
      same_at(layer, "rank", from.lora.rank_of(layer), to.lora.rank_of(layer), count);
      same_at(layer, "alpha", from.lora.alpha_of(layer), to.lora.alpha_of(layer), shown_number);
    }
  }
  if (from.kind == tuning_kind::prefix) {
    check.same("its length is", from.prefix.length, to.prefix.length, "prefix_length", count);
    check.same("its network's width is", from.prefix.bottleneck, to.prefix.bottleneck, "prefix_bottleneck", count);
    if (from.prefix.bottleneck > 0) {
      check.same("its network's activation is", from.prefix.act, to.prefix.act, "prefix_hidden_act", activation_name);
    }
    check.same("its number of gates is", from.prefix.gates, to.prefix.gates, "prefix_gates", count);
    if (from.prefix.leave_out != to.prefix.leave_out) {
      check.refuse("leaves out the layers " + json(from.prefix.leave_out).dump() + ", this run " + json(to.prefix.leave_out).dump(),
                   {from.prefix.leave_out.empty() ? "" : "prefix_leave_out",
                    listed(from.prefix.leave_out, [](index layer) { return std::to_string(layer); })});
    }
  }
  if (from.kind == tuning_kind::multi_adapter) check_mix(check, from, to, config);
}

/// Where each of TO stands in FROM; nothing if they are not the same in some order.
GRAFT_INLINE std::optional<std::vector<std::size_t>> order_of(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  std::vector<std::size_t> order;
  for (const std::string& name : to) {
    const auto at = std::find(from.begin(), from.end(), name);
    if (at == from.end()) return std::nullopt;
    order.push_back(static_cast<std::size_t>(at - from.begin()));
  }
  return from.size() == to.size() ? std::optional(order) : std::nullopt;
}

GRAFT_INLINE tensor_info permuted(const tensor_info& info, const std::vector<std::size_t>& order, tensor_source& source) {
  const std::size_t row = info.bytes.size() / order.size();
  const auto memory = std::make_shared<std::vector<std::byte>>(info.bytes.size());
  for (std::size_t i = 0; i < order.size(); ++i) std::memcpy(memory->data() + i * row, info.bytes.data() + order[i] * row, row);
  source.keep_alive(memory);
  return {info.type, info.shape, *memory};
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE head_start fit_head(const adapter_file& file, const model_description& to, const encoder_config& config) {
  const model_description& from = file.description;
  head_start start{tensor_source(file.tensors.path())};
  if (head_rows(file.tensors, config) != from.num_labels() || from.output != to.output || from.head != to.head) return start;
  if (from.output == task_kind::regression) {
    if (from.num_labels() == 1) start.rows = {std::size_t{0}};
  } else if (from.labels_said) {
    for (const std::string& label : to.labels) {
      const auto at = std::find(from.labels.begin(), from.labels.end(), label);
      start.rows.push_back(at == from.labels.end() ? std::nullopt : std::optional<std::size_t>(at - from.labels.begin()));
    }
  }
  if (std::none_of(start.rows.begin(), start.rows.end(), [](const auto& row) { return row.has_value(); })) start.rows.clear();
  if (start.rows.empty()) return start;
  const head_names names(config);
  start.tensors.add_all(file.tensors, [&](const std::string& name) { return names.is_head(name) ? std::optional(name) : std::nullopt; });
  return start;
}

GRAFT_INLINE std::string head_text(const model_description& d) {
  if (d.labels_said || d.output == task_kind::regression) return detail::labels_text(d);
  return std::to_string(d.labels.size()) + " labels without names";
}

GRAFT_INLINE std::string head_start_text(const head_start& start, const model_description& to) {
  if (to.output == task_kind::regression) return "it is taken over";
  std::string taken, fresh;
  for (std::size_t i = 0; i < start.rows.size(); ++i) {
    add_to_list(start.rows[i] ? taken : fresh, to.labels[i]);
  }
  return "the rows of " + taken + " are taken over" + (fresh.empty() ? "" : ", those of " + fresh + " start fresh");
}

GRAFT_INLINE fitted_start fit_start(const adapter_file& file, const model_description& to, const encoder_config& config) {
  const model_description& from = file.description;
  const std::string& path = file.tensors.path();
  check_trunk(from, to.trunk_fingerprint, path);
  detail::check_start(detail::start_check(path), file, to, config);

  fitted_start start{tensor_source(path), file.notes};
  std::optional<std::vector<std::size_t>> rows;
  if (from.kind == tuning_kind::unknown) {
    start.notes.push_back("it does not say what it is: activation, labels and encoder are taken to be this run's");
  }
  const bool has_head = file.has_head() && head_rows(file.tensors, config) != 0;
  bool head = has_head && from.output == to.output && from.sigmoid == to.sigmoid && from.head == to.head;
  if (to.output == task_kind::regression) head = head && from.num_labels() == to.num_labels();
  if (head && to.output != task_kind::regression) {
    if (from.labels_said) {
      rows = detail::order_of(from.labels, to.labels);
      head = rows.has_value();
      if (rows && from.labels != to.labels) {
        start.notes.push_back("its head is for " + detail::labels_text(from) + ": the rows follow the names, here " +
                              detail::labels_text(to).substr(11));
      }
    } else {
      head = from.labels.size() == to.labels.size();
      if (head) {
        start.notes.push_back("it does not say what its " + std::to_string(to.labels.size()) + " labels are: they are taken to be " +
                              detail::labels_text(to).substr(11) + ", in this order");
      }
    }
  }
  if (!has_head) start.notes.push_back("it has no head: this task's starts as it would without it");
  if (has_head && !head) start.head = fit_head(file, to, config);
  if (!start.head.rows.empty()) {
    start.notes.push_back("of its head for " + detail::labels_text(from) + " " + head_start_text(start.head, to));
  } else if (has_head && !head) {
    start.notes.push_back("its head for " + head_text(from) + " is not taken over: this task has " + detail::labels_text(to) +
                          "; its head starts as it would without it");
  }

  const head_names names(config);
  const auto mixed =
      from.kind == tuning_kind::multi_adapter ? detail::order_of(from.mix.mixed_names(), to.mix.mixed_names()) : std::nullopt;
  if (mixed && from.mix.mixed_names() != to.mix.mixed_names()) {
    start.notes.push_back("its adapters stand in another order: the mixing weights follow the names");
  }
  if (from.kind == tuning_kind::multi_adapter && to.mix.include_flex && !from.mix.include_flex) {
    start.notes.push_back("it has no flex adapter: this run's starts fresh");
  }
  tensor_source unmoved(path);
  unmoved.add_all(file.tensors, [&](const std::string& name) -> std::optional<std::string> {
    const bool last = names.is_last(name);
    if (names.is_head(name) && !head) return std::nullopt;
    const bool moves = (last && rows) || (mixed && name.ends_with(std::string(tensor_names::weighted_sum) + ".weights"));
    if (!moves) return name;
    start.tensors.add(name, detail::permuted(file.tensors.at(name), last ? *rows : *mixed, start.tensors));
    return std::nullopt;
  });
  start.tensors.add_all(unmoved);
  start.tensors.add_all(file.of_trunk);  // to be compared
  return start;
}

}  // namespace graft
