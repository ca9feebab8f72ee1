#pragma once
// Bodies of graft/encoder/encoder_layer.hpp.

#include "graft/core/compiled.hpp"
#include "graft/encoder/encoder_layer.hpp"

namespace graft {

template <class P, site Site>
void encoder_layer<P, Site>::forward(const_view<real> x, view<real> y, saved* s, context& ctx, rows_of wanted, bool wants_dx) const {
  if (feed_norm) {
    forward_pre_norm(x, y, s, ctx, wanted, wants_dx);
    return;
  }
  const bool saves_attention = s != nullptr && (wants_dx || is_trainable(attention));
  const bool saves_feed = s != nullptr && (saves_attention || is_trainable(attention_site) || is_trainable(feed));
  scratch::mark mark(ctx.memory);
  const bool all = wanted == rows_of::tokens;
  if (s != nullptr) s->wanted = wanted;
  view<real> h = ctx.memory.take<real>(y.rows(), x.cols());
  view<real> middle = ctx.memory.take<real>(y.rows(), x.cols());
  view<real> cls_rows = ctx.memory.take<real>(all ? 0 : y.rows(), x.cols());
  if (!all) ops::gather_first_rows<real>(x, cls_rows, ctx);
  attention.forward(x, h, saves_attention ? &s->attention : nullptr, ctx, wanted);
  const auto rows = ctx.with_rows(wanted);
  attention_site.forward(h, all ? x : const_view<real>(cls_rows), middle, s != nullptr ? &s->attention_site : nullptr, ctx);
  feed.forward(middle, h, saves_feed ? &s->feed : nullptr, ctx);
  feed_site.forward(h, middle, y, s != nullptr ? &s->feed_site : nullptr, ctx);
}

template <class P, site Site>
void encoder_layer<P, Site>::backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
  if (feed_norm) {
    backward_pre_norm(dy, s, dx, ctx);
    return;
  }
  const bool into_attention = dx != nullptr || is_trainable(attention);
  const bool into_first_half = into_attention || is_trainable(attention_site);
  const bool into_feed = into_first_half || is_trainable(feed);
  scratch::mark mark(ctx.memory);
  const auto rows = ctx.with_rows(s.wanted);
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

template <class P, site Site>
void encoder_layer<P, Site>::forward_pre_norm(const_view<real> x, view<real> y, saved* s, context& ctx, rows_of wanted,
                                              bool wants_dx) const {
  const bool saves_norm = s != nullptr && (wants_dx || (attention_norm && is_trainable(*attention_norm)));
  const bool saves_attention = saves_norm || (s != nullptr && is_trainable(attention));
  const bool saves_feed_norm = s != nullptr && (saves_attention || is_trainable(attention_site) || is_trainable(*feed_norm));
  const bool saves_feed = saves_feed_norm || (s != nullptr && is_trainable(feed));
  scratch::mark mark(ctx.memory);
  const bool all = wanted == rows_of::tokens;
  if (s != nullptr) s->wanted = wanted;
  view<real> h = ctx.memory.take<real>(y.rows(), x.cols()), middle = ctx.memory.take<real>(y.rows(), x.cols());
  view<real> normal = ctx.memory.take<real>(attention_norm ? x.rows() : 0, x.cols());
  if (attention_norm) attention_norm->forward(x, normal, saves_norm ? &s->attention_norm : nullptr, ctx);
  const const_view<real> n = attention_norm ? const_view<real>(normal) : x;
  attention.forward(n, h, saves_attention ? &s->attention : nullptr, ctx, wanted);
  const auto rows = ctx.with_rows(wanted);
  view<real> cls_rows = ctx.memory.take<real>(all ? 0 : y.rows(), x.cols());
  if (!all) ops::gather_first_rows<real>(n, cls_rows, ctx);
  attention_site.forward(h, all ? n : const_view<real>(cls_rows), middle, s != nullptr ? &s->attention_site : nullptr, ctx);
  if (!all) ops::gather_first_rows<real>(x, cls_rows, ctx);
  ops::add_rows<real>(all ? x : const_view<real>(cls_rows), middle, ctx);
  view<real> k = ctx.memory.take<real>(y.rows(), x.cols());
  feed_norm->forward(middle, k, saves_feed_norm ? &s->feed_norm : nullptr, ctx);
  feed.forward(k, h, saves_feed ? &s->feed : nullptr, ctx);
  feed_site.forward(h, k, y, s != nullptr ? &s->feed_site : nullptr, ctx);
  ops::add_rows<real>(middle, y, ctx);
}

template <class P, site Site>
void encoder_layer<P, Site>::backward_pre_norm(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
  const bool into_norm = dx != nullptr || (attention_norm && is_trainable(*attention_norm));
  const bool into_attention = into_norm || is_trainable(attention);
  const bool into_first_half = into_attention || is_trainable(attention_site);
  const bool into_feed_norm = into_first_half || is_trainable(*feed_norm);
  const bool into_feed = into_feed_norm || is_trainable(feed);
  scratch::mark mark(ctx.memory);
  const auto rows = ctx.with_rows(s.wanted);
  view<real> dh = ctx.memory.take<real>(dy.rows(), dy.cols()), dk = ctx.memory.take<real>(dy.rows(), dy.cols());
  feed_site.backward(dy, s.feed_site, into_feed ? &dh : nullptr, into_feed_norm ? &dk : nullptr, ctx);
  if (into_feed) feed.backward(dh, s.feed, into_feed_norm ? &dk : nullptr, ctx, real(1));
  if (into_feed_norm) feed_norm->backward(dk, s.feed_norm, into_first_half ? &dk : nullptr, ctx);
  if (!into_first_half) return;
  ops::add_rows<real>(dy, dk, ctx);  // of the middle
  const bool all = s.wanted == rows_of::tokens;
  view<real> dn = dx != nullptr ? *dx : ctx.memory.take<real>(into_norm ? ctx.offsets().back() : 0, dy.cols());
  view<real> cls_dn = ctx.memory.take<real>(all || !into_norm ? 0 : dy.rows(), dy.cols());
  view<real>* const from_site = all ? &dn : &cls_dn;
  attention_site.backward(dk, s.attention_site, into_attention ? &dh : nullptr, into_norm ? from_site : nullptr, ctx);
  if (!all && into_norm) ops::scatter_first_rows<real>(cls_dn, dn, ctx);
  if (into_attention) attention.backward(dh, s.attention, into_norm ? &dn : nullptr, ctx, real(1));
  if (into_norm && attention_norm) attention_norm->backward(dn, s.attention_norm, dx != nullptr ? &dn : nullptr, ctx);
  if (dx == nullptr) return;
  if (all) {
    ops::add_rows<real>(dk, dn, ctx);
  } else {
    ops::add_to_first_rows<real>(dk, dn, ctx);
  }
}

}  // namespace graft
