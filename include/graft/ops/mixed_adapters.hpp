#pragma once
// The fused multi-adapter: all branches of a site over tiles of rows that stay in cache. Frozen branches only.

#include <omp.h>

#include <algorithm>
#include <span>

#include "graft/core/context.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/types.hpp"
#include "graft/gemm/product.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/column_sum.hpp"
#include "graft/ops/epilogues.hpp"
#include "graft/ops/layer_norm.hpp"

namespace graft::ops {

/// The adapter of a branch, its weights ready for products. Borrowed memory.
template <class P>
struct mixed_adapter_weights {
  index size;  // K
  activation act;
  bool behind_norm;                             // it reads LN_k(h + x), not h
  packed_b<P> down, up;                         // of y = x W^T
  packed_b<P> down_back, up_back;               // of dx = dy W
  const typename P::real *down_bias, *up_bias;  // (K), (H)
};

/// One frozen branch k: LN_k, and the adapter A_k unless there is none, as in the base. Borrowed memory.
template <class P>
struct mixed_branch {
  const typename P::real* norm_weight;  // (H)
  const typename P::real* norm_bias;    // (H)
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

template <class P>
index total_size(std::span<const mixed_branch<P>> branches) {
  index total = 0;
  for (const auto& b : branches) total += b.size();
  return total;
}

/// What one thread works in, and the products of its tile.
template <class P>
struct mixed_workspace {
  using real = typename P::real;
  using operand = typename P::operand;

  view<real> u, z, own;  // (tile, H), (tile, K), one row of either
  operand *input, *activated;
  tile_path path;

  /// u = sum + a(z) W_up^T + b_up for the rows of the tile; the base's u is the sum alone.
  void branch_output(const mixed_branch<P>& b, const const_view<operand>& sum, const const_view<operand>& z_k) {
    for (index r = 0; r < sum.rows(); ++r) convert(sum.row_data(r), u.row_data(r), u.cols());
    if (b.adapter == nullptr) return;
    const auto& a = *b.adapter;
    view<real> active = z.window(0, 0, sum.rows(), a.size);
    for (index r = 0; r < sum.rows(); ++r) {
      convert(z_k.row_data(r), active.row_data(r), a.size);
      activate_row<real>(a.act, active.row(r), active.row(r));
    }
    packed_a<P> in(activated, sum.rows(), a.size);
    in.fill(transpose::no, active);
    serial_product<P>(in, a.up, path, add{u}, add_row<real>{{a.up_bias, 1, u.cols()}}, store{u});
  }
};

/// The workspaces of all threads, in scratch memory.
template <class P>
class mixed_workspaces {
 public:
  using real = typename P::real;
  using operand = typename P::operand;

  mixed_workspaces(std::span<const mixed_branch<P>> branches, index width, context& ctx)
      : widest_(
            std::max_element(branches.begin(), branches.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); })->size()),
        width_(width),
        path_(graft::detail::path_of<P>(ctx)),
        reals_(ctx.memory.take_rows<real>(ctx.threads, mixed_tile * (width + widest_) + std::max(width, widest_))),
        operands_(ctx.memory.take_rows<operand>(ctx.threads, input_size() + packed_a<P>::size(mixed_tile, widest_))) {}

  tile_path path() const { return path_; }
  mixed_workspace<P> of_this_thread() const {
    const int thread = omp_get_thread_num();
    real* r = reals_.row_data(thread);
    operand* o = operands_.row_data(thread);
    return {view<real>(r, mixed_tile, width_),
            view<real>(r + mixed_tile * width_, mixed_tile, widest_),
            view<real>(r + mixed_tile * (width_ + widest_), 1, std::max(width_, widest_)),
            o,
            o + input_size(),
            path_};
  }

 private:
  index input_size() const { return packed_a<P>::size(mixed_tile, std::max(width_, widest_)); }

