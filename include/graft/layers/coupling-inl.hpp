#pragma once
// Bodies of graft/layers/coupling.hpp.

#include "graft/core/number_text.hpp"
#include "graft/core/range.hpp"
#include "graft/layers/coupling.hpp"
#include "graft/ops/activation.hpp"

namespace graft {

template <class P>
void coupling<P>::forward(const_view<real> x, view<real> y, saved* s, context& ctx) const {
  const index half = x.cols() / 2, rest = x.cols() - half;
  if (x.data() != y.data()) y = x;
  const view<real> first = y.window(0, 0, y.rows(), half), second = y.window(0, half, y.rows(), rest);
  add(f, second, first, s != nullptr ? &s->f : nullptr, ctx);
  add(g, first, second, s != nullptr ? &s->g : nullptr, ctx);
}

template <class P>
void coupling<P>::backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx) {
  scratch::mark mark(ctx.memory);
  const index half = dy.cols() / 2, rest = dy.cols() - half;
  view<real> scratch_d = ctx.memory.take<real>(dx != nullptr ? 0 : dy.rows(), dy.cols());
  view<real> d = dx != nullptr ? *dx : scratch_d;
  if (d.data() != dy.data()) d = dy;
  view<real> first = d.window(0, 0, d.rows(), half), second = d.window(0, half, d.rows(), rest);
  add_backward(g, second, s.g, &first, ctx);
  add_backward(f, first, s.f, dx != nullptr ? &second : nullptr, ctx);
}

template <class P>
typename coupling<P>::network coupling<P>::make(const std::string& prefix, index in, index out, double reduction) {
  if (!ranges::adapter_size.contains(static_cast<double>(in) / reduction)) {
    throw config_error("inv_adapter_reduction_factor is " + number_text(reduction) + ": " + std::to_string(in) +
                       " / inv_adapter_reduction_factor is an invertible adapter's width, " + ranges::adapter_size.text() +
                       " was expected");
  }
  const auto width = static_cast<index>(static_cast<double>(in) / reduction);
  return {{prefix + ".down_project", in, width, parameter_role::adapter}, {prefix + ".up_project", width, out, parameter_role::adapter}};
}

template <class P>
void coupling<P>::add(const network& n, const_view<real> t, view<real> y, typename saved::network* s, context& ctx) const {
  scratch::mark mark(ctx.memory);
  const index width = n.down_project.out();
  view<real> a = ctx.memory.take<real>(t.rows(), width), update = ctx.memory.take<real>(t.rows(), y.cols());
  n.down_project.forward(t, a, s != nullptr ? &s->down : nullptr, ctx);
  if (s != nullptr) s->z.assign(a);
  for (index r = 0; r < a.rows(); ++r) ops::activate_row<real>(act_, a.row(r), a.row(r));
  n.up_project.forward(a, update, s != nullptr ? &s->up : nullptr, ctx);
  y += update;
}

template <class P>
void coupling<P>::add_backward(network& n, const_view<real> dy, const typename saved::network& s, view<real>* dt, context& ctx) {
  scratch::mark mark(ctx.memory);
  const bool deeper = dt != nullptr || is_trainable(n.down_project);
  view<real> da = ctx.memory.take<real>(deeper ? dy.rows() : 0, n.down_project.out());
  n.up_project.backward(dy, s.up, deeper ? &da : nullptr, ctx);
  const const_view<real> z = s.z;
  for (index r = 0; r < da.rows(); ++r) ops::activate_row_backward<real>(act_, da.row(r), z.row(r), da.row(r));
  if (!deeper) return;
  n.down_project.accumulate_gradients(const_view<real>(da), s.down, ctx);
  if (dt != nullptr) n.down_project.product_back(da, s.down, ctx, ops::accumulate{*dt});
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class coupling<GRAFT_PRECISION>;
#endif

}  // namespace graft
