#pragma once
// The model and the batches that whole steps are measured with: roberta-base's shape, random weights.

#include "graft/core/context.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"
#include "graft/optim/adamw.hpp"
#include "graft/optim/schedule.hpp"
#include "graft/train/evaluation.hpp"
#include "graft/train/micro_batch_gradients.hpp"
#include "graft/train/training_options.hpp"

namespace graft_benchmark {

using graft::index;

inline graft::encoder_config roberta_base() {
  graft::encoder_config c;
  c.model_type = "roberta";
  c.vocab_size = 50265;
  c.hidden_size = 768;
  c.num_hidden_layers = 12;
  c.num_attention_heads = 12;
  c.intermediate_size = 3072;
  c.max_position_embeddings = 514;
  c.type_vocab_size = 1;
  c.layer_norm_eps = 1e-5;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = 0.1;
  c.hidden_act = "gelu";
  c.pad_token_id = 1;
  return c;
}

inline graft::batch sequences(index count, index length) {
  graft::batch b;
  for (index i = 0; i < count; ++i) {
    graft::features row;
    for (index t = 0; t < length; ++t) row.input_ids.push_back(3 + static_cast<std::int32_t>((i * 7919 + t * 104729) % 50000));
    row.label = static_cast<std::int32_t>(i % 2);
    b.add(row);
  }
  return b;
}

/// Operations of the trunk's matrix products for a forward; a backward to the lowest layer has as many again. Of the last layer's
/// queries, and of all behind its attention, one token of a sequence is computed.
inline double trunk_operations(const graft::encoder_config& c, const graft::batch& b) {
  const double h = static_cast<double>(c.hidden_size), f = static_cast<double>(c.intermediate_size);
  const double before = 3 * h * h, behind = h * h + 2 * h * f;
  const double tokens = static_cast<double>(b.rows() * c.num_hidden_layers);
  return 2.0 * (tokens * (before + behind) - static_cast<double>(b.rows() - b.size()) * (h * h + behind));
}

/// Random values.
template <class M>
void fill(M& model) {
  model.for_each_parameter([](auto& p) {
    if (p.role != graft::parameter_role::layer_norm) graft::draw_normal(p, 0.02, 1);
  });
}

/// One adapter of size 64 at every site, or what O says, ready to be trained.
template <class P>
graft::adapter_classifier<P> adapter_model(const graft::adapter_options& o = {64}) {
  auto model = graft::make_adapter_classifier<P>(roberta_base(), 2, o);
  fill(model);
  graft::tune_adapters(model);
  graft::pack_frozen(model, true, omp_get_max_threads());
  return model;
}

/// A mix of ADAPTERS and the base, ready to be trained.
template <class P>
graft::multi_adapter_classifier<P> mix_model(index adapters) {
  graft::multi_adapter_options o;
  for (index k = 0; k < adapters; ++k) o.adapters.push_back({"a" + std::to_string(k)});
  auto model = graft::make_multi_adapter_classifier<P>(roberta_base(), 2, o, 1);
  fill(model);
  graft::tune_mix(model, graft::multi_adapter_ft_mode::base);
  graft::pack_frozen(model, true, omp_get_max_threads());
  return model;
}

/// A model with what its training needs.
template <class M>
class training {
 public:
  explicit training(M& model, double rate = 1e-4)
      : model_(model), rate_(rate), parameters_(graft::trainable_parameters(model)), optimizer_(parameters_, {}) {}

  graft::context ctx;

  /// Forward, loss, backward, clipping, AdamW.
  double step(const graft::batch& b) {
    const graft::training_step step(ctx, ++steps_);
    const index tokens = graft::training_options().micro_batch_tokens;
    const double loss = gradient_.add(model_, b, graft::task_kind::classification, 1.0F, tokens, ctx).loss;
    graft::clip_gradients(parameters_, 1.0, ctx);
    optimizer_.step(rate_, 1e-2, ctx.threads);
    optimizer_.zero_gradients();
    return loss;
  }

 private:
  M& model_;
  double rate_;
  std::uint64_t steps_ = 0;
  std::vector<graft::parameter<float>*> parameters_;
  graft::adamw<float> optimizer_;
  graft::micro_batch_gradients<M> gradient_;
};

}  // namespace graft_benchmark
