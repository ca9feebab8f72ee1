#pragma once
// Bodies of graft/encoder/encoder_layer.hpp.

#include "graft/core/compiled.hpp"
#include "graft/encoder/encoder_layer.hpp"

namespace graft {

template <class P, site Site>
void encoder_layer<P, Site>::forward(const_view<real> x, view<real> y, saved* s, context& ctx, rows_of wanted) const {
  const bool attention_kept = s != nullptr && (s->wants_dx || is_trainable(attention));
  const bool feed_kept = s != nullptr && (attention_kept || is_trainable(attention_site) || is_trainable(feed));
  scratch::mark mark(ctx.memory);
  const bool all = wanted == rows_of::tokens;
  if (s != nullptr) s->wanted = wanted;
  view<real> h = ctx.memory.take<real>(y.rows(), x.cols());
  view<real> middle = ctx.memory.take<real>(y.rows(), x.cols());
  view<real> cls_rows = ctx.memory.take<real>(all ? 0 : y.rows(), x.cols());
  if (!all) ops::gather_first_rows<real>(x, cls_rows, ctx);
  attention.forward(x, h, attention_kept ? &s->attention : nullptr, ctx, wanted);
  attention_site.forward(h, all ? x : const_view<real>(cls_rows), middle, s != nullptr ? &s->attention_site : nullptr, ctx);
  feed.forward(middle, h, feed_kept ? &s->feed : nullptr, ctx, wanted);
  feed_site.forward(h, middle, y, s != nullptr ? &s->feed_site : nullptr, ctx);
}

template <class P, site Site>
void encoder_layer<P, Site>::backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
  const bool into_attention = dx != nullptr || is_trainable(attention);
  const bool into_first_half = into_attention || is_trainable(attention_site);
  const bool into_feed = into_first_half || is_trainable(feed);
  scratch::mark mark(ctx.memory);
  view<real> dh = ctx.memory.take<real>(dy.rows(), dy.cols());
  view<real> dmiddle = ctx.memory.take<real>(dy.rows(), dy.cols());
  feed_site.backward(dy, s.feed_site, into_feed ? &dh : nullptr, into_first_half ? &dmiddle : nullptr, ctx);
  if (into_feed) feed.backward(dh, s.feed, into_first_half ? &dmiddle : nullptr, ctx, real(1));
  if (!into_first_half) return;
  const bool all = dx == nullptr || s.wanted == rows_of::tokens;
  view<real> dcls_rows = ctx.memory.take<real>(all ? 0 : dy.rows(), dy.cols());
  attention_site.backward(dmiddle, s.attention_site, into_attention ? &dh : nullptr, all ? dx : &dcls_rows, ctx);
  if (!all) ops::scatter_first_rows<real>(dcls_rows, *dx, ctx);
  if (into_attention) attention.backward(dh, s.attention, dx, ctx, real(1));
}

}  // namespace graft
