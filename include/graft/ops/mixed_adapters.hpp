#pragma once
// The fused multi-adapter: all branches of a site over tiles of rows that stay in cache. Frozen branches only.

#include <omp.h>

#include <algorithm>
#include <new>
#include <span>

#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/types.hpp"
#include "graft/gemm/gemm.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/column_sum.hpp"
#include "graft/ops/epilogues.hpp"
#include "graft/ops/layer_norm.hpp"

namespace graft::ops {

/// The adapter of a branch. Borrowed memory.
template <class P>
struct mixed_adapter_weights {
  index size;  // K
  activation act;
  bool behind_norm;                      // it reads LN_k(h + x), not h
  product_weight<P> down, up;            // of y = x W^T + b
  product_weight<P> down_back, up_back;  // of dx = dy W
};

/// One frozen branch k: LN_k, and the adapter A_k unless there is none, as in the base. Borrowed memory.
template <class P>
struct mixed_branch {
  const_view<typename P::real> gain, shift;  // of LN_k, (1, H)
  typename P::real eps;
  const mixed_adapter_weights<P>* adapter = nullptr;

  index size() const { return adapter != nullptr ? adapter->size : 0; }
};

/// What the backward pass needs of the forward one.
template <class P>
struct mixed_adapters_saved {
  buffer<typename P::operand> sum;  // h + x (N, H)
  buffer<typename P::operand> z;    // all z_k side by side (N, sum K)
};

namespace detail {

inline constexpr index mixed_tile = sum_piece;  // rows, those of one piece of a sum; what a thread holds of them stays in cache

/// The weights WHICH of all adapters as kernels read them, in scratch memory.
template <class P>
std::span<const packed_b<P>> mixed_factors(std::span<const mixed_branch<P>> branches, product_weight<P> mixed_adapter_weights<P>::*which,
                                           context& ctx) {
  const auto all = ctx.memory.take_array<packed_b<P>>(branches.size());
  for (std::size_t k = 0; k < all.size(); ++k) {
    const auto* adapter = branches[k].adapter;
    new (&all[k]) packed_b<P>(adapter != nullptr ? (adapter->*which).packed(ctx) : packed_b<P>(nullptr, 0, 0));
  }
  return all;
}

/// What all threads work in, in scratch memory: each at a tile of rows.
template <class P>
struct mixed_memory {
  mixed_memory(std::span<const mixed_branch<P>> branches, index all_columns, context& ctx)
      : width(all_columns),
        widest(std::ranges::max_element(branches, {}, &mixed_branch<P>::size)->size()),
        path(graft::detail::path_of<P>(ctx)),
        reals(ctx.memory.take_rows<typename P::real>(ctx.threads, mixed_tile * (width + widest) + std::max(width, widest))),
        operands(ctx.memory.take_rows<typename P::operand>(ctx.threads,
                                                           packed_a<P>::size(mixed_tile, width) + packed_a<P>::size(mixed_tile, widest))) {}

  index width, widest;  // H, the largest K
  tile_path path;
  view<typename P::real> reals;
  view<typename P::operand> operands;
};

/// That of this thread, at N rows, and the tile unit.
template <class P>
struct mixed_workspace {
  using real = typename P::real;
  using operand = typename P::operand;

  mixed_workspace(const mixed_memory<P>& m, index n)
      : unit(m.path),
        path(m.path),
        u(m.reals.row_data(omp_get_thread_num()), n, m.width),
        z(u.data() + mixed_tile * m.width, n, m.widest),
        own(z.data() + mixed_tile * m.widest, 1, std::max(m.width, m.widest)),
        input(m.operands.row_data(omp_get_thread_num()), n, m.width),
        activated(input.panel(0) + packed_a<P>::size(mixed_tile, m.width)) {}

  const graft::detail::tile_unit unit;
  const tile_path path;
  view<real> u, z, own;  // (N, H), (N, K), one row of either
  packed_a<P> input;     // (N, H)
  operand* activated;    // (N, K), packed

