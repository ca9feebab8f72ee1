#pragma once
// Bodies of graft/adapters/plain_site.hpp.

#include "graft/adapters/plain_site.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/parallel.hpp"

namespace graft {

template <class P>
void plain_site<P>::forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
  const const_view<real> residual = norm.residual(x);
  norm.forward(h, residual, y, s, ctx);
}

template <class P>
void plain_site<P>::backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
  view<real>* first = dh != nullptr ? dh : dx;
  norm.backward(dy, s, first, ctx);
  if (dh != nullptr && dx != nullptr) convert_rows(const_view<real>(*dh), *dx, ctx.threads);
  if (dx != nullptr && !norm.normalizes()) dx->setZero();
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class plain_site<GRAFT_PRECISION>;
#endif

}  // namespace graft
