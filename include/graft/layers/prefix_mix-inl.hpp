#pragma once
// Bodies of graft/layers/prefix_mix.hpp.

#include "graft/core/parallel.hpp"
#include "graft/layers/prefix_mix.hpp"
#include "graft/ops/column_sum.hpp"

namespace graft {

namespace detail {

/// y = FACTOR x + BETA y
template <class From, class To>
void add_scaled(const_view<From> x, double factor, double beta, view<To> y, int threads) {
  using real = decltype(number(From()));
  parallel_for(x.rows(), 16, threads, [&](index begin, index end) {
    for (index r = begin; r < end; ++r) {
      const From* from = x.row_data(r);
      To* to = y.row_data(r);
      for (index c = 0; c < x.cols(); ++c) {
        const real before = beta == 0 ? real(0) : static_cast<real>(beta) * number(to[c]);
        to[c] = static_cast<To>(before + static_cast<real>(factor) * number(from[c]));
      }
    }
  });
}

}  // namespace detail

template <class P>
auto prefix_mix<P>::current(context& ctx) const -> std::pair<view<real>, real> {
  const view<real> w = weights->current(ctx);
  real rest = 1;
  for (const auto& m : members) rest -= w(0, m.number);
  return {w, rest};
}

template <class P>
void prefix_mix<P>::forward(const_view<real> x, const_view<operand> q, const_view<operand> kv, view<operand> c, saved* s,
                            const ops::attention_options& o, const ops::score_numbers<P>& more, context& ctx) const {
  scratch::mark mark(ctx.memory);
  const auto [w, rest] = current(ctx);
  const index width = q.cols();
  if (s != nullptr) {
    s->alone.assign(c);
    s->with.resize(members.size());
  }
  view<real> sum = ctx.memory.take<real>(c.rows(), width);
  detail::add_scaled<operand, real>(c, static_cast<double>(rest), 0, sum, ctx.threads);
  for (std::size_t i = 0; i < members.size(); ++i) {
    scratch::mark member_mark(ctx.memory);
    const attention_prefix<P>& prefix = members[i].by;
    auto* saved_one = s != nullptr ? &s->with[i] : nullptr;
    const view<operand> all =
        saved_or_scratch(part_of(saved_one, &saved::one::kv), kv.rows() + prefix.length() * ctx.sequences(), 2 * width, ctx);
    const view<operand> one = saved_or_scratch(part_of(saved_one, &saved::one::c), c.rows(), width, ctx);
    prefix.forward(x, kv, all, part_of(saved_one, &saved::one::prefix), ctx);
    ops::attention_options behind = o;
    behind.in_front = prefix.length();
    ops::attention_forward<P>(q, all.window(0, 0, all.rows(), width), all.window(0, width, all.rows(), width), one, behind, ctx, more);
    detail::add_scaled<operand, real>(one, static_cast<double>(w(0, members[i].number)), 1, sum, ctx.threads);
  }
  convert_rows(const_view<real>(sum), c, ctx.threads);
}

template <class P>
auto prefix_mix<P>::backward(const_view<operand> dc, const_view<operand> x, const_view<operand> q, const_view<operand> kv, const saved& s,
                             view<operand> dq, view<operand> dkv, view<real>* dx, real beta, ops::attention_options o,
                             const ops::score_numbers<P>& more, context& ctx) -> real {
  scratch::mark mark(ctx.memory);
  const auto [w, rest] = current(ctx);
  const index width = q.cols();
  view<real> dw = ctx.memory.take<real>(1, w.cols());
  dw.setZero();
  view<operand> part = ctx.memory.take<operand>(dc.rows(), width);
  const auto through = [&](real weight, const_view<operand> keys_values, view<operand> d_query, view<operand> d_keys_values, index front) {
    detail::add_scaled<operand, operand>(dc, static_cast<double>(weight), 0, part, ctx.threads);
    const auto half = [&](const auto& m, index i) { return m.window(0, i * width, m.rows(), width); };
    o.in_front = front;
    ops::attention_backward<P>(part, q, half(keys_values, 0), half(keys_values, 1), d_query, half(d_keys_values, 0), half(d_keys_values, 1),
                               o, ctx, more);
  };
  through(rest, kv, dq, dkv, 0);
  for (std::size_t i = 0; i < members.size(); ++i) {
    scratch::mark member_mark(ctx.memory);
    const typename saved::one& saved_one = s.with[i];
    const index number_of = members[i].number;
    view<operand> dq_i = ctx.memory.take<operand>(dq.rows(), width), dkv_i = ctx.memory.take<operand>(dkv.rows(), 2 * width);
    view<operand> all = ctx.memory.take<operand>(saved_one.kv.rows(), 2 * width);
    through(w(0, number_of), saved_one.kv, dq_i, all, members[i].by.length());
    beta = members[i].by.backward(all, x, saved_one.prefix, dkv_i, dx, beta, ctx);
    detail::add_scaled<operand, operand>(dq_i, 1, 1, dq, ctx.threads);
    detail::add_scaled<operand, operand>(dkv_i, 1, 1, dkv, ctx.threads);
    const const_view<operand> with = saved_one.c, alone = s.alone;
    ops::sum_blocks<real>(dc.rows(), dw.window(0, number_of, 1, 1), ctx, [&](index begin, index end, view<real> sum) {
      for (index r = begin; r < end; ++r) {
        for (index c = 0; c < width; ++c) sum(0, 0) += number(dc(r, c)) * (number(with(r, c)) - number(alone(r, c)));
      }
    });
  }
  weights->backward(dw, w, ctx);
  return beta;
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class prefix_mix<GRAFT_PRECISION>;
#endif

}  // namespace graft
