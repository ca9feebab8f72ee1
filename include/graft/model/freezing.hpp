#pragma once
// Which parameters are trained, by what the run tunes, and how the others are packed for products.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "graft/core/tuning_options.hpp"
#include "graft/gemm/int8_product.hpp"
#include "graft/gemm/product.hpp"
#include "graft/model/model.hpp"

namespace graft {

/// Trains or freezes every parameter of PART.
template <parameterized M>
void set_trainable(M& part, bool trainable) {
  part.for_each_parameter([&](auto& p) { trainable ? p.train() : p.freeze(); });
}

namespace detail {
/// Packs W for products, in 8 bits if it is INT8, where it is frozen and not packed yet; BACKWARD: for gradients, which are not rounded,
/// too.
template <class P>
void pack_one(parameter<typename P::real>& w, bool int8, bool backward, int threads) {
  if (!w.is_product_weight() || w.is_trained()) return;
  if (w.packed() != nullptr && !(int8 && w.packed()->int8.empty()) && !(backward && w.packed()->backward.empty())) return;
  if constexpr (std::is_same_v<typename P::real, float>) {
    if (int8) {
      auto forms = std::make_shared<packed_weight>();
      if (backward) pack_form<P>(w.value(), transpose::no, forms->backward, threads);
      return pack_int8_weight(w, threads, std::move(forms));
    }
  }
  pack_weight<P>(w, backward, threads);
}

/// Layers FIRST .. LAST - 1 of MODEL by PACK, a frozen_packer, and before layer 0 what stands below it.
template <class M, class Pack>
void pack_layers(M& model, index first, index last, const Pack& pack, int threads) {
  if (first == 0) {
    if (model.trunk.invertible) model.trunk.invertible->for_each_parameter(pack);
    model.trunk.embedded.for_each_parameter(pack);
  }
  for (index l = first; l < last; ++l) {
    auto& layer = model.trunk.layers[static_cast<std::size_t>(l)];
    layer.for_each_parameter(pack);
    layer.for_each_projection([&](auto& one) {
      if (one.mix) one.mix->precompute(one.weight, threads);
    });
    layer.attention.precompute(threads);  // which multiplies by these
    if (!layer.attention.mix) continue;
    for (auto& member : layer.attention.mix->members) member.by.precompute(threads);
  }
}
}  // namespace detail

/// What products read of each frozen weight of MODEL, in which is set what is trained, packed on THREADS threads: of the projections of
/// the encoder's layers 8 bits where model.trunk.int8 says so, and BACKWARD, which is for training, what gradients are multiplied by too,
/// where they pass: from the lowest trained layer up. Called with a parameter it packs that one, if it is a frozen weight and is not yet.
template <class M>
class frozen_packer {
 public:
  frozen_packer(M& model, bool backward, int threads) : threads_(threads) {
    auto& trunk = model.trunk;
    if (trunk.int8) {
      for (auto& layer : trunk.layers) layer.for_each_projection([&](const auto& one) { in_8_bits_.insert(&one.weight); });
    }
    if (!backward) return;
    const auto pass = [&](auto& part) { part.for_each_parameter([&](const auto& p) { passed_.insert(&p); }); };
    const index lowest = trunk.lowest_trainable();
    if (lowest < 0) {
      pass(trunk.embedded);
      if (trunk.invertible) pass(*trunk.invertible);
    }
    for (index l = std::max<index>(0, lowest); l < std::ssize(trunk.layers); ++l) pass(trunk.layers[static_cast<std::size_t>(l)]);
    pass(model.head);
  }
  void operator()(parameter<typename M::real>& w) const {
    detail::pack_one<typename M::precision>(w, in_8_bits_.contains(&w), passed_.contains(&w), threads_);
  }

