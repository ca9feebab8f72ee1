#pragma once
// The position-wise feed-forward sub-layer.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/dropout.hpp"

namespace graft {

/// h = drop(a(z) W_2^T + b_2),   z = x W_1^T + b_1,   a being GELU or a function whose derivative lies between the same bounds
/// Backward:  dz = (dh W_2) a'(z);   dx = dz W_1 + beta dx
/// @param  x  (N, H) rows are ctx.rows()            @param[out] h  (N, H)            W_1 (F, H), W_2 (H, F)
/// Gated: h = drop(drop_in(a(z_1) z_2) W_2^T + b_2),   [z_1; z_2] = z, W_1 (2 F, H): dz_1 = d z_2 a'(z_1), dz_2 = d a(z_1), d = dh W_2.
/// Any function will do there, and z (N, 2 F) is saved.
/// Saved: a'(z) (N, F); x and a(z) only when the weights that read them are trained.
/// Source: Vaswani et al. 2017, eq. 2, with GELU; transformers' RobertaIntermediate and RobertaOutput.dense. Gated: Shazeer 2020;
/// ModernBertMLP.
/// Tested: tests/layers/feed_forward_test.cpp
template <class P>
class feed_forward {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  using gelu_derivative = typename P::gelu_derivative;
  struct options {
    index hidden_size;
    index intermediate_size;
    double hidden_dropout = 0;
    std::uint64_t dropout_stream = 0;
    activation act = activation::gelu;
    bool gated = false, biased = true;
    double inner_dropout = 0;  // gated: drop_in, from the stream of drop, of which there is none then
  };
  struct saved {
    typename linear<P>::saved intermediate;
    buffer<typename P::gelu_derivative> gelu_derivative;
    typename linear<P>::saved output;
    buffer<operand> z;  // gated
  };

  /// Parameters PREFIX.intermediate.dense.* and PREFIX.output.dense.*
  feed_forward(const std::string& prefix, const options& o)
      : intermediate(prefix + ".intermediate.dense", o.hidden_size, o.gated ? 2 * o.intermediate_size : o.intermediate_size,
                     parameter_role::weight, o.biased),
        output(prefix + ".output.dense", o.intermediate_size, o.hidden_size, parameter_role::weight, o.biased),
        options_(o) {}

  void forward(const_view<real> x, view<real> h, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    if (options_.gated) return gated_forward(x, h, s, ctx);
    const index inner = options_.intermediate_size;
    const view<gelu_derivative> derivative =
        s != nullptr ? s->gelu_derivative.resize(x.rows(), inner) : view<gelu_derivative>(nullptr, 0, 0);
    const auto t = output.input(x.rows(), ctx);
    const ops::matrix_dropout<real> mask(options_.hidden_dropout, options_.dropout_stream, ctx.rows(), options_.hidden_size, ctx);
    intermediate.product(x, part_of(s, &saved::intermediate), ctx, ops::activate{options_.act, derivative, output.multiplies_in_int8()},
                         ops::store{output.saved_input(part_of(s, &saved::output), x.rows())}, ops::store{t});
    output.product(t, ctx, mask, ops::store{h});
  }
  void backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta = real(0)) {
    scratch::mark mark(ctx.memory);
    if (options_.gated) {
      gated_backward(dh, s, dx, ctx, beta);
      return;
    }
    view<real> dprojected = ctx.memory.take<real>(dh.rows(), options_.hidden_size);
    ops::dropout<real>(dh, dprojected, options_.hidden_dropout, options_.dropout_stream, ctx.rows(), ctx);
    output.accumulate_gradients(const_view<real>(dprojected), s.output, ctx);
    const bool trains = is_trainable(intermediate);
    if (dx == nullptr && !trains) return;
    const auto dz = intermediate.output_gradient(dh.rows(), ctx);
    view<operand> dz_rows = ctx.memory.take<operand>(trains ? dh.rows() : 0, options_.intermediate_size);
    output.product_back(dprojected, s.output, ctx, ops::scale_by_derivative{s.gelu_derivative.get()}, ops::store{dz_rows}, ops::store{dz});
    if (trains) intermediate.accumulate_gradients(const_view<operand>(dz_rows), s.intermediate, ctx);
    if (dx != nullptr) intermediate.product_back(dz, s.intermediate, ctx, ops::accumulate{*dx, beta});
  }

