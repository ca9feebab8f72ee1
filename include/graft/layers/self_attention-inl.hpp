#pragma once
// Bodies of graft/layers/self_attention.hpp.

#include "graft/core/compiled.hpp"
#include "graft/layers/self_attention.hpp"
#include "graft/ops/attention_core.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

template <class P>
self_attention<P>::self_attention(const std::string& prefix, const options& o)
    : query(prefix + ".self.query", o.hidden_size, o.hidden_size),
      key(prefix + ".self.key", o.hidden_size, o.hidden_size),
      value(prefix + ".self.value", o.hidden_size, o.hidden_size),
      output(prefix + ".output.dense", o.hidden_size, o.hidden_size),
      options_(o) {}

template <class P>
void self_attention<P>::forward(const_view<real> x, view<real> h, saved* s, context& ctx, rows_of wanted) const {
  const index width = options_.hidden_size;
  const bool all = wanted == rows_of::tokens;
  if (s != nullptr) s->wanted = wanted;
  scratch::mark mark(ctx.memory);
  const auto room = [&](buffer<operand> saved::*kept, index rows, index cols) {
    return s != nullptr ? (s->*kept).resize(rows, cols) : ctx.memory.take<operand>(rows, cols);
  };
  view<operand> q = room(&saved::q, h.rows(), width);
  view<operand> own = prefix ? ctx.memory.take<operand>(x.rows(), 2 * width) : room(&saved::kv, x.rows(), 2 * width);
  const auto write = [&](index which, index row, index col, const auto& block) {
    ops::write_block(block, which == 0 ? q : own.window(0, (which - 1) * width, own.rows(), width), row, col);
  };
  if (s != nullptr && needs_input()) convert_rows(x, s->x.resize(x.rows(), width), ctx.threads);
  const auto packed = query.pack(x, ctx);
  if (all) {
    linear<P>::template forward_blocks<3>({&query, &key, &value}, packed, ctx, write);
  } else {
    view<real> cls_rows = ctx.memory.take<real>(h.rows(), width);
    ops::gather_first_rows<real>(x, cls_rows, ctx);
    query.forward_blocks(query.pack(cls_rows, ctx), ctx, [&](index row, index col, const auto& block) { write(0, row, col, block); });
    linear<P>::template forward_blocks<2>({&key, &value}, packed, ctx,
                                          [&](index which, index row, index col, const auto& block) { write(which + 1, row, col, block); });
  }
  const index in_front = prefix ? prefix->length() : 0;
  view<operand> kv = prefix ? room(&saved::kv, x.rows() + in_front * ctx.sequences(), 2 * width) : own;
  if (prefix) prefix->forward(x, own, kv, s != nullptr ? &s->prefix : nullptr, ctx);
  const auto part = [&](index i) { return kv.window(0, i * width, kv.rows(), width); };
  const bool keeps = s != nullptr && output.needs_input();
  view<operand> attended = keeps ? s->output.x.resize(h.rows(), width) : ctx.memory.take<operand>(h.rows(), width);
  ops::attention_forward<P>(q, part(0), part(1), attended, options_.heads, options_.attention_dropout, options_.dropout_stream, ctx, wanted,
                            in_front);
  if (mix) {
    mix->forward(x, q, kv, attended, s != nullptr ? &s->mix : nullptr,
                 {options_.heads, options_.attention_dropout, options_.dropout_stream, wanted}, ctx);
  }
  const ops::matrix_dropout<real> mask(options_.hidden_dropout, options_.dropout_stream + 1, wanted, width, ctx);
  output.forward_blocks(packed_a<P>::pack(transpose::no, const_view<operand>(attended), ctx), ctx,
                        [&](index row, index col, view<real> block) {
                          mask.apply(block, row, col);
                          ops::write_block(block, h, row, col);
                        });
}

template <class P>
void self_attention<P>::backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta) {
  const index width = options_.hidden_size;
  const const_view<operand> kv = s.kv;
  const auto part = [&](const auto& m, index i) { return m.window(0, i * width, m.rows(), width); };
  scratch::mark mark(ctx.memory);
  view<real> dprojected = ctx.memory.take<real>(dh.rows(), width);
  ops::dropout<real>(dh, dprojected, options_.hidden_dropout, options_.dropout_stream + 1, s.wanted, ctx);
  output.accumulate_gradients(const_view<real>(dprojected), s.output.x.get(), ctx);
  const bool trains_prefix = (prefix && is_trainable(*prefix)) || (mix && is_trainable(*mix));
  if (dx == nullptr && !is_trainable(query) && !is_trainable(key) && !is_trainable(value) && !trains_prefix) return;
  view<operand> dattended = ctx.memory.take<operand>(dh.rows(), width);
  output.backward_blocks(packed_a<P>::pack(transpose::no, const_view<real>(dprojected), ctx), ctx,
                         [&](index row, index col, const auto& block) { ops::write_block(block, dattended, row, col); });
  view<operand> dq = ctx.memory.take<operand>(dh.rows(), width), dkv = ctx.memory.take<operand>(kv.rows(), 2 * width);
  const index in_front = prefix ? prefix->length() : 0;
  if (mix) {
    beta = mix->backward(dattended, s.x.get(), s.q, kv, s.mix, dq, dkv, dx, beta,
                         {options_.heads, options_.attention_dropout, options_.dropout_stream, s.wanted}, ctx);
  } else {
    ops::attention_backward<P>(dattended, s.q, part(kv, 0), part(kv, 1), dq, part(dkv, 0), part(dkv, 1), options_.heads,
                               options_.attention_dropout, options_.dropout_stream, ctx, s.wanted, in_front);
  }
  view<operand> own = prefix ? ctx.memory.take<operand>(kv.rows() - in_front * ctx.sequences(), 2 * width) : dkv;
  if (prefix) beta = prefix->backward(dkv, s.x.get(), s.prefix, own, dx, beta, ctx);
  const const_view<operand> dk = part(own, 0), dv = part(own, 1);
  const bool all = s.wanted == rows_of::tokens;
  view<operand> cls_rows = ctx.memory.take<operand>(!all && query.needs_input() ? dh.rows() : 0, width);
  if (cls_rows.rows() > 0) ops::gather_first_rows<operand>(s.x, cls_rows, ctx);
  query.accumulate_gradients(const_view<operand>(dq), all ? s.x.get() : const_view<operand>(cls_rows), ctx);
  key.accumulate_gradients(dk, s.x.get(), ctx);
  value.accumulate_gradients(dv, s.x.get(), ctx);
  if (dx == nullptr) return;
  const auto packed = [&](const const_view<operand>& d) { return packed_a<P>::pack(transpose::no, d, ctx); };
  if (all) {
    linear<P>::template input_gradient<3>({&query, &key, &value}, {packed(dq), packed(dk), packed(dv)}, beta, *dx, ctx);
  } else {
    linear<P>::template input_gradient<2>({&key, &value}, {packed(dk), packed(dv)}, beta, *dx, ctx);
    view<real> dcls_rows = ctx.memory.take<real>(dh.rows(), width);
    query.input_gradient(packed(dq), real(0), dcls_rows, ctx);
    ops::add_to_first_rows<real>(dcls_rows, *dx, ctx);
  }
}

template <class P>
bool self_attention<P>::needs_input() const {
  return query.needs_input() || key.needs_input() || value.needs_input() || (prefix && prefix->needs_input()) ||
         (mix && mix->needs_input());
}

}  // namespace graft