 private:
  int threads_;
  std::set<const void*> in_8_bits_, passed_;
};

/// Packs the frozen weights of MODEL for products, as frozen_packer says. Without this call every product packs its weight anew, and none
/// is in 8 bits. Layers whose states are known (encoder/known_states.hpp) are left out, but where they multiply in 8 bits: rows that are
/// not known after all must get the same numbers.
template <class M>
void pack_frozen(M& model, bool backward, int threads) {
  const index first = model.trunk.known && !model.trunk.int8 ? model.trunk.known->layers() : 0;
  const frozen_packer<M> pack(model, backward, threads);
  detail::pack_layers(model, first, std::ssize(model.trunk.layers), pack, threads);
  model.head.for_each_parameter(pack);
}

/// Packs the trained weights of MODEL as they are now, for the products of one step, which several threads compute at once; CTX is the
/// caller's.
template <class M>
void pack_trained(M& model, context& ctx) {
  for (auto& l : model.trunk.layers) {
    l.for_each_projection([&](auto& one) {
      if (one.dora) one.dora->precompute(one.weight, ctx);
    });
  }
  model.for_each_parameter([&](auto& p) {
    if (p.is_product_weight() && p.is_trained() && p.packed() == nullptr) pack_weight<typename M::precision>(p, true, ctx.threads);
  });
}

/// ALL becomes every parameter of MODEL that is trained, in model order.
template <class M>
void trainable_parameters(M& model, std::vector<parameter<typename M::real>*>& all) {
  all.clear();
  model.for_each_parameter([&](auto& p) {
    if (p.is_trained()) all.push_back(&p);
  });
}
template <class M>
std::vector<parameter<typename M::real>*> trainable_parameters(M& model) {
  std::vector<parameter<typename M::real>*> all;
  trainable_parameters(model, all);
  return all;
}

/// Single mode: every adapter, the head and, unless told otherwise, every LayerNorm of the layers with an adapter, and the embeddings' if
/// all have one; the rest is frozen.
template <class P>
void tune_adapters(adapter_classifier<P>& model, bool layer_norms = true) {
  set_trainable(model, false);
  bool everywhere = true;
  if (model.trunk.invertible) set_trainable(*model.trunk.invertible, true);
  for (auto& l : model.trunk.layers) {
    const bool here = l.attention_site.has_adapter() || l.feed_site.has_adapter();
    everywhere = everywhere && here;
    for (adapter_site<P>* s : {&l.attention_site, &l.feed_site}) {
      s->for_each_adapter_parameter([](auto& p) { p.train(); });
      set_trainable(s->norm, layer_norms && here);
    }
    for (auto* norm : {&l.attention_norm, &l.feed_norm}) {
      if (*norm) set_trainable(**norm, layer_norms && here);
    }
  }
  if (model.trunk.last_norm) set_trainable(*model.trunk.last_norm, layer_norms);
  set_trainable(model.trunk.embedded.norm, layer_norms && everywhere);
  set_trainable(model.head, true);
}

/// The baselines without adapters: everything, or the head alone.
template <class P>
void tune_everything(plain_classifier<P>& model) {
  set_trainable(model, true);
}
template <class P>
void tune_head(plain_classifier<P>& model) {
  set_trainable(model, false);
  set_trainable(model.head, true);
}

namespace detail {

/// Trains or freezes what FUSION fuses, as far as it reads it, and the fusion itself.
template <class P>
void tune_fusion(fusion_adapter<P>& fusion, bool adapters, bool itself) {
  for (auto& module : fusion.modules) {
    set_trainable(module, false);
    if (adapters) module.for_each_update_parameter([](auto& p) { p.train(); });
  }
  if (itself) fusion.for_each_fusion_parameter([](auto& p) { p.train(); });
}

}  // namespace detail

/// Trains what MODE says, and freezes the rest.
template <class P>
void tune_mix(multi_adapter_classifier<P>& model, multi_adapter_ft_mode mode) {
  set_trainable(model, mode == multi_adapter_ft_mode::base_ft || mode == multi_adapter_ft_mode::full_ft);
  const bool mixed = mode == multi_adapter_ft_mode::full_ft;
  if (model.trunk.invertible) {
    const bool fusion = model.trunk.invertible->weights == nullptr;  // which only its first adapter reaches
    for (auto& one : model.trunk.invertible->members) set_trainable(one.by, mixed && (!fusion || one.number == 0));
  }
  for (auto& l : model.trunk.layers) {
    l.for_each_projection([&](linear<P>& layer) {
      if (layer.mix) set_trainable(*layer.mix, mixed);
    });
    if (l.attention.mix) set_trainable(*l.attention.mix, mixed);
    for (multi_adapter_site<P>* s : {&l.attention_site, &l.feed_site}) {
      if (s->fusion) {
        if (auto* query_key_value = s->fusion->fusion()) detail::tune_fusion(*query_key_value, mixed, true);
        continue;
      }
      for (auto& branch : s->branches) {
        set_trainable(branch, mixed);
        if (auto* query_key_value = branch.fusion()) detail::tune_fusion(*query_key_value, mixed, mixed);
      }
      set_trainable(*s->mix, true);
      if (s->flex) set_trainable(*s->flex, true);
    }
  }
  set_trainable(model.head, true);
}

}  // namespace graft
