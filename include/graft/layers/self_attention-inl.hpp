#pragma once
// Bodies of graft/layers/self_attention.hpp.

#include <algorithm>

#include "graft/layers/self_attention.hpp"
#include "graft/ops/attention_core.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

template <class P>
self_attention<P>::self_attention(const std::string& prefix, const options& o)
    : query(prefix + (o.fused ? ".self.query_key_value" : ".self.query"), o.hidden_size, o.fused ? 3 * o.hidden_size : o.hidden_size,
            parameter_role::weight, o.biased),
      key(prefix + ".self.key", o.fused ? 0 : o.hidden_size, o.fused ? 0 : o.hidden_size, parameter_role::weight, o.biased),
      value(prefix + ".self.value", o.fused ? 0 : o.hidden_size, o.fused ? 0 : o.hidden_size, parameter_role::weight, o.biased),
      output(prefix + ".output.dense", o.hidden_size, o.hidden_size, parameter_role::weight, o.biased),
      options_(o) {}

template <class P>
void self_attention<P>::forward(const_view<real> x, view<real> h, saved* s, context& ctx, rows_of wanted) const {
  const index width = options_.hidden_size;
  const bool all = wanted == rows_of::tokens;
  if (s != nullptr) s->wanted = wanted;
  scratch::mark mark(ctx.memory);
  view<operand> q = saved_or_scratch(part_of(s, &saved::q), h.rows(), width, ctx);
  view<operand> token_kv =
      prefix ? ctx.memory.take<operand>(x.rows(), 2 * width) : saved_or_scratch(part_of(s, &saved::kv), x.rows(), 2 * width, ctx);
  if (s != nullptr && needs_input()) convert_rows(x, s->x.resize(x.rows(), width), ctx.threads);
  if (options_.fused) {
    scratch::mark of_all(ctx.memory);
    view<operand> queries = all ? q : ctx.memory.take<operand>(x.rows(), width);
    query.product(x, nullptr, ctx, ops::store{queries}, ops::store{token_kv, width});
    rotary->rotate(queries, options_.heads, false, ctx);
    rotary->rotate(token_kv.window(0, 0, token_kv.rows(), width), options_.heads, false, ctx);
    if (!all) ops::gather_first_rows<operand>(queries, q, ctx);
  } else if (all) {
    linear<P>::products({&query, &key, &value}, x, ctx, ops::store{q}, ops::store{token_kv, width});
  } else {
    view<real> cls_rows = ctx.memory.take<real>(h.rows(), width);
    ops::gather_first_rows<real>(x, cls_rows, ctx);
    linear<P>::products({&key, &value}, x, ctx, ops::store{token_kv});
    const auto rows = ctx.with_rows(wanted);
    query.product(cls_rows, nullptr, ctx, ops::store{q});
  }
  const ops::attention_options how = attention(wanted);
  view<operand> kv =
      prefix ? saved_or_scratch(part_of(s, &saved::kv), x.rows() + how.in_front * ctx.sequences(), 2 * width, ctx) : token_kv;
  if (prefix) prefix->forward(x, token_kv, kv, s != nullptr ? &s->prefix : nullptr, ctx);
  const auto part = [&](index i) { return kv.window(0, i * width, kv.rows(), width); };
  const view<operand> attended = output.input_rows(part_of(s, &saved::output), h.rows(), ctx);
  const ops::score_numbers<P> more = score_numbers(false, ctx);
  const auto attend = [&](const auto& scores) {
    ops::attention_forward<P>(q, part(0), part(1), attended, how, ctx, scores, mix ? nullptr : part_of(s, &saved::attention));
  };
  disentangled() ? attend(distances_of(nullptr, false, ctx).scores) : attend(more);
  if (mix) mix->forward(x, q, kv, attended, s != nullptr ? &s->mix : nullptr, how, more, ctx);
  const auto rows = ctx.with_rows(wanted);
  const ops::matrix_dropout<real> mask(options_.hidden_dropout, options_.dropout_stream + 1, wanted, width, ctx);
  output.product(attended, ctx, mask, ops::store{h});
}

