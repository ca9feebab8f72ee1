#pragma once
// Trunk, sites and head as one trainable classifier (or regressor).

#include <memory>
#include <string>
#include <utility>

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/invertible_adapter.hpp"
#include "graft/adapters/kind_names.hpp"
#include "graft/adapters/multi_adapter_site.hpp"
#include "graft/adapters/plain_site.hpp"
#include "graft/core/range.hpp"
#include "graft/encoder/encoder.hpp"
#include "graft/heads/sequence_classification.hpp"

namespace graft {

/// logits = head(trunk(batch)): a row each of the batch's sequences, or of the words in it that are asked for a tag.
/// Backward:  dlogits through head and trunk to every trained parameter, and no deeper.
/// @param  b  B packed sequences            @param[out] logits  (answers(b), C)
/// Saved: `trace`, what head and trunk save.
/// Source: transformers' RobertaForSequenceClassification, BertForSequenceClassification.
/// Tested: tests/model/gradient_test.cpp, golden_test.cpp, invariants_test.cpp
template <class P, site Site>
class classifier {
 public:
  using precision = P;
  using real = typename P::real;
  using site_type = Site;
  struct trace {
    typename encoder<P, Site>::saved trunk;
    typename sequence_classification<P>::saved head;
  };

  /// @throws config_error  CLASSES or a dropout of C is out of range
  template <class MakeSite>
  classifier(const encoder_config& c, index classes, MakeSite&& make_site, const head_options& o = {})
      : config(checked(c, classes)), trunk(c.model_type, c, std::forward<MakeSite>(make_site)), head(c, classes, head_dropout_stream, o) {}

  /// How many logits B has: a row a sequence, or a word.
  index answers(const batch& b) const { return head.answers_for_words() ? std::ssize(b.answering) : b.size(); }

  /// t == nullptr: inference, nothing is kept.
  void forward(const batch& b, view<real> logits, trace* t, context& ctx) const;
  void backward(const_view<real> dlogits, const batch& b, const trace& t, context& ctx);

  /// Of which rows the head reads the trunk's states.
  rows_of reads() const { return reads_all_tokens() ? rows_of::tokens : rows_of::sequences; }
  /// The head's part of forward: the logits of the trunk's STATES (reads(), H).
  void answer(const batch& b, const_view<real> states, view<real> logits, trace* t, context& ctx) const;

  /// F(parameter) for each, from the embeddings to the head.
  void for_each_parameter(parameter_visitor<real> f) {
    trunk.for_each_parameter(f);
    head.for_each_parameter(f);
  }

  /// The parts, free to be looked at and changed.
  encoder_config config;
  encoder<P, Site> trunk;
  sequence_classification<P> head;

