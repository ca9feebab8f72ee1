#pragma once
// Bodies of graft/adapters/plain_site.hpp.

#include "graft/adapters/no_adapter.hpp"
#include "graft/adapters/plain_site.hpp"
#include "graft/core/compiled.hpp"

namespace graft {

template <class P>
void plain_site<P>::forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
  no_adapter<P>().forward(h, x, norm, y, s, ctx);
}

template <class P>
void plain_site<P>::backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
  no_adapter<P>().backward(dy, s, norm, dh, dx, ctx);
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class plain_site<GRAFT_PRECISION>;
#endif

}  // namespace graft
