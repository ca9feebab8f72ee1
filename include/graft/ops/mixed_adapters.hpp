#pragma once
// The fused multi-adapter: all branches of a site over tiles of rows that stay in cache. Frozen branches only.

#include <omp.h>

#include <algorithm>
#include <cmath>
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
  buffer<typename P::real> norms;   // mu and r of LN_k, of all k side by side (N, 2 M)
};

namespace detail {

/// The weights WHICH of all adapters as kernels read them, in scratch memory.
template <class P>
std::span<const packed_b<P>> packed_weights(std::span<const mixed_branch<P>> branches, product_weight<P> mixed_adapter_weights<P>::*which,
                                            context& ctx) {
  const auto all = ctx.memory.take_array<packed_b<P>>(branches.size());
  for (std::size_t k = 0; k < all.size(); ++k) {
    const auto* adapter = branches[k].adapter;
    new (&all[k]) packed_b<P>(adapter != nullptr ? (adapter->*which).packed(ctx) : packed_b<P>(nullptr, 0, 0));
  }
  return all;
}

inline constexpr index mixed_block = 64;  // rows: enough for products, few enough that what is computed of them stays in cache

/// What all threads work in, in scratch memory: each at a tile of rows, a branch at a time, which goes over its blocks.
template <class P>
struct mixed_memory {
  mixed_memory(std::span<const mixed_branch<P>> branches, index all_columns, context& ctx)
      : width(all_columns),
        widest(std::ranges::max_element(branches, {}, &mixed_branch<P>::size)->size()),
        path(graft::detail::path_of<P>(ctx)),
        tile(ctx.threads <= 1 ? 128 : 64),
        reals(ctx.memory.take_rows<typename P::real>(ctx.threads, mixed_block * width + std::max(width, widest))),
        operands(ctx.memory.take_rows<typename P::operand>(
            ctx.threads, packed_a<P>::size(tile, width) + (1 + std::ssize(branches)) * packed_a<P>::size(tile, widest))),
        lefts(ctx.memory.take_array<packed_a<P>>(ctx.threads * branches.size())),
        rights(ctx.memory.take_array<packed_b<P>>(ctx.threads * branches.size())) {}

  index width, widest;  // H, the largest K
  tile_path path;
  index tile;  // rows that pass when a weight has come from memory
  view<typename P::real> reals;
  view<typename P::operand> operands;
  std::span<packed_a<P>> lefts;
  std::span<packed_b<P>> rights;
};

/// That of this thread, at a tile, and the tile unit.
template <class P>
struct mixed_workspace {
  using real = typename P::real;
  using operand = typename P::operand;

  explicit mixed_workspace(const mixed_memory<P>& m)
      : unit(m.path),
        path(m.path),
        u(m.reals.row_data(omp_get_thread_num()), mixed_block, m.width),
        row_memory(u.data() + mixed_block * m.width, 1, std::max(m.width, m.widest)),
        input(m.operands.row_data(omp_get_thread_num()), m.tile, m.width),
        inner(input.panel(0) + packed_a<P>::size(m.tile, m.width)) {}

  const graft::detail::tile_unit unit;
  const tile_path path;
  view<real> u, row_memory;  // (64, H), one row
  packed_a<P> input;         // (tile, H)
  operand* inner;            // (64, K), packed, and of all branches (tile, K)

  /// N rows of F from ROW on, a multiple of 32.
  static packed_a<P> rows_of(const packed_a<P>& f, index row, index n) { return {f.panel(row / packed_a<P>::format::side), n, f.depth()}; }
  /// A row of FROM as numbers, in the memory of one row.
  view<real> row_of(const const_view<operand>& from, index r) {
    convert(from.row_data(r), row_memory.data(), from.cols());
    return row_memory.window(0, 0, 1, from.cols());
  }
  /// u = sum + a(z_k) W_up^T + b_up; the base's u is the sum alone.
  void branch_output(const mixed_branch<P>& b, const packed_b<P>& up, const const_view<operand>& sum, const const_view<operand>& z_k) {
    if (b.adapter == nullptr) {
      for (index r = 0; r < sum.rows(); ++r) convert(sum.row_data(r), u.row_data(r), u.cols());
      return;
    }
    const packed_a<P> active(inner, sum.rows(), b.size());
    for (index r = 0; r < sum.rows(); ++r) {
      view<real> row = row_of(z_k, r);
      activate_row<real>(b.adapter->act, row.row(0), row.row(0));
      active.store(r, 0, row);
    }
    serial_product<P>(active, up, path, [&](index row, index col, view<real>& block) {
      const real* bias = b.adapter->up.bias + col;
      for_each_row(block, [&](index i, auto width) {
        const real* from = block.row_data(i);
        const operand* residual = sum.row_data(row + i) + col;
        real* to = u.row_data(row + i) + col;
#pragma omp simd
        for (index c = 0; c < width; ++c) to[c] = from[c] + number(residual[c]) + bias[c];
      });
    });
  }
};

}  // namespace detail

