#pragma once
// From hidden states to logits.

#include "graft/core/layer.hpp"
#include "graft/encoder/config.hpp"
#include "graft/layers/linear.hpp"

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
  sequence_classification(const encoder_config& c, index classes, std::uint64_t dropout_stream);

  index classes() const { return out_proj.out(); }
  /// Whether the dense layer comes with the trunk (BERT), rather than fresh.
  bool pretrained_dense() const { return pretrained_dense_; }

  void forward(const_view<real> h, view<real> logits, saved* s, context& ctx) const;
  void backward(const_view<real> dlogits, const saved& s, view<real>* dh, context& ctx);

  template <class F>
  void for_each_parameter(F&& f) {
    dense.for_each_parameter(f);
    out_proj.for_each_parameter(f);
  }

  linear<P> dense, out_proj;

 private:
  static bool has_pooler(const encoder_config& c);

  bool pretrained_dense_;
  double first_dropout_;
  double dropout_;
  std::uint64_t dropout_stream_;  // this and the next
};

static_assert(layer<sequence_classification<f64>> && layer<sequence_classification<f32>> && layer<sequence_classification<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/heads/sequence_classification-inl.hpp"  // IWYU pragma: export
#endif
