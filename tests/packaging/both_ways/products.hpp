#pragma once
// Numbers of products.

#include <vector>

#include "graft/gemm/gemm.hpp"

namespace {

/// Of a product on operands of P, some of them tiny.
template <class P>
void add_product(std::vector<double>& all) {
  graft::matrix<typename P::real> a(37, 70), b(70, 45), c(37, 45);
  for (graft::index i = 0; i < a.size(); ++i)
    a.data()[i] = static_cast<typename P::real>((i * 37 % 101 - 50) / 7. * (i % 11 == 0 ? 1e-39 : 1));
  for (graft::index i = 0; i < b.size(); ++i) b.data()[i] = static_cast<typename P::real>((i * 53 % 97 - 48) / 9.);
  graft::context ctx;
  graft::multiply<P>(graft::transpose::no, graft::const_view<typename P::real>(a), graft::transpose::no,
                     graft::const_view<typename P::real>(b), 0, graft::view<typename P::real>(c), ctx);
  all.insert(all.end(), c.data(), c.data() + c.size());
}

}  // namespace