/// c = sum_k w_k LN_k(h + x + U_k(t)), t = h or LN_k(h + x)          h, x, c (N, H), w (1, M)
/// Saved: h + x, the z_k, and each row's mu and r; up-projections are recomputed by backward.
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
  view<real> norms = s != nullptr ? s->norms.resize(rows, 2 * std::ssize(branches)) : view<real>(nullptr, 0, 0);
  const auto downs = detail::packed_weights<P>(branches, &mixed_adapter_weights<P>::down, ctx);
  const auto ups = detail::packed_weights<P>(branches, &mixed_adapter_weights<P>::up, ctx);
  const detail::mixed_memory<P> memory(branches, width, ctx);
  parallel_for(rows, memory.tile, ctx.threads, [&](index begin, index end) {
    detail::mixed_workspace<P> work(memory);
    for (index r = begin; r < end; ++r) {
      work.row_memory.leftCols(width) = h.row(r) + x.row(r);
      convert(work.row_memory.data(), sum.row_data(r), width);
      c.row(r).setZero();
    }
    bool packed_h = false;
    index first = 0;
    for (std::size_t k = 0; k < branches.size(); ++k) {
      const mixed_branch<P>& b = branches[k];
      const real weight = w(0, static_cast<index>(k));
      for (index at = begin; at < end; at += detail::mixed_block) {
        const index n = std::min(detail::mixed_block, end - at);
        view<operand> z_k = z.window(at, first, n, b.size());
        const const_view<operand> sums = sum.window(at, 0, n, width);
        if (b.adapter != nullptr) {
          const auto& a = *b.adapter;
          packed_a<P> input = work.rows_of(work.input, at - begin, n);
          if (a.behind_norm) {
            for (index r = 0; r < n; ++r) {
              view<real> row = work.row_of(sums, r);
              normalize_row<real>(row.row(0), row.row(0), b.eps);
              row.array() = row.array() * b.gain.array() + b.shift.array();
              input.store(r, 0, row);
            }
          } else if (!packed_h) {
            input.fill(transpose::no, h.window(at, 0, n, width));
          }
          serial_product<P>(input, downs[k], work.path, add_row<real>{{a.down.bias, 1, a.size}}, store{z_k});
        }
        work.branch_output(b, ups[k], sums, z_k);
        for (index r = 0; r < n; ++r) {
          const real *u = work.u.row_data(r), *gain = b.gain.data(), *shift = b.shift.data();
          real* to = c.row_data(at + r);
          const row_statistics<real> norm(work.u.row(r), b.eps);
          if (s != nullptr) norms.row(at + r).segment(2 * static_cast<index>(k), 2) << norm.mean, norm.r;
#pragma omp simd
          for (index i = 0; i < width; ++i) to[i] += weight * ((u[i] - norm.mean) * norm.r * gain[i] + shift[i]);
        }
      }
      if (b.adapter != nullptr) packed_h = !b.adapter->behind_norm;
      first += b.size();
    }
  });
}