 private:
  bool reads_all_tokens() const { return head.answers_for_words() || config.mean_pooling; }
  static const encoder_config& checked(const encoder_config& c, index classes);
  static constexpr std::uint64_t head_dropout_stream = std::uint64_t{1} << 32;  // above every layer's
};

/// What stands at the sites: nothing, one adapter, or a mix of several.
template <class P>
using plain_classifier = classifier<P, plain_site<P>>;
template <class P>
using adapter_classifier = classifier<P, adapter_site<P>>;
template <class P>
using multi_adapter_classifier = classifier<P, multi_adapter_site<P>>;

/// The encoder as pretrained, with a head of CLASSES outputs (1 for regression). All parameters zero (LayerNorms one) until loaded.
template <class P>
plain_classifier<P> make_plain_classifier(const encoder_config& c, index classes, const head_options& head = {}) {
  return {c, classes, [&](const std::string& prefix, site_location) { return plain_site<P>(prefix, c.hidden_size, c.site_norm_eps()); },
          head};
}

/// The adapter that O describes, at every site where its kind stands, and behind the embeddings, if it is invertible.
/// @throws config_error  as check_adapter
template <class P>
adapter_classifier<P> make_adapter_classifier(const encoder_config& c, index classes, const adapter_options& o,
                                              const head_options& head = {}) {
  check_adapter(o, "adapter_", c.num_hidden_layers);
  adapter_classifier<P> model{c, classes,
                              [&](const std::string& prefix, site_location where) {
                                return adapter_site<P>(prefix + ".adapter", prefix + ".LayerNorm", c.hidden_size, c.site_norm_eps(), o,
                                                       where);
                              },
                              head};
  if (auto invertible = make_invertible<P>(c.model_type + ".embeddings.adapter", c.hidden_size, o)) {
    model.trunk.invertible.emplace(nullptr);
    model.trunk.invertible->members.push_back({0, std::move(*invertible)});
  }
  return model;
}

namespace detail {

/// @throws config_error  an encoder with C makes vectors of distances in its projections, too, which no gate is for
inline void check_gates(const encoder_config& c) {
  if (family_of(c.model_type).positions == position_kind::disentangled) {
    throw config_error("gates on updates are not computed in a " + c.model_type);
  }
}

/// @throws config_error  the attention of an encoder with C would need distances of a prefix's rows, or has windows
inline void check_prefix_positions(const encoder_config& c) {
  if (family_of(c.model_type).positions == position_kind::disentangled) {
    throw config_error("prefixes are not computed in a " + c.model_type + ": its attention would need their distances");
  }
  if (family_of(c.model_type).positions == position_kind::rotary) {
    throw config_error("prefixes are not computed in a " + c.model_type + ": they have no place in its windows");
  }
}

/// @throws config_error  A cannot be in a mix around an encoder with C
inline void check_member(const mixed_adapter& a, const encoder_config& c) {
  const index layers = c.num_hidden_layers;
  if (a.kind == tuning_kind::adapter) check_adapter(a.adapter, a.name + "'s adapter_", layers);
  if (a.kind == tuning_kind::fusion) {
    check_fused(a.fused);
    for (const mixed_adapter& one : a.fused) check_member(one, c);
  }
  if (a.kind == tuning_kind::lora) check_lora(a.lora, a.name + "'s ");
  if (a.lora.gates || a.ia3.gates) check_gates(c);
  if (a.lora.gates && (a.lora.dora || a.lora.bias)) throw config_error(a.name + " has gates on DoRA or a bias, which is not computed");
  if (a.kind != tuning_kind::prefix) return;
  check_prefix(a.prefix, layers);
  check_prefix_positions(c);
}

/// What member NUMBER of a mix, which A says, changes of LAYER, as an entry of LAYER's mix with WEIGHTS. False: nothing.
template <class P>
bool add_to_projection(linear<P>& layer, const std::shared_ptr<mixing_weights<P>>& weights, const mixed_adapter& a, index number) {
  using real = typename P::real;
  const std::string name = layer.name(), member_prefix = name + tensor_names::member + a.name;
  const bool lora = a.kind == tuning_kind::lora && a.lora.updates(name),
             ia3 = a.kind == tuning_kind::ia3 && is_any_target(name, a.ia3.targets);
  if (!lora && !ia3) return false;
  if (!layer.mix) layer.mix.emplace(weights);
  const auto scale = [&](const char* part, bool rows, bool of_bias) {
    auto l = parameter<real>::table(member_prefix + part, parameter_role::adapter, rows ? layer.out() : 1, rows ? 1 : layer.in());
    layer.mix->scales.push_back({number, std::move(l), of_bias});
  };
  if (ia3) {
    const bool rows = !is_any_target(name, a.ia3.feed_forward);
    scale(tensor_names::ia3, rows, rows);
    if (a.ia3.gates) layer.mix->scales.back().gate.emplace(member_prefix + tensor_names::lora_gate, layer.in());
  }
  if (lora) {
    layer.mix->updates.push_back(
        {number, low_rank<P>(member_prefix, layer.in(), layer.out(), a.lora.rank_of(name), a.lora.alpha_of(name))});
    if (a.lora.bias) {
      layer.mix->updates.back().bias =
          parameter<real>::vector(member_prefix + tensor_names::lora_b_bias, parameter_role::adapter, layer.out());
    }
    if (a.lora.gates) layer.mix->updates.back().gate.emplace(member_prefix + tensor_names::lora_gate, layer.in());
    if (a.lora.dora) scale(".lora_scale", true, a.lora.dora_outputs);
  }
  return true;
}

/// What the members of a mix change behind the embeddings of MODEL, with the mixing weights of the first layer, or a fusion without.
template <class P>
void add_mixed_embeddings(multi_adapter_classifier<P>& model, const multi_adapter_options& o) {
  const encoder_config& c = model.config;
  for (index k = 0; k < std::ssize(o.adapters); ++k) {
    const mixed_adapter& a = o.adapters[static_cast<std::size_t>(k)];
    auto made = make_mixed_invertible<P>(c.model_type, c.hidden_size, a);
    if (!made) continue;
    auto& all = model.trunk.invertible;
    if (!all) all.emplace(o.mode == mixing_mode::fusion ? nullptr : model.trunk.layers.front().attention_site.mix);
    all->members.push_back({k, std::move(*made)});
  }
}

/// What the members of a mix change of the projections and the attention of MODEL, with the mixing weights of the layer.
/// @throws config_error  one of them changes nothing
template <class P>
void add_mixed_layers(multi_adapter_classifier<P>& model, const multi_adapter_options& o) {
  for (index k = 0; k < std::ssize(o.adapters); ++k) {
    const mixed_adapter& a = o.adapters[static_cast<std::size_t>(k)];
    bool found = a.kind == tuning_kind::adapter || a.kind == tuning_kind::prefix || a.kind == tuning_kind::fusion;
    for (auto& l : model.trunk.layers) {
      l.for_each_projection([&](linear<P>& one) { found = add_to_projection(one, l.attention_site.mix, a, k) || found; });
    }
    if (!found) throw config_error(a.name + " is " + member_text(a) + " of the head alone, which a mix does not hold");
    if (a.kind != tuning_kind::prefix) continue;
    const encoder_config& c = model.config;
    auto all = make_prefixes<P>(c.model_type, c.num_hidden_layers, c.hidden_size, a.prefix, tensor_names::member + a.name);
    for (std::size_t l = 0; l < all.size(); ++l) {
      auto& layer = model.trunk.layers[l];
      if (!all[l]) continue;
      if (!layer.attention.mix) layer.attention.mix.emplace(layer.attention_site.mix);
      layer.attention.mix->members.push_back({k, std::move(*all[l])});
    }
  }
}

}  // namespace detail

/// Several adapters, or what else is tuned beside an encoder, mixed at every place where they differ: at each site (multi_adapter_site)
/// at each projection (layers/projection_mix.hpp) and in each attention (layers/prefix_mix.hpp), with the same weights at all places of a
/// layer; behind the embeddings (layers/coupling_mix.hpp) with those of the first. WEIGHT_SETS contiguous runs of whole layers share their
/// mixing weights; -1: one per layer.
/// @throws config_error  the layers cannot be cut into that many equal runs, nothing is mixed, or a size is out of range
template <class P>
multi_adapter_classifier<P> make_multi_adapter_classifier(const encoder_config& c, index classes, const multi_adapter_options& o,
                                                          index weight_sets, const head_options& head = {}) {
  for (const mixed_adapter& a : o.adapters) detail::check_member(a, c);
  if (o.include_flex) check_range("flex_size", static_cast<double>(o.flex_size), ranges::adapter_size);
  check_range("adapter_num_weight_sets", static_cast<double>(weight_sets), ranges::weight_sets);
  if (o.mode == mixing_mode::fusion) check_fusion(o);
  const index layers = c.num_hidden_layers;
  const index sets = weight_sets == -1 ? layers : weight_sets;
  if (sets < 1 || layers % sets != 0) {
    throw config_error("adapter_num_weight_sets is " + std::to_string(weight_sets) + ": " + std::to_string(layers) +
                       " layers cannot be cut into that many equal runs (-1 means one per layer)");
  }
  if (o.count() < 1) throw config_error("a multi-adapter needs at least one adapter or the base in its mix");
  const index run = layers / sets;
  std::shared_ptr<mixing_weights<P>> mix;
  multi_adapter_classifier<P> model{c, classes,
                                    [&](const std::string& prefix, site_location where) {
                                      const bool first = where.layer % run == 0 && where.behind == sub_layer::attention;
                                      if (first)
                                        mix = std::make_shared<mixing_weights<P>>(prefix + tensor_names::weighted_sum, o.count(), o.mode);
                                      return multi_adapter_site<P>(prefix, c.hidden_size, c.site_norm_eps(), o, mix, first, where);
                                    },
                                    head};
  detail::add_mixed_embeddings(model, o);
  detail::add_mixed_layers(model, o);
  return model;
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/model/model-inl.hpp"  // IWYU pragma: export
#endif
