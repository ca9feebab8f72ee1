#pragma once
// From hidden states to logits.

#include <span>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/encoder/config.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

/// logits = drop(tanh(drop(h) W_d^T + b_d)) W_o^T + b_o.   Regression: C = 1.
/// BERT: the dense layer is the pretrained pooler, tuned with the head, and its input is not dropped.
/// Backward:  dpre = (dlogits W_o) (1 - t^2);   dh = dpre W_d
/// @param  h  (B, H) the first token of every sequence            @param[out] logits  (B, C)
/// Saved: t = tanh(...) before dropout (B, H); what the two linear layers save.
/// Source: transformers' RobertaClassificationHead; BertPooler and BertForSequenceClassification.   Tested:
/// tests/heads/sequence_classification_test.cpp
template <class P>
class sequence_classification {
 public:
  using real = typename P::real;
  struct saved {
    typename linear<P>::saved dense;
    buffer<real> t;
    typename linear<P>::saved out_proj;
  };

  /// RoBERTa: parameters classifier.dense.* and classifier.out_proj.*   BERT: bert.pooler.dense.* and classifier.*
  sequence_classification(const encoder_config& c, index classes, std::uint64_t place)
      : dense(has_pooler(c) ? "bert.pooler.dense" : "classifier.dense", c.hidden_size, c.hidden_size),
        out_proj(has_pooler(c) ? "classifier" : "classifier.out_proj", c.hidden_size, classes),
        pretrained_dense_(has_pooler(c)),
        first_dropout_(has_pooler(c) ? 0 : c.classifier_dropout.value_or(c.hidden_dropout_prob)),
        dropout_(c.classifier_dropout.value_or(c.hidden_dropout_prob)),
        place_(place) {}

  index classes() const { return out_proj.out(); }
  /// Whether the dense layer comes with the trunk (BERT), rather than fresh.
  bool pretrained_dense() const { return pretrained_dense_; }

  void forward(const_view<real> h, view<real> logits, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    view<real> dropped = ctx.memory.take<real>(h.rows(), h.cols());
    ops::dropout<real>(h, dropped, first_dropout_, place_, rows_of::sequences, ctx);
    view<real> t = ctx.memory.take<real>(h.rows(), h.cols());
    dense.forward(dropped, t, s != nullptr ? &s->dense : nullptr, ctx);
    t.array() = t.array().tanh();
    if (s != nullptr) s->t.assign(t);
    ops::dropout<real>(t, dropout_, place_ + 1, rows_of::sequences, ctx);
    out_proj.forward(t, logits, s != nullptr ? &s->out_proj : nullptr, ctx);
  }
  void backward(const_view<real> dlogits, const saved& s, view<real>* dh, context& ctx) {
    scratch::mark mark(ctx.memory);
    const const_view<real> t = s.t;
    view<real> d = ctx.memory.take<real>(t.rows(), t.cols());
    out_proj.backward(dlogits, s.out_proj, &d, ctx);
    ops::dropout<real>(d, dropout_, place_ + 1, rows_of::sequences, ctx);
    d.array() *= real(1) - t.array().square();
    dense.accumulate_gradients(const_view<real>(d), s.dense.x.get(), ctx);
    if (dh == nullptr) return;
    dense.input_gradient(d, real(0), *dh, ctx);
    ops::dropout<real>(*dh, first_dropout_, place_, rows_of::sequences, ctx);
  }

  template <class F>
  void for_each_parameter(F&& f) {
    dense.for_each_parameter(f);
    out_proj.for_each_parameter(f);
  }

  linear<P> dense, out_proj;

 private:
  static bool has_pooler(const encoder_config& c) { return c.model_type == "bert"; }

  bool pretrained_dense_;
  double first_dropout_;
  double dropout_;
  std::uint64_t place_;  // this and the next
};

static_assert(layer<sequence_classification<f64>> && layer<sequence_classification<f32>> && layer<sequence_classification<bf16>>);

}  // namespace graft
