#pragma once
// Fresh parameters: adapters and heads before training.

#include <cstdint>
#include <string_view>

#include "graft/core/fnv1a.hpp"
#include "graft/core/random.hpp"
#include "graft/core/range.hpp"
#include "graft/model/model.hpp"

namespace graft {

/// p_i = NUMBER(stream, i), from a stream of (seed, name): a parameter's start does not depend on what else the model holds.
template <class T, class Number>
void draw(parameter<T>& p, std::uint64_t seed, Number&& number) {
  fnv1a name;
  name.add(p.name);
  const random_stream stream(seed, 0, name.value());
  T* const value = p.edit().data();
  for (index i = 0; i < p.size(); ++i) value[i] = static_cast<T>(number(stream, static_cast<std::uint64_t>(i)));
}

/// p ~ N(0, deviation^2)
template <class T>
void draw_normal(parameter<T>& p, double deviation, std::uint64_t seed) {
  draw(p, seed, [&](const random_stream& s, std::uint64_t i) { return deviation * s.normal(i); });
}

/// Weights ~ N(0, deviation^2), bias 0.
template <class P>
void initialize(linear<P>& layer, double deviation, std::uint64_t seed) {
  draw_normal(layer.weight, deviation, seed);
  layer.bias.edit().setZero();
}
/// The adapter of a site, whatever its kind: matrices ~ N(0, deviation^2); vectors stay as they were made.
template <class P>
void initialize_adapter(adapter_site<P>& site, double deviation, std::uint64_t seed) {
  site.for_each_adapter_parameter([&](auto& p) {
    if (p.is_product_weight()) draw_normal(p, deviation, seed);
  });
}
/// A fusion: W_q and W_k ~ N(0, 0.02^2), biases 0, W_v the identity, but for a millionth elsewhere, as in AdapterHub's library.
template <class P>
void initialize_fusion(fusion_adapter<P>& fusion, std::uint64_t seed) {
  for (auto* layer : {&fusion.query, &fusion.key}) {
    if (*layer) initialize(**layer, 0.02, seed);
  }
  if (!fusion.value) return;
  fusion.value->edit().setConstant(typename P::real(1e-6));
  fusion.value->edit().diagonal().setOnes();
}
/// What does not come with the trunk, deviation 0.02: the `initializer_range` with which transformers makes a new head. FRESH_POOLER:
/// a BERT's dense layer does not, either (see brings_pooler).
template <class P>
void initialize(sequence_classification<P>& head, std::uint64_t seed, bool fresh_pooler = false) {
  for (std::size_t i = 0; i < head.dense.size(); ++i) {
    if (i > 0 || !head.pretrained_dense() || fresh_pooler) initialize(head.dense[i], 0.02, seed);
  }
  initialize(head.out_proj, 0.02, seed);
}

/// Fresh adapters (single mode), or the fresh flex adapters (multi); what is loaded later overwrites them.
template <class P>
void initialize_adapters(adapter_classifier<P>& model, double deviation, std::uint64_t seed) {
  check_range("adapter_initializer_range", deviation, ranges::deviation);
  if (model.trunk.invertible) {
    for (auto& one : model.trunk.invertible->members) {
      for (auto* network : {&one.by.f, &one.by.g}) {
        initialize(network->down_project, deviation, seed);
        initialize(network->up_project, deviation, seed);
      }
    }
  }
  for (auto& l : model.trunk.layers) {
    initialize_adapter(l.attention_site, deviation, seed);
    initialize_adapter(l.feed_site, deviation, seed);
  }
}
template <class P>
void initialize_adapters(multi_adapter_classifier<P>& model, double deviation, std::uint64_t seed) {
  check_range("adapter_initializer_range", deviation, ranges::deviation);
  for (auto& l : model.trunk.layers) {
    for (auto* s : {&l.attention_site, &l.feed_site}) {
      if (s->fusion && s->fusion->fusion() != nullptr) initialize_fusion(*s->fusion->fusion(), seed);
    }
    if (l.attention_site.flex) initialize_adapter(*l.attention_site.flex, deviation, seed);
    if (l.feed_site.flex) initialize_adapter(*l.feed_site.flex, deviation, seed);
  }
}

}  // namespace graft
