#pragma once
// Low-rank updates around a plain classifier: where they go, how they start, what is trained.

#include <cmath>
#include <string>

#include "graft/core/range.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"

namespace graft {

/// Calls F(layer) for every linear layer of MODEL, those of the head last.
template <class M, class F>
void for_each_projection(M& model, F&& f) {
  for (auto& l : model.trunk.layers) l.for_each_projection(f);
  for (auto& layer : model.head.dense) f(layer);
  f(model.head.out_proj);
}

/// Gives every linear layer of MODEL that O names an update. A target is the end of a layer's name from a dot on, as in PEFT: "query" means
/// attention.self.query, "dense" all three dense layers, "attention.output.dense" one of them; layers of the head are named in full.
/// @throws config_error  a target names no layer, rank or alpha are out of range, or O asks for more than A and B (see merged_tensors)
template <class P>
void add_lora(plain_classifier<P>& model, const lora_options& o) {
  check_lora(o);
  const bool merged = o.dora_outputs || o.bias || (o.dora && o.gates);
  if (merged) throw config_error(std::string(o.dora ? "this kind of DoRA" : "a bias of B") + " is computed in merged weights alone");
  if (o.gates) detail::check_gates(model.config);
  if (o.targets.empty()) throw config_error("lora_target names no layer");
  for (const std::string& target : o.targets) {
    bool found = false;
    for_each_projection(model, [&](linear<P>& layer) {
      const std::string prefix = layer.name();
      if (!is_target(prefix, target)) return;
      found = true;
      if (o.dora) {
        if (layer.weight.name.find(".layer.") == std::string::npos)
          throw config_error("DoRA of " + prefix + ", which is trained itself, is not computed");
        layer.dora.emplace(prefix, layer.in(), layer.out(), o.rank_of(prefix), o.alpha_of(prefix));
        layer.dora->by.dropout.p = o.dropout;
        return;
      }
      layer.lora.emplace(prefix, layer.in(), layer.out(), o.rank_of(prefix), o.alpha_of(prefix));
      layer.lora->dropout.p = o.dropout;
      if (o.gates) layer.gate.emplace(prefix + tensor_names::lora_gate, layer.in());
    });
    if (!found) {
      throw config_error("lora_target names \"" + target + "\", one or more of " +
                         (family_of(model.config.model_type).positions == position_kind::rotary ? "query_key_value" : "query, key, value") +
                         ", attention.output.dense, intermediate.dense, output.dense was expected");
    }
  }
  std::uint64_t stream = std::uint64_t{1} << 34;  // of dropout, above those of encoder and head
  for_each_projection(model, [&](linear<P>& layer) {
    if (layer.lora) layer.lora->dropout.stream = stream;
    ++stream;
  });
}

/// Gives every linear layer of MODEL that one of TARGETS names a gate of its outputs.
template <class P>
void add_gates(plain_classifier<P>& model, const std::vector<std::string>& targets) {
  if (!targets.empty()) detail::check_gates(model.config);
  for_each_projection(model, [&](linear<P>& layer) {
    const std::string prefix = layer.name();
    if (is_any_target(prefix, targets)) layer.gate.emplace(prefix + tensor_names::lora_gate, layer.in());
  });
}

/// A uniform between +-1/sqrt(inputs), B zero: the model starts as it was.   Source: PEFT's LoraLayer, `init_lora_weights` true.
template <class P>
void initialize_lora(plain_classifier<P>& model, std::uint64_t seed) {
  for_each_projection(model, [&](linear<P>& layer) {
    if (!layer.lora && !layer.dora) return;
    low_rank<P>& update = layer.dora ? layer.dora->by : *layer.lora;
    const double limit = 1 / std::sqrt(static_cast<double>(layer.in()));
    draw(update.a, seed, [&](const random_stream& s, std::uint64_t i) { return limit * (2 * s.uniform(i) - 1); });
    update.b.edit().setZero();
  });
}

/// The lengths of DoRA's rows become those of the encoder's, which MODEL holds by now.
template <class P>
void initialize_magnitudes(plain_classifier<P>& model) {
  for_each_projection(model, [&](linear<P>& layer) {
    if (layer.dora) layer.dora->initialize_magnitude(layer.weight);
  });
}

/// The updates and the head; the rest is frozen.
/// @throws config_error  an update has a gate, or DoRA a dropout
template <class P>
void tune_lora(plain_classifier<P>& model) {
  tune_head(model);
  for_each_projection(model, [](linear<P>& layer) {
    if (layer.gate) throw config_error("gates of low-rank updates are computed, and not trained");
    if (layer.lora) set_trainable(*layer.lora, true);
    if (layer.dora && layer.dora->by.dropout.p > 0) throw config_error("lora_dropout of DoRA is not computed");
    if (layer.dora) set_trainable(*layer.dora, true);
  });
}

}  // namespace graft
