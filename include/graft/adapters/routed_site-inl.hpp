#pragma once
// Bodies of graft/adapters/routed_site.hpp.

#include <algorithm>

#include "graft/adapters/routed_site.hpp"
#include "graft/core/compiled.hpp"

namespace graft {

template <class P>
void routed_site<P>::forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
  if (s != nullptr) s->runs.resize(ctx.routes().size());
  for_each_run(ctx, [&]<class S>(const S* site, std::size_t run, index row, index rows) {
    typename S::saved* site_saved = nullptr;
    if (s != nullptr) {
      site_saved = std::get_if<typename S::saved>(&s->runs[run]);  // memory that was there is used again
      if (site_saved == nullptr) site_saved = &s->runs[run].template emplace<typename S::saved>();
    }
    site->forward(h.window(row, 0, rows, h.cols()), x.window(row, 0, rows, x.cols()), y.window(row, 0, rows, y.cols()), site_saved, ctx);
  });
}

template <class P>
void routed_site<P>::backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
  for_each_run(ctx, [&]<class S>(S* site, std::size_t run, index row, index rows) {
    const auto part = [&](view<real>* d) { return d != nullptr ? d->window(row, 0, rows, d->cols()) : view<real>(nullptr, 0, 0); };
    view<real> run_dh = part(dh), run_dx = part(dx);
    site->backward(dy.window(row, 0, rows, dy.cols()), std::get<typename S::saved>(s.runs[run]), dh != nullptr ? &run_dh : nullptr,
                   dx != nullptr ? &run_dx : nullptr, ctx);
  });
}

template <class P>
bool routed_site<P>::reads_sequences() const {
  return std::any_of(choices.begin(), choices.end(),
                     [](const choice& one) { return std::visit([](const auto* site) { return site->reads_sequences(); }, one); });
}

template <class P>
template <class F>
void routed_site<P>::for_each_run(context& ctx, F&& f) const {
  const std::span<const index> offsets = ctx.offsets(), routes = ctx.routes();
  if (offsets.empty() || routes.size() + 1 != offsets.size()) {
    throw shape_error("a routed site: " + std::to_string(routes.size()) + " sequences have a route, a number for each of " +
                      std::to_string(std::max(std::ssize(offsets), index{1}) - 1) + " is needed");
  }
  std::size_t run = 0;
  for (std::size_t first = 0, last = 0; first < routes.size(); first = last, ++run) {
    while (last < routes.size() && routes[last] == routes[first]) ++last;
    if (routes[first] < 0 || routes[first] >= std::ssize(choices)) {
      throw shape_error("a routed site: there is no site " + std::to_string(routes[first]) + " among " + std::to_string(choices.size()));
    }
    scratch::mark mark(ctx.memory);
    view<index> run_offsets = ctx.memory.take<index>(static_cast<index>(last - first) + 1, 1);
    for (std::size_t i = first; i <= last; ++i) run_offsets(static_cast<index>(i - first), 0) = offsets[i] - offsets[first];
    const auto run_sequences = ctx.with_sequences({run_offsets.data(), last - first + 1});
    const batch_part part(ctx, offsets[first], static_cast<index>(first));
    const bool tokens = ctx.rows() == rows_of::tokens;
    const index row = tokens ? offsets[first] : static_cast<index>(first), end = tokens ? offsets[last] : static_cast<index>(last);
    std::visit([&](auto* site) { f(site, run, row, end - row); }, choices[static_cast<std::size_t>(routes[first])]);
  }
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class routed_site<GRAFT_PRECISION>;
#endif

}  // namespace graft