  index widest_, width_;
  tile_path path_;
  view<real> reals_;
  view<operand> operands_;
};

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
template <class P>
void mixed_adapters_forward(const_view<typename P::real> h, const_view<typename P::real> x, std::span<const mixed_branch<P>> branches,
                            const_view<typename P::real> w, view<typename P::real> c, mixed_adapters_saved<P>* s, context& ctx) {
  using real = typename P::real;
  using operand = typename P::operand;
  const timed time(ctx.times, operation::mixed_adapters);
  const index rows = h.rows();
  const index width = h.cols();
  const index total = detail::total_size(branches);
  scratch::mark mark(ctx.memory);
  view<operand> sum = s != nullptr ? s->sum.resize(rows, width) : ctx.memory.take<operand>(rows, width);
  view<operand> z = s != nullptr ? s->z.resize(rows, total) : ctx.memory.take<operand>(rows, total);
  const detail::mixed_workspaces<P> workspaces(branches, width, ctx);
  parallel_for(rows, detail::mixed_tile, ctx.threads, [&](index begin, index end) {
    const graft::detail::tile_unit unit(workspaces.path());
    auto work = workspaces.of_this_thread();
    const index n = end - begin;
    const auto of = [&](const auto& m) { return m.window(begin, 0, n, m.cols()); };
    view<real> u = work.u.window(0, 0, n, width);
    packed_a<P> input(work.input, n, width);
    u = of(h) + of(x);
    for (index r = 0; r < n; ++r) convert(u.row_data(r), sum.row_data(begin + r), width);
    bool packed_h = false;
    of(c).setZero();
    index first = 0;
    for (std::size_t k = 0; k < branches.size(); ++k) {
      const mixed_branch<P>& b = branches[k];
      const const_view<real> gain(b.norm_weight, 1, width);
      const const_view<real> shift(b.norm_bias, 1, width);
      view<operand> z_k = z.window(begin, first, n, b.size());
      if (b.adapter != nullptr) {
        const auto& a = *b.adapter;
        if (a.behind_norm) {
          for (index r = 0; r < n; ++r) {
            convert(sum.row_data(begin + r), u.row_data(r), width);
            normalize_row<real>(u.row(r), u.row(r), b.eps);
            u.row(r).array() = u.row(r).array() * gain.row(0).array() + shift.row(0).array();
          }
          input.fill(transpose::no, u);
          packed_h = false;
        } else if (!packed_h) {
          input.fill(transpose::no, of(h));
          packed_h = true;
        }
        serial_product<P>(input, a.down, work.path, add_row<real>{{a.down_bias, 1, a.size}}, store{z_k});
      }
      work.branch_output(b, of(sum), z_k);
      for (index r = 0; r < n; ++r) {
        normalize_row<real>(u.row(r), u.row(r), b.eps);
        c.row(begin + r).array() += w(0, static_cast<index>(k)) * (u.row(r).array() * gain.row(0).array() + shift.row(0).array());
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
  const index rows = dc.rows();
  const index width = dc.cols();
  const const_view<operand> sum = s.sum;
  const const_view<operand> z = s.z;
  const bool inputs = dh != nullptr || dx != nullptr;
  scratch::mark mark(ctx.memory);
  view<real> dsum = ctx.memory.take<real>(rows, width);
  const detail::mixed_workspaces<P> workspaces(branches, width, ctx);
  const auto whole = [&](index begin, index end, view<real> dw_piece) {
    const graft::detail::tile_unit unit(workspaces.path());
    auto work = workspaces.of_this_thread();
    const index n = end - begin;
    const auto of = [&](const auto& m) { return m.window(begin, 0, n, m.cols()); };
    view<real> u = work.u.window(0, 0, n, width);
    packed_a<P> input(work.input, n, width);
    if (dh != nullptr) of(*dh).setZero();
    of(dsum).setZero();
    index first = 0;
    for (std::size_t k = 0; k < branches.size(); ++k) {
      const mixed_branch<P>& b = branches[k];
      const real weight = w(0, static_cast<index>(k));
      const const_view<real> gain(b.norm_weight, 1, width);
      const const_view<real> shift(b.norm_bias, 1, width);
      const const_view<operand> z_k = z.window(begin, first, n, b.size());
      work.branch_output(b, of(sum), z_k);
      for (index r = 0; r < n; ++r) {
        auto row = u.row(r);
        const real scale = normalize_row<real>(row, row, b.eps);
        const auto dc_row = dc.row(begin + r).array();
        dw_piece(0, static_cast<index>(k)) += (dc_row * (row.array() * gain.row(0).array() + shift.row(0).array())).sum();
        if (inputs) detail::normalize_backward<real>((weight * dc_row * gain.row(0).array()).matrix(), scale, row);
      }
      if (inputs) {
        of(dsum) += u;
        if (b.adapter != nullptr && (dh != nullptr || b.adapter->behind_norm)) {
          const auto& a = *b.adapter;
          view<real> dz = work.z.window(0, 0, n, a.size);
          input.fill(transpose::no, u);
          serial_product<P>(input, a.up_back, work.path, store{dz});
          for (index r = 0; r < n; ++r) {
            const real* z_row = piece_as<real>(z_k, r, 0, a.size, work.own.data());
            activate_row_backward<real>(a.act, dz.row(r), const_view<real>(z_row, 1, a.size).row(0), dz.row(r));
          }
          packed_a<P> back(work.activated, n, a.size);
          back.fill(transpose::no, dz);
          if (a.behind_norm) {
            serial_product<P>(back, a.down_back, work.path, store{u});
            view<real> own = work.own.window(0, 0, 1, width);
            for (index r = 0; r < n; ++r) {
              convert(sum.row_data(begin + r), own.data(), width);
              const real scale = normalize_row<real>(own.row(0), own.row(0), b.eps);
              detail::normalize_backward<real>((u.row(r).array() * gain.row(0).array()).matrix(), scale, own.row(0));
              dsum.row(begin + r) += own.row(0);
            }
          } else {
            serial_product<P>(back, a.down_back, work.path, accumulate{of(*dh)});
          }
        }
      }
      first += b.size();
    }
    if (dh != nullptr) of(*dh) += of(dsum);
    if (dx != nullptr) of(*dx) = of(dsum);
  };
  sum_pieces<real>(rows, dw, ctx, whole);
}

}  // namespace graft::ops