  /// NUMBERS (N, K) and W, every block of which goes through EPILOGUES.
  template <class... E>
  void product(const view<real>& numbers, const packed_b<P>& w, const E&... epilogues) const {
    packed_a<P> left(activated, numbers.rows(), numbers.cols());
    left.fill(transpose::no, numbers);
    serial_product<P>(left, w, path, epilogues...);
  }
  /// u = sum + a(z_k) W_up^T + b_up; the base's u is the sum alone.
  void branch_output(const mixed_branch<P>& b, const packed_b<P>& up, const const_view<operand>& sum, const const_view<operand>& z_k) {
    for (index r = 0; r < sum.rows(); ++r) convert(sum.row_data(r), u.row_data(r), u.cols());
    if (b.adapter == nullptr) return;
    view<real> active = z.window(0, 0, sum.rows(), b.size());
    for (index r = 0; r < sum.rows(); ++r) {
      convert(z_k.row_data(r), active.row_data(r), b.size());
      activate_row<real>(b.adapter->act, active.row(r), active.row(r));
    }
    product(active, up, add{u}, add_row<real>{{b.adapter->up.bias, 1, u.cols()}}, store{u});
  }
};

}  // namespace detail

/// c = sum_k w_k LN_k(h + x + U_k(t)), t = h or LN_k(h + x)          h, x, c (N, H), w (1, M)
/// Saved: h + x and the z_k; normalizations and up-projections are recomputed by backward.
/// Source: the same formula as the plain loop of multi_adapter_site.   Tested: tests/adapters/multi_adapter_site_test.cpp
template <class P>
void mixed_adapters_forward(const_view<typename P::real> h, const_view<typename P::real> x, std::span<const mixed_branch<P>> branches,
                            const_view<typename P::real> w, view<typename P::real> c, mixed_adapters_saved<P>* s, context& ctx) {
  using real = typename P::real;
  using operand = typename P::operand;
  const timed time(ctx.times, operation::mixed_adapters);
  const index rows = h.rows(), width = h.cols();
  index total = 0;
  for (const auto& b : branches) total += b.size();
  scratch::mark mark(ctx.memory);
  view<operand> sum = s != nullptr ? s->sum.resize(rows, width) : ctx.memory.take<operand>(rows, width);
  view<operand> z = s != nullptr ? s->z.resize(rows, total) : ctx.memory.take<operand>(rows, total);
  const auto downs = detail::mixed_factors<P>(branches, &mixed_adapter_weights<P>::down, ctx);
  const auto ups = detail::mixed_factors<P>(branches, &mixed_adapter_weights<P>::up, ctx);
  const detail::mixed_memory<P> memory(branches, width, ctx);
  parallel_for(rows, detail::mixed_tile, ctx.threads, [&](index begin, index end) {
    const index n = end - begin;
    detail::mixed_workspace<P> work(memory, n);
    const auto of = [&](const auto& m) { return m.window(begin, 0, n, m.cols()); };
    view<real> u = work.u;
    u = of(h) + of(x);
    for (index r = 0; r < n; ++r) convert(u.row_data(r), sum.row_data(begin + r), width);
    bool packed_h = false;
    of(c).setZero();
    index first = 0;
    for (std::size_t k = 0; k < branches.size(); ++k) {
      const mixed_branch<P>& b = branches[k];
      const auto gain = b.gain.row(0).array(), shift = b.shift.row(0).array();
      view<operand> z_k = z.window(begin, first, n, b.size());
      if (b.adapter != nullptr) {
        const auto& a = *b.adapter;
        if (a.behind_norm) {
          for (index r = 0; r < n; ++r) {
            convert(sum.row_data(begin + r), u.row_data(r), width);
            normalize_row<real>(u.row(r), u.row(r), b.eps);
            u.row(r).array() = u.row(r).array() * gain + shift;
          }
          work.input.fill(transpose::no, u);
          packed_h = false;
        } else if (!packed_h) {
          work.input.fill(transpose::no, of(h));
          packed_h = true;
        }
        serial_product<P>(work.input, downs[k], work.path, add_row<real>{{a.down.bias, 1, a.size}}, store{z_k});
      }
      work.branch_output(b, ups[k], of(sum), z_k);
      for (index r = 0; r < n; ++r) {
        normalize_row<real>(u.row(r), u.row(r), b.eps);
        c.row(begin + r).array() += w(0, static_cast<index>(k)) * (u.row(r).array() * gain + shift);
      }
      first += b.size();
    }
  });
}

/// dw_k += <dc, y_k>;   dx = sum_k (w_k dc through LN_k), and through U_k where that reads LN_k(h + x);   dh = the same, and through U_k
/// where that reads h.   dh, dx: skipped when null.
template <class P>
void mixed_adapters_backward(const_view<typename P::real> dc, std::span<const mixed_branch<P>> branches, const mixed_adapters_saved<P>& s,
                             const_view<typename P::real> w, view<typename P::real> dw, view<typename P::real>* dh,
                             view<typename P::real>* dx, context& ctx) {
  using real = typename P::real;
  using operand = typename P::operand;
  const timed time(ctx.times, operation::mixed_adapters);
  const index rows = dc.rows(), width = dc.cols();
  const const_view<operand> sum = s.sum, z = s.z;
  const bool inputs = dh != nullptr || dx != nullptr;
  scratch::mark mark(ctx.memory);
  view<real> dsum = ctx.memory.take<real>(rows, width);
  const auto ups = detail::mixed_factors<P>(branches, &mixed_adapter_weights<P>::up, ctx);
  const auto ups_back = detail::mixed_factors<P>(branches, &mixed_adapter_weights<P>::up_back, ctx);
  const auto downs_back = detail::mixed_factors<P>(branches, &mixed_adapter_weights<P>::down_back, ctx);
  const detail::mixed_memory<P> memory(branches, width, ctx);
  sum_pieces<real>(rows, dw, ctx, [&](index begin, index end, view<real> dw_piece) {
    const index n = end - begin;
    detail::mixed_workspace<P> work(memory, n);
    const auto of = [&](const auto& m) { return m.window(begin, 0, n, m.cols()); };
    view<real> u = work.u;
    if (dh != nullptr) of(*dh).setZero();
    of(dsum).setZero();
    index first = 0;
    for (std::size_t k = 0; k < branches.size(); ++k) {
      const mixed_branch<P>& b = branches[k];
      const real weight = w(0, static_cast<index>(k));
      const auto gain = b.gain.row(0).array(), shift = b.shift.row(0).array();
      const const_view<operand> z_k = z.window(begin, first, n, b.size());
      first += b.size();
      work.branch_output(b, ups[k], of(sum), z_k);
      for (index r = 0; r < n; ++r) {
        auto row = u.row(r);
        const real scale = normalize_row<real>(row, row, b.eps);
        const auto dc_row = dc.row(begin + r).array();
        dw_piece(0, static_cast<index>(k)) += (dc_row * (row.array() * gain + shift)).sum();
        if (inputs) normalize_row_backward<real>((weight * dc_row * gain).matrix(), row, scale, row);
      }
      if (!inputs) continue;
      of(dsum) += u;
      if (b.adapter == nullptr || (dh == nullptr && !b.adapter->behind_norm)) continue;
      const auto& a = *b.adapter;
      view<real> dz = work.z.window(0, 0, n, a.size);
      work.input.fill(transpose::no, u);
      serial_product<P>(work.input, ups_back[k], work.path, store{dz});
      for (index r = 0; r < n; ++r) {
        const real* z_row = piece_as<real>(z_k, r, 0, a.size, work.own.data());
        activate_row_backward<real>(a.act, dz.row(r), const_view<real>(z_row, 1, a.size).row(0), dz.row(r));
      }
      if (!a.behind_norm) {
        work.product(dz, downs_back[k], accumulate{of(*dh)});
        continue;
      }
      work.product(dz, downs_back[k], store{u});
      view<real> own = work.own.window(0, 0, 1, width);
      for (index r = 0; r < n; ++r) {
        convert(sum.row_data(begin + r), own.data(), width);
        const real scale = normalize_row<real>(own.row(0), own.row(0), b.eps);
        normalize_row_backward<real>((u.row(r).array() * gain).matrix(), own.row(0), scale, own.row(0));
        dsum.row(begin + r) += own.row(0);
      }
    }
    if (dh != nullptr) of(*dh) += of(dsum);
    if (dx != nullptr) of(*dx) = of(dsum);
  });
}

}  // namespace graft::ops