  template <class F>
  void for_each_parameter(F&& f) {
    intermediate.for_each_parameter(f);
    output.for_each_parameter(f);
  }

  /// As linear's.
  bool trains_elsewhere() const { return intermediate.trains_elsewhere() || output.trains_elsewhere(); }

  linear<P> intermediate, output;  // up to the inner width, and back

 private:
  void gated_forward(const_view<real> x, view<real> h, saved* s, context& ctx) const {
    const index width = options_.intermediate_size;
    view<operand> z = saved_or_scratch(part_of(s, &saved::z), x.rows(), 2 * width, ctx);
    intermediate.product(x, part_of(s, &saved::intermediate), ctx, ops::store{z});
    const view<operand> t = output.input_rows(part_of(s, &saved::output), x.rows(), ctx);
    const ops::matrix_dropout<real> mask(options_.inner_dropout, options_.dropout_stream, ctx.rows(), width, ctx);
    view<real> own = ctx.memory.take_rows<real>(ctx.threads, 2 * width);
    parallel_for(x.rows(), 16, ctx.threads, [&](index begin, index end) {
      for (index r = begin; r < end; ++r) {
        view<real> row(own.row_data(omp_get_thread_num()), 2, width);
        convert(z.row_data(r), row.row_data(0), width);
        convert(z.row_data(r) + width, row.row_data(1), width);
        ops::activate_row<real>(options_.act, row.row(0), row.row(0));
        row.row(0).array() *= row.row(1).array();
        if (mask.active()) mask.apply(row.row_data(0), row.row_data(0), r, 0, width);
        convert(row.row_data(0), t.row_data(r), width);
      }
    });
    output.product(t, ctx, ops::store{h});
  }
  void gated_backward(const_view<real> dh, const saved& s, view<real>* dx, context& ctx, real beta) {
    const index width = options_.intermediate_size;
    output.accumulate_gradients(dh, s.output, ctx);
    if (dx == nullptr && !is_trainable(intermediate)) return;
    view<real> dt = ctx.memory.take<real>(dh.rows(), width);
    output.product_back(dh, s.output, ctx, ops::store{dt});
    ops::dropout<real>(dt, options_.inner_dropout, options_.dropout_stream, ctx.rows(), ctx);
    const const_view<operand> z = s.z;
    view<operand> dz = ctx.memory.take<operand>(dh.rows(), 2 * width);
    view<real> own = ctx.memory.take_rows<real>(ctx.threads, 3 * width);
    parallel_for(dh.rows(), 16, ctx.threads, [&](index begin, index end) {
      for (index r = begin; r < end; ++r) {
        view<real> row(own.row_data(omp_get_thread_num()), 3, width);
        convert(z.row_data(r), row.row_data(0), width);
        convert(z.row_data(r) + width, row.row_data(1), width);
        row.row(1).array() *= dt.row(r).array();
        ops::activate_row_backward<real>(options_.act, row.row(1), row.row(0), row.row(2));
        convert(row.row_data(2), dz.row_data(r), width);
        ops::activate_row<real>(options_.act, row.row(0), row.row(0));
        row.row(0).array() *= dt.row(r).array();
        convert(row.row_data(0), dz.row_data(r) + width, width);
      }
    });
    intermediate.accumulate_gradients(const_view<operand>(dz), s.intermediate, ctx);
    if (dx != nullptr) intermediate.product_back(dz, s.intermediate, ctx, ops::accumulate{*dx, beta});
  }
  options options_;
};

static_assert(layer<feed_forward<f64>> && layer<feed_forward<f32>> && layer<feed_forward<bf16>>);

}  // namespace graft