template <class P>
void self_attention<P>::backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta) {
  const index width = options_.hidden_size;
  const const_view<operand> kv = s.kv;
  const auto part = [&](const auto& m, index i) { return m.window(0, i * width, m.rows(), width); };
  scratch::mark mark(ctx.memory);
  const auto rows = ctx.with_rows(s.wanted);
  view<real> dprojected = ctx.memory.take<real>(dh.rows(), width);
  ops::dropout<real>(dh, dprojected, options_.hidden_dropout, options_.dropout_stream + 1, s.wanted, ctx);
  output.accumulate_gradients(const_view<real>(dprojected), s.output, ctx);
  const bool trains_prefix = (prefix && is_trainable(*prefix)) || (mix && is_trainable(*mix));
  const bool trains_relative = relative && is_trainable(*relative);
  if (dx == nullptr && !is_trainable(query) && !is_trainable(key) && !is_trainable(value) && !trains_prefix && !trains_relative) return;
  view<operand> dattended = ctx.memory.take<operand>(dh.rows(), width);
  output.product_back(dprojected, s.output, ctx, ops::store{dattended});
  const bool all = s.wanted == rows_of::tokens;
  view<operand> d = ctx.memory.take<operand>(options_.fused ? kv.rows() : 0, 3 * width);
  view<operand> dq = options_.fused && all ? d.window(0, 0, kv.rows(), width) : ctx.memory.take<operand>(dh.rows(), width);
  view<operand> dkv = options_.fused ? d.window(0, width, kv.rows(), 2 * width) : ctx.memory.take<operand>(kv.rows(), 2 * width);
  const ops::attention_options how = attention(s.wanted);
  const ops::score_numbers<P> more = score_numbers(trains_relative, ctx);
  if (mix) {
    beta = mix->backward(dattended, s.x.get(), s.q, kv, s.mix, dq, dkv, dx, beta, how, more, ctx);
  } else if (disentangled()) {
    typename layer_norm<P>::saved norm;
    const distances far = distances_of(trains_relative ? &norm : nullptr, trains_distances(), ctx);
    ops::attention_backward<P>(dattended, s.q, part(kv, 0), part(kv, 1), dq, part(dkv, 0), part(dkv, 1), how, ctx, far.scores);
    if (trains_distances()) distances_backward(far, norm, ctx);
  } else {
    ops::attention_backward<P>(dattended, s.q, part(kv, 0), part(kv, 1), dq, part(dkv, 0), part(dkv, 1), how, ctx, more, s.attention);
  }
  if (options_.fused) return fused_backward(dq, d, s, dx, beta, ctx);
  if (more.gradient.rows() > 0) relative->numbers_backward(more.gradient, longest_sequence(ctx), ctx);
  view<operand> token_kv = prefix ? ctx.memory.take<operand>(kv.rows() - how.in_front * ctx.sequences(), 2 * width) : dkv;
  if (prefix) beta = prefix->backward(dkv, s.x.get(), s.prefix, token_kv, dx, beta, ctx);
  const const_view<operand> dk = part(token_kv, 0), dv = part(token_kv, 1);
  view<operand> cls_rows = ctx.memory.take<operand>(!all && query.needs_input() ? dh.rows() : 0, width);
  if (cls_rows.rows() > 0) ops::gather_first_rows<operand>(s.x, cls_rows, ctx);
  query.accumulate_gradients(const_view<operand>(dq), all ? s.x.get() : const_view<operand>(cls_rows), ctx);
  view<real> dcls_rows = ctx.memory.take<real>(!all && dx != nullptr ? dh.rows() : 0, width);
  if (dcls_rows.rows() > 0) query.product_back(dq, {}, ctx, ops::store{dcls_rows});
  const auto tokens = ctx.with_rows(rows_of::tokens);
  key.accumulate_gradients(dk, s.x.get(), ctx);
  value.accumulate_gradients(dv, s.x.get(), ctx);
  if (dx == nullptr) return;
  if (all) {
    linear<P>::products_back({&query, &key, &value}, {dq, dk, dv}, s.x, ctx, ops::accumulate{*dx, beta});
  } else {
    linear<P>::products_back({&key, &value}, {dk, dv}, s.x, ctx, ops::accumulate{*dx, beta});
    ops::add_to_first_rows<real>(dcls_rows, *dx, ctx);
  }
}

template <class P>
ops::attention_options self_attention<P>::attention(rows_of wanted) const {
  return {options_.heads, options_.attention_dropout,           options_.dropout_stream,
          wanted,         prefix ? prefix->length() : index{0}, options_.window > 0 ? options_.window : ops::everywhere};
}

template <class P>
void self_attention<P>::fused_backward(const_view<operand> dq, view<operand> d, const saved& s, view<real>* dx, real beta, context& ctx) {
  const index width = options_.hidden_size;
  const view<operand> queries = d.window(0, 0, d.rows(), width), keys = d.window(0, width, d.rows(), width);
  if (s.wanted != rows_of::tokens) ops::scatter_first_rows<operand>(dq, queries, ctx);
  const auto tokens = ctx.with_rows(rows_of::tokens);
  rotary->rotate(queries, options_.heads, true, ctx);
  rotary->rotate(keys, options_.heads, true, ctx);
  query.accumulate_gradients(const_view<operand>(d), s.x.get(), ctx);
  if (dx != nullptr) linear<P>::products_back({&query}, {d}, s.x, ctx, ops::accumulate{*dx, beta});
}

