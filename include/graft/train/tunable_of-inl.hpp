#pragma once
// Bodies of graft/train/tunable_of.hpp.

#include <set>
#include <type_traits>

#include "graft/core/compiled.hpp"
#include "graft/core/rank_group.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"
#include "graft/model/lora.hpp"
#include "graft/model/memory.hpp"
#include "graft/model/prefix.hpp"
#include "graft/model/saving.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/train/tunable_model.hpp"
#include "graft/train/tunable_of.hpp"

namespace graft::detail {

template <class M>
M tunable_of<M>::make(const encoder_config& c, const model_description& d) {
  using P = typename M::precision;
  if constexpr (std::is_same_v<M, adapter_classifier<P>>) {
    return make_adapter_classifier<P>(c, d.num_labels(), d.adapter, d.head);
  } else if constexpr (std::is_same_v<M, multi_adapter_classifier<P>>) {
    return make_multi_adapter_classifier<P>(c, d.num_labels(), d.mix, d.num_weight_sets, d.head);
  } else {
    return make_plain_classifier<P>(c, d.num_labels(), d.head);
  }
}

template <class M>
tunable_of<M>::tunable_of(const encoder_config& c, const model_description& d, const tuning_start& start)
    : tunable_base(c, d), model_(make(c, d)), seed_(start.seed) {
  using P = typename M::precision;
  model_.trunk.int8 = start.precision == graft::precision::int8;
  if constexpr (std::is_same_v<M, adapter_classifier<P>>) {
    initialize_adapters(model_, start.initializer_range, start.seed);
    tune_adapters(model_, d.layer_norms_trained);
  } else if constexpr (std::is_same_v<M, multi_adapter_classifier<P>>) {
    initialize_adapters(model_, start.initializer_range, start.seed);
    tune_mix(model_, start.mix_tuning);
  } else if (d.kind == tuning_kind::lora) {
    add_lora(model_, d.lora);
    initialize_lora(model_, start.seed);
    tune_lora(model_);
  } else if (d.kind == tuning_kind::prefix) {
    add_prefix(model_, d.prefix);
    initialize_prefix(model_, start.seed);
    tune_prefix(model_);
  } else if (d.kind == tuning_kind::full) {
    tune_everything(model_);
  } else {
    tune_head(model_);
  }
  initialize(model_.head, start.seed, true);
}

template <class M>
std::unique_ptr<training_steps> tunable_of<M>::steps(const task& t, const training_options& o) {
  return std::make_unique<training_steps_of<M>>(model_, t, o);
}

template <class M>
model_size tunable_of<M>::size() const {
  model_size n;
  n.number_bytes = sizeof(real);
  const std::set<std::string> extra_saved = extra_saved_norms();
  const_cast<M&>(model_).for_each_parameter([&](const auto& p) {
    n.all += p.size();
    n.trained += p.is_trained() ? p.size() : 0;
    n.tuned += is_tuned(p) || extra_saved.contains(p.name) ? p.size() : 0;
  });
  return n;
}

template <class M>
std::int64_t tunable_of<M>::training_bytes(index rows, index longest, int threads, bool keeps_best) const {
  return graft::training_bytes(model_, rows, longest, threads, keeps_best);
}

template <class M>
bool tunable_of<M>::load_encoder(const tensor_source& encoder, int packing_threads) {
  if (packing_threads > 0) {
    load_trunk(model_, encoder, {}, frozen_packer<M>(model_, true, packing_threads));
  } else {
    load_trunk(model_, encoder);
  }
  if constexpr (std::is_same_v<M, plain_classifier<typename M::precision>>) initialize_magnitudes(model_);
  return model_.head.pretrained_dense() && !model_.head.dense.empty() && !brings_pooler(encoder);
}

template <class M>
void tunable_of<M>::load_mixed_adapter(const std::string& name, const tensor_source& adapter, const tensor_source& norms) {
  if constexpr (std::is_same_v<M, multi_adapter_classifier<typename M::precision>>) {
    graft::load_mixed_adapter(model_, name, adapter, norms);
  } else {
    throw error("\"" + name + "\" is to be part of a mix, which a model of kind \"" + tuning_kind_name(description.kind) +
                "\" does not have");
  }
}

template <class M>
taken_start tunable_of<M>::start_from(const tensor_source& source, const std::vector<std::string>& notes) {
  return graft::start_from(model_, source, notes);
}

template <class M>
index tunable_of<M>::start_head(const tensor_source& head, const std::vector<std::optional<std::size_t>>& rows) {
  return graft::start_head(model_, head, rows);
}

template <class M>
void tunable_of<M>::load_trained(const tensor_source& saved) {
  for (const auto* p : trainable_parameters(model_)) {
    if (!saved.contains(p->name)) throw format_error(saved.path(), "has no tensor '" + p->name + "' that this run trains");
  }
  load_by_name(model_, saved);
}

template <class M>
void tunable_of<M>::share_trained(rank_group& group) {
  for (auto* p : trainable_parameters(model_)) group.broadcast(std::as_writable_bytes(elements(p->edit())));
}

template <class M>
void tunable_of<M>::pack(int threads) {
  pack_frozen(model_, false, threads);
}

template <class M>
index tunable_of<M>::use_prefix_cache(const std::string& folder, const context& ctx) {
  cache_ = graft::use_prefix_cache(model_, folder, ctx);
  return cache_->layers();
}

template <class M>
bool tunable_of<M>::fill_prefix_cache(std::span<const features> rows, context& ctx, const prefix_progress& progress,
                                      const std::atomic<bool>* stop) {
  if (!cache_) throw error("fill_prefix_cache: the model uses none; use_prefix_cache comes first");
  return graft::fill_prefix_cache(model_, *cache_, rows, ctx, progress, stop);
}

template <class M>
std::optional<evaluation> tunable_of<M>::evaluate(const task& t, std::span<const features> rows, index batch_size, context& ctx,
                                                  const std::atomic<bool>* stop, index tokens) const {
  return graft::evaluate(model_, t, rows, batch_size, ctx, stop, tokens);
}

template <class M>
std::optional<matrix<double>> tunable_of<M>::predict_logits(std::span<const features> rows, index batch_size, context& ctx,
                                                            const std::atomic<bool>* stop, index tokens) const {
  return graft::predict_logits(model_, rows, batch_size, ctx, stop, tokens);
}

template <class M>
std::vector<std::vector<double>> tunable_of<M>::mixing_weights() const {
  std::vector<std::vector<double>> all;
  if constexpr (std::is_same_v<M, multi_adapter_classifier<typename M::precision>>) {
    for (const auto& l : model_.trunk.layers) {
      for (const auto* s : {&l.attention_site, &l.feed_site}) {
        if (s->fusion) return all;  // it has one for each token
        matrix<real> w(1, s->mix->count());
        s->mix->forward(w);
        all.emplace_back(w.data(), w.data() + w.size());
      }
    }
  }
  return all;
}

template <class M>
void tunable_of<M>::save(const std::string& path, const std::map<std::string, std::string>& metadata, bool everything) const {
  if (everything) return save_everything(const_cast<M&>(model_), path, metadata);
  save_parameters(const_cast<M&>(model_), path, metadata,
                  [extra_saved = extra_saved_norms()](const auto& p) { return is_tuned(p) || extra_saved.contains(p.name); });
}

template <class M>
std::set<std::string> tunable_of<M>::extra_saved_norms() const {
  std::set<std::string> names;
  if constexpr (std::is_same_v<M, adapter_classifier<typename M::precision>>) {
    if (!description.layer_norms_trained) return names;
    auto& trunk = const_cast<M&>(model_).trunk;
    const auto add = [&](auto& norm) { norm.for_each_parameter([&](const auto& p) { names.insert(p.name); }); };
    add(trunk.embedded.norm);
    for (auto& l : trunk.layers) {
      add(l.attention_site.norm);
      add(l.feed_site.norm);
      for (auto* norm : {&l.attention_norm, &l.feed_norm}) {
        if (*norm) add(**norm);
      }
    }
  }
  return names;
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class tunable_of<plain_classifier<GRAFT_PRECISION>>;
template class tunable_of<adapter_classifier<GRAFT_PRECISION>>;
template class tunable_of<multi_adapter_classifier<GRAFT_PRECISION>>;
#endif

}  // namespace graft::detail
