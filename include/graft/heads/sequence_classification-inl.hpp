#pragma once
// Bodies of graft/heads/sequence_classification.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/range.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/heads/head_names.hpp"
#include "graft/heads/sequence_classification.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

template <class P>
sequence_classification<P>::sequence_classification(const encoder_config& c, index classes, std::uint64_t dropout_stream,
                                                    const head_options& o)
    : out_proj(head_names(c).out_proj, c.hidden_size, classes),
      options_(o),
      pretrained_dense_(family_of(c.model_type).trunk_pooler),
      dropout_(o.tokens && family_of(c.model_type).head_dropout_for_texts_only ? c.hidden_dropout_prob
                                                                               : c.classifier_dropout.value_or(c.hidden_dropout_prob)),
      input_dropout_(c.pooler_dropout.value_or(family_of(c.model_type).drops_head_input ? dropout_ : 0)),
      dropout_stream_(dropout_stream) {
  check_range("the number of a head's dense layers", static_cast<double>(o.dense_layers), ranges::dense_layers);
  for (index i = 0; i < o.dense_layers; ++i) {
    dense.emplace_back(head_names(c).dense_layer(i), c.hidden_size, c.hidden_size, parameter_role::weight, c.classifier_bias);
  }
  if (family_of(c.model_type).pre_norm && o.dense_layers > 0) {
    norm.emplace(c.model_type + ".pooler.norm", c.hidden_size, c.layer_norm_eps, c.norm_bias);
  }
}

template <class P>
void sequence_classification<P>::forward(const_view<real> h, view<real> logits, saved* s, context& ctx) const {
  scratch::mark mark(ctx.memory);
  view<real> t = ctx.memory.take<real>(h.rows(), h.cols()), dropped = ctx.memory.take<real>(h.rows(), h.cols());
  ops::dropout<real>(h, dropped, dropout(0), dropout_stream_, rows_of::sequences, ctx);
  if (s != nullptr) s->dense.resize(dense.size());
  for (std::size_t i = 0; i < dense.size(); ++i) {
    dense[i].forward(dropped, t, s != nullptr ? &s->dense[i].linear : nullptr, ctx);
    if (s != nullptr) s->dense[i].z.assign(t);
    for (index r = 0; r < t.rows(); ++r) ops::activate_row<real>(act(i), t.row(r), t.row(r));
    if (i == 0 && norm) norm->forward(t, t, s != nullptr ? &s->norm : nullptr, ctx);
    ops::dropout<real>(t, dropped, dropout(i + 1), dropout_stream_ + i + 1, rows_of::sequences, ctx);
  }
  out_proj.forward(dropped, logits, s != nullptr ? &s->out_proj : nullptr, ctx);
}

template <class P>
void sequence_classification<P>::backward(const_view<real> dlogits, const saved& s, view<real>* dh, context& ctx) {
  scratch::mark mark(ctx.memory);
  const bool below = dh != nullptr || !dense.empty();
  view<real> d = dense.empty() && dh != nullptr ? *dh : ctx.memory.take<real>(below ? dlogits.rows() : 0, out_proj.in());
  out_proj.backward(dlogits, s.out_proj, below ? &d : nullptr, ctx);
  if (below) ops::dropout<real>(d, dropout(dense.size()), dropout_stream_ + dense.size(), rows_of::sequences, ctx);
  for (std::size_t i = dense.size(); i-- > 0;) {
    if (i == 0 && norm) norm->backward(d, s.norm, &d, ctx);
    const const_view<real> z = s.dense[i].z;
    for (index r = 0; r < z.rows(); ++r) ops::activate_row_backward<real>(act(i), d.row(r), z.row(r), d.row(r));
    dense[i].accumulate_gradients(const_view<real>(d), s.dense[i].linear, ctx);
    if (i == 0 && dh == nullptr) return;
    view<real> below_it = i == 0 ? *dh : ctx.memory.take<real>(d.rows(), d.cols());
    dense[i].product_back(d, s.dense[i].linear, ctx, ops::store{below_it});
    ops::dropout<real>(below_it, dropout(i), dropout_stream_ + i, rows_of::sequences, ctx);
    if (i > 0) d = below_it;
  }
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class sequence_classification<GRAFT_PRECISION>;
#endif

}  // namespace graft
