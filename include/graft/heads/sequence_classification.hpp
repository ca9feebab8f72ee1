#pragma once
// From hidden states to logits.

#include <optional>
#include <vector>

#include "graft/core/layer.hpp"
#include "graft/encoder/config.hpp"
#include "graft/heads/head_options.hpp"
#include "graft/layers/layer_norm.hpp"
#include "graft/layers/linear.hpp"

namespace graft {

/// t_0 = h,   t_i = a(z_i),   z_i = drop(t_(i-1)) W_i^T + b_i,   logits = drop(t_D) W_o^T + b_o.   Regression: C = 1.
/// In a ModernBERT t_1 = LN(a(z_1)), and W_1, LN come with the encoder as BERT's pooler does.
/// D = 1 and a = tanh unless told otherwise. BERT: the first dense layer is the pretrained pooler, tuned with the head, and its input is
/// not dropped, nor is DistilBERT's. Backward:  dz_D = (dlogits W_o) a'(z_D);   dz_(i-1) = (dz_i W_i) a'(z_(i-1));   dh = dz_1 W_1
/// @param  h  (B, H) the first token of every sequence, or of every word that is asked for its tag      @param[out] logits  (B, C)
/// Saved: the z_i (B, H); what the linear layers save.
/// Source: transformers' RobertaClassificationHead; BertPooler and BertForSequenceClassification; *ForTokenClassification.   Tested:
/// tests/heads/sequence_classification_test.cpp
template <class P>
class sequence_classification {
 public:
  using real = typename P::real;
  struct saved {
    struct dense_layer {
      typename linear<P>::saved linear;
      buffer<real> z;
    };
    std::vector<dense_layer> dense;
    typename layer_norm<P>::saved norm;
    typename linear<P>::saved out_proj;
  };

  /// RoBERTa: parameters classifier.dense.* and classifier.out_proj.*   BERT: bert.pooler.dense.* and classifier.*   ModernBERT:
  /// modernbert.pooler.norm.*, too.   Further dense layers: classifier.dense_2.*, ...
  sequence_classification(const encoder_config& c, index classes, std::uint64_t dropout_stream, const head_options& o = {});

  index classes() const { return out_proj.out(); }
  /// Whether it answers for words, each by its first token, in place of whole texts.
  bool answers_for_words() const { return options_.tokens; }
  /// Whether the first dense layer comes with the trunk (BERT), rather than fresh.
  bool pretrained_dense() const { return pretrained_dense_; }

  void forward(const_view<real> h, view<real> logits, saved* s, context& ctx) const;
  void backward(const_view<real> dlogits, const saved& s, view<real>* dh, context& ctx);

  void for_each_parameter(parameter_visitor<real> f) {
    for (auto& layer : dense) layer.for_each_parameter(f);
    if (norm) norm->for_each_parameter(f);
    out_proj.for_each_parameter(f);
  }

  std::vector<linear<P>> dense;       // the layers in front of the last
  linear<P> out_proj;                 // the last one, with a row a label
  std::optional<layer_norm<P>> norm;  // LN

 private:
  activation act(std::size_t layer) const { return layer == 0 && options_.pooler ? activation::tanh : options_.act; }
  double dropout(std::size_t layer) const { return layer == 0 && !dense.empty() ? input_dropout_ : dropout_; }

  head_options options_;
  bool pretrained_dense_;
  double dropout_;
  double input_dropout_;
  std::uint64_t dropout_stream_;  // this and the next ones
};

static_assert(layer<sequence_classification<f64>> && layer<sequence_classification<f32>> && layer<sequence_classification<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/heads/sequence_classification-inl.hpp"  // IWYU pragma: export
#endif