/// dw_k += <dc, y_k>;   dx = sum_k (w_k dc through LN_k), and through U_k where that reads LN_k(h + x);   dh = the same, and through U_k
/// where that reads h.   Through LN_k goes r (v - mean(v) - xhat mean(v xhat)), v = g_k w_k dc.   dh, dx: skipped when null; neither may be
/// dc's memory.
template <class P>
void mixed_adapters_backward(const_view<typename P::real> dc, std::span<const mixed_branch<P>> branches, const mixed_adapters_saved<P>& s,
                             const_view<typename P::real> w, view<typename P::real> dw, view<typename P::real>* dh,
                             view<typename P::real>* dx, context& ctx) {
  using real = typename P::real;
  using operand = typename P::operand;
  const timed time(ctx.times, operation::mixed_adapters);
  const index rows = dc.rows(), width = dc.cols();
  const const_view<operand> sum = s.sum, z = s.z;
  const const_view<real> norms = s.norms;
  const bool inputs = dh != nullptr || dx != nullptr;
  scratch::mark mark(ctx.memory);
  view<real> dots = ctx.memory.take<real>(rows, std::ssize(branches));  // <dc, y_k> of each row
  view<real> dsum = dx != nullptr ? *dx : dh != nullptr ? *dh : view<real>(nullptr, 0, 0);
  const auto ups = detail::packed_weights<P>(branches, &mixed_adapter_weights<P>::up, ctx);
  const auto ups_back = detail::packed_weights<P>(branches, &mixed_adapter_weights<P>::up_back, ctx);
  const auto downs_back = detail::packed_weights<P>(branches, &mixed_adapter_weights<P>::down_back, ctx);
  const detail::mixed_memory<P> memory(branches, width, ctx);
  parallel_for(rows, memory.tile, ctx.threads, [&](index begin, index end) {
    detail::mixed_workspace<P> work(memory);
    if (inputs) dsum.middleRows(begin, end - begin).setZero();
    operand* next = work.inner + packed_a<P>::size(detail::mixed_block, memory.widest);
    const auto lefts = memory.lefts.subspan(omp_get_thread_num() * branches.size(), branches.size());
    const auto rights = memory.rights.subspan(omp_get_thread_num() * branches.size(), branches.size());
    std::size_t terms = 0;
    index first = 0;
    for (std::size_t k = 0; k < branches.size(); ++k) {
      const mixed_branch<P>& b = branches[k];
      const auto column = static_cast<index>(k);
      const real weight = w(0, column);
      const auto* a = b.adapter;
      const bool through = inputs && a != nullptr && (dh != nullptr || a->behind_norm);
      const packed_a<P> all_dz(next, end - begin, b.size());
      for (index at = begin; at < end; at += detail::mixed_block) {
        const index n = std::min(detail::mixed_block, end - at);
        const const_view<operand> z_k = z.window(at, first, n, b.size()), sums = sum.window(at, 0, n, width);
        const packed_a<P> input = work.rows_of(work.input, 0, n);
        work.branch_output(b, ups[k], sums, z_k);
        for (index r = 0; r < n; ++r) {
          const real *u = work.u.row_data(r), *dy = dc.row_data(at + r), *gain = b.gain.data(), *shift = b.shift.data();
          const real m = norms(at + r, 2 * column), r_k = norms(at + r, 2 * column + 1);
          real with_xhat = 0, with_gain = 0, with_shift = 0;  // <dc, gain xhat> / r, <dc, gain>, <dc, shift>
#pragma omp simd reduction(+ : with_xhat, with_gain, with_shift)
          for (index i = 0; i < width; ++i) {
            with_xhat += dy[i] * gain[i] * (u[i] - m);
            with_gain += dy[i] * gain[i];
            with_shift += dy[i] * shift[i];
          }
          dots(at + r, column) = r_k * with_xhat + with_shift;
          if (!inputs) continue;
          const real mean = with_gain / real(width), scale = weight * r_k, projection = r_k * r_k * with_xhat / real(width);
          view<real> du = work.row_memory.window(0, 0, 1, width);
          real *du_row = du.data(), *total = dsum.row_data(at + r);
#pragma omp simd
          for (index i = 0; i < width; ++i) {
            du_row[i] = scale * (dy[i] * gain[i] - mean - projection * (u[i] - m));
            total[i] += du_row[i];
          }
          if (through) input.store(r, 0, du);
        }
        if (!through) continue;
        const packed_a<P> dz = work.rows_of(all_dz, at - begin, n);
        serial_product<P>(input, ups_back[k], work.path, activate_backward<operand>{a->act, z_k}, store{dz});
        if (!a->behind_norm) continue;
        serial_product<P>(dz, downs_back[k], work.path, store{work.u});
        for (index r = 0; r < n; ++r) {
          view<real> row = work.row_of(sums, r);
          const real scale = normalize_row<real>(row.row(0), row.row(0), b.eps);
          normalize_row_backward<real>((work.u.row(r).array() * b.gain.array()).matrix(), row.row(0), scale, row.row(0));
          dsum.row(at + r) += row.row(0);
        }
      }
      first += b.size();
      if (!through || a->behind_norm) continue;
      new (&lefts[terms]) packed_a<P>(all_dz);
      new (&rights[terms++]) packed_b<P>(downs_back[k]);
      next += packed_a<P>::size(memory.tile, b.size());
    }
    if (dh == nullptr) return;
    const const_view<real> from = dsum.window(begin, 0, end - begin, width);
    view<real> to = dh->window(begin, 0, end - begin, width);
    if (terms == 0) {
      to = from;
    } else {
      using format = typename packed_a<P>::format;
      graft::detail::blocks<P>(lefts.first(terms), rights.first(terms), {0, format::panels(end - begin)}, {0, format::panels(width)},
                               work.path, nullptr, in_order<P>(add{from}, store{to}));
    }
  });
  sum_blocks<real>(rows, dw, ctx, [&](index begin, index end, view<real> total) {
    for (index r = begin; r < end; ++r) total += dots.row(r);
  });
}

}  // namespace graft::ops
