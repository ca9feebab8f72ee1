#pragma once
// A site where a batch of several models goes through the sites of all of them.

#include <cstddef>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/multi_adapter_site.hpp"
#include "graft/adapters/plain_site.hpp"

namespace graft {

/// y_s = site_r(h_s, x_s),   r = ctx.routes()[s]: the rows of sequence s go through the site that is chosen for it
/// Backward:  each row's through its own site.
/// What stands around the site sees one batch, whoever answers its rows. Sequences of one site should stand side by side: they go through
/// it together.
/// @param  h, x  (N, H) sub-layer output and residual; or (B, H), of first tokens            @param[out] y  like h
/// Saved: what the sites save.
/// @throws shape_error  ctx.routes() does not have a number for each sequence of ctx.offsets(), or one that no site has
/// Source: none.   Tested: tests/adapters/routed_site_test.cpp
template <class P>
class routed_site {
 public:
  using real = typename P::real;
  using choice = std::variant<plain_site<P>*, adapter_site<P>*, multi_adapter_site<P>*>;
  struct saved {
    std::vector<std::variant<typename plain_site<P>::saved, typename adapter_site<P>::saved, typename multi_adapter_site<P>::saved>> runs;
  };

  void forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx);

  bool reads_sequences() const;

  void for_each_parameter(parameter_visitor<real> f) {
    for (const choice& one : choices) std::visit([&](auto* site) { site->for_each_parameter(f); }, one);
  }

  std::vector<choice> choices;  // somebody else's sites, by their numbers

 private:
  /// f(site, number of the run, its first row, its rows) for every run of sequences that one site is chosen for, with a context for them.
  template <class F>
  void for_each_run(context& ctx, F&& f) const;
};

static_assert(site<routed_site<f64>> && site<routed_site<f32>> && site<routed_site<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/routed_site-inl.hpp"  // IWYU pragma: export
#endif