template <class P>
index self_attention<P>::longest_sequence(const context& ctx) {
  index longest = 1;
  for (index b = 0; b < ctx.sequences(); ++b) longest = std::max(longest, ctx.length(b));
  return longest;
}

template <class P>
auto self_attention<P>::score_numbers(bool trained, context& ctx) const -> ops::score_numbers<P> {
  if (!relative || disentangled()) return {};
  const view<real> numbers = relative->numbers(longest_sequence(ctx), ctx);
  view<real> gradient = ctx.memory.take<real>(trained ? numbers.rows() : 0, numbers.cols());
  gradient.setZero();
  return {numbers, gradient};
}

template <class P>
void self_attention<P>::precompute(int threads) {
  if (prefix) prefix->precompute(threads);
  precomputed_.reset();
  if (!disentangled() || trains_distances()) return;
  context ctx;
  ctx.threads = threads;
  const index rows = relative->table.rows(), width = options_.hidden_size;
  auto all = std::make_shared<buffer<operand>>();
  view<operand> both = all->resize(rows, 2 * width);
  view<real> vectors = ctx.memory.take<real>(rows, width);
  relative->vectors(0, vectors, nullptr, ctx);
  linear<P>::products({&key, &query}, vectors, ctx, ops::store{both});
  precomputed_ = all;
}

template <class P>
void self_attention<P>::drop_vectors(view<real> vectors, index first, context& ctx) const {
  const double p = relative->options().dropout;
  if (!ctx.training() || p <= 0) return;
  constexpr std::uint64_t apart = std::uint64_t{1} << 33;  // above every other stream
  const ops::dropout_mask<real> mask(p, ctx.stream(apart + options_.dropout_stream));
  for (index r = 0; r < vectors.rows(); ++r) {
    mask.apply(vectors.row_data(r), vectors.row_data(r), vectors.cols(), static_cast<std::uint64_t>((first + r) * vectors.cols()));
  }
}

template <class P>
auto self_attention<P>::distances_of(typename layer_norm<P>::saved* s, bool trained, context& ctx) const -> distances {
  const relative_options& o = relative->options();
  const index longest = longest_sequence(ctx), width = options_.hidden_size;
  const index first = relative->row_of(1 - longest), count = relative->row_of(longest - 1) - first + 1;
  const auto rows = relative->rows_of_distances(longest, first, ctx);
  view<real> dkeys = ctx.memory.take<real>(trained ? count : 0, width), dqueries = ctx.memory.take<real>(trained ? count : 0, width);
  dkeys.setZero();
  dqueries.setZero();
  const auto made_of = [&](const_view<real> vectors, const_view<operand> both, index row) {  // keys beside queries
    const const_view<operand> k = both.window(row, 0, o.keys ? count : 0, width), q = both.window(row, width, o.queries ? count : 0, width);
    return distances{first, vectors, {k, q, rows, longest, dkeys, dqueries}};
  };
  const bool precomputed = precomputed_ && !trains_distances() && !(ctx.training() && o.dropout > 0);
  if (precomputed) return made_of(const_view<real>(nullptr, 0, 0), precomputed_->get(), first);
  view<real> vectors = ctx.memory.take<real>(count, width);
  relative->vectors(first, vectors, s, ctx);
  drop_vectors(vectors, first, ctx);
  const auto whole = ctx.without_dropout();  // updates drop nothing of vectors that all sequences of a batch share
  view<operand> both = ctx.memory.take<operand>(count, 2 * width);
  linear<P>::products({&key, &query}, vectors, ctx, ops::store{both});
  return made_of(vectors, both, 0);
}

template <class P>
void self_attention<P>::distances_backward(const distances& d, const typename layer_norm<P>::saved& norm, context& ctx) {
  const const_view<real> r = d.vectors, dk = d.scores.dkeys, dq = d.scores.dqueries;
  view<real> dr = ctx.memory.take<real>(is_trainable(*relative) ? r.rows() : 0, r.cols());
  {
    const auto whole = ctx.without_dropout();
    key.accumulate_gradients(dk, r, ctx);
    query.accumulate_gradients(dq, r, ctx);
    if (!is_trainable(*relative)) return;
    linear<P>::products_back({&key, &query}, {dk, dq}, {nullptr, 0, 0}, ctx, ops::store{dr});
  }
  drop_vectors(dr, d.first, ctx);
  relative->vectors_backward(d.first, dr, norm, ctx);
}

template <class P>
bool self_attention<P>::needs_input() const {
  return query.needs_input() || key.needs_input() || value.needs_input() || (prefix && prefix->needs_input()) ||
         (mix && mix->needs_input());
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class self_attention<GRAFT_PRECISION>;
#endif

}  // namespace graft
