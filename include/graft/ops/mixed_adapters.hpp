#pragma once
// The fused multi-adapter: all branches of a site over tiles of rows that stay in cache. Frozen branches only.

#include <algorithm>
#include <vector>

#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/types.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/column_sum.hpp"
#include "graft/ops/layer_norm.hpp"

namespace graft::ops {

/// One frozen branch k: LN_k, and the adapter A_k unless there is none, as in the base (size 0). Borrowed memory.
template <class T>
struct mixed_branch {
  const T* norm_weight;  // (H)
  const T* norm_bias;    // (H)
  T eps;
  bool behind_norm = false;  // the adapter reads LN_k(h + x), not h
  index size = 0;            // K
  activation act = activation::gelu;
  const T* down_weight = nullptr;  // (K, H)
  const T* down_bias = nullptr;    // (K)
  const T* up_weight = nullptr;    // (H, K)
  const T* up_bias = nullptr;      // (H)
};

template <class T>
struct mixed_adapters_saved {
  buffer<T> sum;  // h + x (N, H)
  buffer<T> z;    // all z_k side by side (N, sum K)
};

namespace detail {

inline constexpr index mixed_tile = 32;  // rows; (32, 768) f32 tiles stay in L2

template <class T>
index total_size(const std::vector<mixed_branch<T>>& branches) {
  index total = 0;
  for (const auto& b : branches) total += b.size;
  return total;
}

/// u = sum + a(z) W_up^T + b_up for the rows of one tile; the base's u is the sum alone.
template <class T, class Sum, class Z>
void branch_output(const mixed_branch<T>& b, const Sum& sum, const Z& z, view<T> activated, view<T> u) {
  u = sum;
  if (b.size == 0) return;
  for (index r = 0; r < z.rows(); ++r) activate_row<T>(b.act, z.row(r), activated.row(r));
  u.noalias() += activated * const_view<T>(b.up_weight, u.cols(), b.size).transpose();
  u.rowwise() += const_view<T>(b.up_bias, 1, u.cols()).row(0);
}

/// The gradient through a normalization replaces xhat in place: ds = r (v - mean v - xhat mean(v xhat)), v = g dy, r = SCALE.
template <class T, class V, class Row>
void normalize_backward(const V& v, T scale, Row&& xhat) {
  const T mean = v.mean();
  const T projection = v.dot(xhat) / static_cast<T>(v.size());
  xhat.array() = scale * (v.array() - mean - projection * xhat.array());
}

}  // namespace detail

/// c = sum_k w_k LN_k(h + x + U_k(t)), t = h or LN_k(h + x)          h, x, c (N, H), w (1, M)
/// Saved: h + x and the z_k; normalizations and up-projections are recomputed by backward.
/// Source: the same formula as the plain loop of multi_adapter_site.   Tested: tests/adapters/multi_adapter_site_test.cpp
template <class T>
void mixed_adapters_forward(const_view<T> h, const_view<T> x, const std::vector<mixed_branch<T>>& branches, const_view<T> w, view<T> c,
                            mixed_adapters_saved<T>* s, context& ctx) {
  const index rows = h.rows();
  const index width = h.cols();
  const index total = detail::total_size(branches);
  scratch::mark mark(ctx.memory);
  view<T> sum = s != nullptr ? s->sum.resize(rows, width) : ctx.memory.take<T>(rows, width);
  view<T> z = s != nullptr ? s->z.resize(rows, total) : ctx.memory.take<T>(rows, total);
  view<T> activated = ctx.memory.take<T>(rows, total);
  view<T> u = ctx.memory.take<T>(rows, width);
  parallel_for(rows, detail::mixed_tile, ctx.threads, [&](index begin, index end) {
    const index n = end - begin;
    const auto of = [&](const auto& m) { return m.window(begin, 0, n, m.cols()); };
    of(sum) = of(h) + of(x);
    of(c).setZero();
    index first = 0;
    for (index k = 0; k < static_cast<index>(branches.size()); ++k) {
      const auto& b = branches[static_cast<std::size_t>(k)];
      view<T> z_k = z.window(begin, first, n, b.size);
      const const_view<T> gain(b.norm_weight, 1, width);
      const const_view<T> shift(b.norm_bias, 1, width);
      if (b.size > 0) {
        const const_view<T> down(b.down_weight, b.size, width);
        if (b.behind_norm) {
          for (index r = begin; r < end; ++r) {
            normalize_row<T>(sum.row(r), u.row(r), b.eps);
            u.row(r).array() = u.row(r).array() * gain.row(0).array() + shift.row(0).array();
          }
          z_k.noalias() = of(u) * down.transpose();
        } else {
          z_k.noalias() = of(h) * down.transpose();
        }
        z_k.rowwise() += const_view<T>(b.down_bias, 1, b.size).row(0);
      }
      detail::branch_output<T>(b, of(sum), z_k, activated.window(begin, first, n, b.size), of(u));
      for (index r = begin; r < end; ++r) {
        normalize_row<T>(u.row(r), u.row(r), b.eps);
        c.row(r).array() += w(0, k) * (u.row(r).array() * gain.row(0).array() + shift.row(0).array());
      }
      first += b.size;
    }
  });
}

/// dw_k += <dc, y_k>;   dx = sum_k (w_k dc through LN_k), and through U_k where that reads LN_k(h + x);   dh = the same, and through U_k
/// where that reads h.   dh, dx: skipped when null.
template <class T>
void mixed_adapters_backward(const_view<T> dc, const std::vector<mixed_branch<T>>& branches, const mixed_adapters_saved<T>& s,
                             const_view<T> w, view<T> dw, view<T>* dh, view<T>* dx, context& ctx) {
  const index rows = dc.rows();
  const index width = dc.cols();
  const index total = detail::total_size(branches);
  const const_view<T> sum = s.sum;
  const const_view<T> z = s.z;
  const bool inputs = dh != nullptr || dx != nullptr;
  scratch::mark mark(ctx.memory);
  view<T> activated = ctx.memory.take<T>(rows, total);
  view<T> u = ctx.memory.take<T>(rows, width);
  view<T> dsum = ctx.memory.take<T>(rows, width);
  const bool any_behind = std::any_of(branches.begin(), branches.end(), [](const auto& b) { return b.behind_norm; });
  view<T> inner = ctx.memory.take<T>(any_behind ? rows : 0, width);
  const auto whole = [&](index begin, index end, view<T> dw_piece) {
    const index n = end - begin;
    const auto of = [&](const auto& m) { return m.window(begin, 0, n, m.cols()); };
    if (dh != nullptr) of(*dh).setZero();
    of(dsum).setZero();
    index first = 0;
    for (index k = 0; k < static_cast<index>(branches.size()); ++k) {
      const auto& b = branches[static_cast<std::size_t>(k)];
      const const_view<T> z_k = z.window(begin, first, n, b.size);
      view<T> a_k = activated.window(begin, first, n, b.size);
      detail::branch_output<T>(b, of(sum), z_k, a_k, of(u));
      const const_view<T> gain(b.norm_weight, 1, width);
      const const_view<T> shift(b.norm_bias, 1, width);
      for (index r = begin; r < end; ++r) {
        auto row = u.row(r);
        const T scale = normalize_row<T>(row, row, b.eps);
        dw_piece(0, k) += (dc.row(r).array() * (row.array() * gain.row(0).array() + shift.row(0).array())).sum();
        if (!inputs) continue;
        detail::normalize_backward<T>((w(0, k) * dc.row(r).array() * gain.row(0).array()).matrix(), scale, row);
      }
      if (inputs) {
        of(dsum) += of(u);
        if (b.size > 0 && (dh != nullptr || b.behind_norm)) {
          a_k.noalias() = of(u) * const_view<T>(b.up_weight, width, b.size);
          for (index r = 0; r < n; ++r) activate_row_backward<T>(b.act, a_k.row(r), z_k.row(r), a_k.row(r));
          const const_view<T> down(b.down_weight, b.size, width);
          if (b.behind_norm) {
            of(u).noalias() = a_k * down;
            for (index r = begin; r < end; ++r) {
              const T scale = normalize_row<T>(sum.row(r), inner.row(r), b.eps);
              detail::normalize_backward<T>((u.row(r).array() * gain.row(0).array()).matrix(), scale, inner.row(r));
            }
            of(dsum) += of(inner);
          } else {
            of(*dh).noalias() += a_k * down;
          }
        }
      }
      first += b.size;
    }
    if (dh != nullptr) of(*dh) += of(dsum);
    if (dx != nullptr) of(*dx) = of(dsum);
  };
  sum_pieces<T>(rows, dw, ctx, whole);
}

}  // namespace graft::ops
