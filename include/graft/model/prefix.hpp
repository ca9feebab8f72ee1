#pragma once
// Prefixes in the attention of a plain classifier: how they start, what is trained.

#include <cmath>
#include <cstddef>
#include <utility>

#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"

namespace graft {

/// Gives every layer that O does not leave out its prefix.
/// @throws config_error  as check_prefix
template <class P>
void add_prefix(plain_classifier<P>& model, const prefix_options& o) {
  const encoder_config& c = model.config;
  check_prefix(o, c.num_hidden_layers);
  detail::check_prefix_positions(c);
  auto prefixes = make_prefixes<P>(c.model_type, c.num_hidden_layers, c.hidden_size, o);
  for (std::size_t l = 0; l < prefixes.size(); ++l) model.trunk.layers[l].attention.prefix = std::move(prefixes[l]);
}

/// Calls F(prefix) for every layer that has one.
template <class P, class F>
void for_each_prefix(plain_classifier<P>& model, F&& f) {
  for (auto& l : model.trunk.layers) {
    if (l.attention.prefix) f(*l.attention.prefix);
  }
}

/// As AdapterHub's library begins: parameters and embedding ~ N(0, 1), linear layers of the network uniform between +-1/sqrt(inputs),
/// gates' weights ~ N(0, 0.02^2), their biases 0.
template <class P>
void initialize_prefix(plain_classifier<P>& model, std::uint64_t seed) {
  const auto uniform = [&](linear<P>& layer) {
    const double limit = 1 / std::sqrt(static_cast<double>(layer.in()));
    layer.for_each_parameter(
        [&](auto& p) { draw(p, seed, [&](const random_stream& s, std::uint64_t i) { return limit * (2 * s.uniform(i) - 1); }); });
  };
  for_each_prefix(model, [&](attention_prefix<P>& prefix) {
    if (prefix.key_values) draw_normal(*prefix.key_values, 1, seed);
    if (prefix.network != nullptr) {
      draw_normal(prefix.network->embedding, 1, seed);
      uniform(prefix.network->down_project);
      uniform(*prefix.up_project);
    }
    if (prefix.gate) initialize(*prefix.gate, 0.02, seed);
  });
}

/// The prefixes and the head; the rest is frozen.
template <class P>
void tune_prefix(plain_classifier<P>& model) {
  tune_head(model);
  for_each_prefix(model, [](attention_prefix<P>& prefix) { set_trainable(prefix, true); });
}

}  // namespace graft
