// Attention in windows and by pieces.

#include "graft/ops/attention_core.hpp"
#include "support/gradient_check.hpp"

using graft::const_view;
using graft::matrix;
using graft::ops::everywhere;

namespace {

struct windowed_case {
  matrix<double> q, k, v;
  std::vector<graft::index> offsets;
  graft::index window;
  double p = 0;

  windowed_case(std::vector<graft::index> where, graft::index w)
      : q(graft_test::random_matrix(where.back(), 4, 1)),
        k(graft_test::random_matrix(where.back(), 4, 2)),
        v(graft_test::random_matrix(where.back(), 4, 3)),
        offsets(std::move(where)),
        window(w) {}

  graft::ops::attention_options how(graft::rows_of queries = graft::rows_of::tokens) const { return {2, p, 9, queries, 0, window}; }
  matrix<double> forward(graft::context& ctx) const {
    matrix<double> y(q.rows(), q.cols());
    const auto sequences = ctx.with_sequences(offsets);
    graft::ops::attention_forward<graft::f64>(q, k, v, y, how(), ctx);
    return y;
  }
  /// By the formula, a number at a time.
  matrix<double> plain() const {
    matrix<double> y = matrix<double>::Zero(q.rows(), q.cols());
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
      for (graft::index i = offsets[b]; i < offsets[b + 1]; ++i) {
        for (graft::index head = 0; head < 2; ++head) {
          double sum = 0;
          for (graft::index j = offsets[b]; j < offsets[b + 1]; ++j) {
            if (std::abs(i - j) > window) continue;
            const double e = std::exp(q.row(i).segment(2 * head, 2).dot(k.row(j).segment(2 * head, 2)) / std::sqrt(2.0));
            sum += e;
            y.row(i).segment(2 * head, 2) += e * v.row(j).segment(2 * head, 2);
          }
          y.row(i).segment(2 * head, 2) /= sum;
        }
      }
    }
    return y;
  }
};

}  // namespace

TEST_CASE("attention in a window is the formula's, whatever the pieces and the threads") {
  for (const graft::index window : {graft::index{1}, graft::index{2}, graft::index{40}, graft::index{70}, everywhere}) {
    const windowed_case c({0, 3, 4, 41, 241}, window);
    INFO("window " << window);
    graft::context one, two;
    one.threads = 1;
    two.threads = 2;
    const auto y = c.forward(one);
    CHECK(graft_test::largest_difference(y, c.plain()) <= 1e-13);
    CHECK(c.forward(two) == y);
    const auto sequences = one.with_sequences(c.offsets);
    matrix<double> first(4, 4), q(4, 4);  // of the first tokens alone
    for (graft::index b = 0; b < 4; ++b) q.row(b) = c.q.row(c.offsets[static_cast<std::size_t>(b)]);
    graft::ops::attention_forward<graft::f64>(q, c.k, c.v, first, c.how(graft::rows_of::sequences), one);
    for (graft::index b = 0; b < 4; ++b)
      CHECK(graft_test::largest_difference(first.row(b), y.row(c.offsets[static_cast<std::size_t>(b)])) <= 1e-13);
  }
}

TEST_CASE("pieces that reach both ends of a sequence have its keys") {
  graft::context ctx;
  for (const graft::index window : {0, 64, 176}) {
    for (const graft::index length : {1, 129, 150, 192, 193, 400}) {
      INFO("window " << window << ", length " << length);
      windowed_case c({0, length, length, length + 100}, window);
      CHECK(graft_test::largest_difference(c.forward(ctx), c.plain()) <= 1e-13);
    }
  }
  windowed_case c({0, 129}, 64);
  const auto sequences = ctx.with_sequences(c.offsets);
  const auto dy = graft_test::random_matrix(129, 4, 4);
  matrix<double> dq(129, 4), dk(129, 4), dv(129, 4);
  graft::ops::attention_backward<graft::f64>(dy, c.q, c.k, c.v, dq, dk, dv, c.how(), ctx);
  graft_test::check_derivatives({{"q", c.q.data(), dq.data(), 516}, {"k", c.k.data(), dk.data(), 516}, {"v", c.v.data(), dv.data(), 516}},
                                [&] { return c.forward(ctx).cwiseProduct(dy).sum(); });
}

TEST_CASE("the gradients of attention in a window are its derivatives, with dropout too, and for the first tokens alone") {
  for (const double p : {0.0, 0.4}) {
    INFO("dropout " << p);
    graft::context ctx;
    const graft::training_step training(ctx, 0);
    windowed_case c({0, 3, 4, 45}, 3);  // of which the last goes in two pieces
    const auto of_case = ctx.with_sequences(c.offsets);
    c.p = p;
    const auto dy = graft_test::random_matrix(45, 4, 4);
    matrix<double> dq(45, 4), dk(45, 4), dv(45, 4);
    c.forward(ctx);
    graft::ops::attention_backward<graft::f64>(dy, c.q, c.k, c.v, dq, dk, dv, c.how(), ctx);
    graft_test::check_derivatives({{"q", c.q.data(), dq.data(), 180}, {"k", c.k.data(), dk.data(), 180}, {"v", c.v.data(), dv.data(), 180}},
                                  [&] { return c.forward(ctx).cwiseProduct(dy).sum(); });
    matrix<double> q(3, 4), dy_first = matrix<double>::Zero(45, 4), dq_first(3, 4), dk_first(45, 4), dv_first(45, 4);
    for (graft::index b = 0; b < 3; ++b) {
      q.row(b) = c.q.row(c.offsets[static_cast<std::size_t>(b)]);
      dy_first.row(c.offsets[static_cast<std::size_t>(b)]) = dy.row(b);
    }
    graft::ops::attention_backward<graft::f64>(dy_first, c.q, c.k, c.v, dq, dk, dv, c.how(), ctx);
    graft::ops::attention_backward<graft::f64>(const_view<double>(dy).window(0, 0, 3, 4), q, c.k, c.v, dq_first, dk_first, dv_first,
                                               c.how(graft::rows_of::sequences), ctx);
    CHECK(graft_test::largest_difference(dk_first, dk) <= 1e-13);
    CHECK(graft_test::largest_difference(dv_first, dv) <= 1e-13);
    for (graft::index b = 0; b < 3; ++b)
      CHECK(graft_test::largest_difference(dq_first.row(b), dq.row(c.offsets[static_cast<std::size_t>(b)])) <= 1e-13);
  }
}

TEST_CASE("attention's memory does not grow with the square of the length, neither in a window nor everywhere") {
  graft::context ctx;
  ctx.threads = 1;
  const auto memory = [&](graft::index length, graft::index window) {
    const windowed_case c({0, length}, window);
    const auto sequences = ctx.with_sequences(c.offsets);
    matrix<double> y(length, 4), dq(length, 4), dk(length, 4), dv(length, 4);
    graft::ops::attention_forward<graft::f64>(c.q, c.k, c.v, y, c.how(), ctx);
    graft::ops::attention_backward<graft::f64>(y, c.q, c.k, c.v, dq, dk, dv, c.how(), ctx);
    return ctx.memory.bytes();
  };
  CHECK(memory(8192, 64) <= std::size_t{1} << 24);
  CHECK(memory(512, everywhere) <= std::size_t{1} << 24);
  CHECK(memory(2048, everywhere) <= std::size_t{1} << 24);  // one matrix of 2048 x 2048 has 2^25 bytes
}

TEST_CASE("attention in a window is close in bf16, too") {
  const windowed_case c({0, 3, 100}, 9);
  graft::context ctx;
  const auto sequences = ctx.with_sequences(c.offsets);
  const auto rounded = [](const matrix<double>& m) {
    matrix<graft::bfloat16> r(m.rows(), m.cols());
    for (graft::index i = 0; i < m.size(); ++i) r.data()[i] = graft::bfloat16(static_cast<float>(m.data()[i]));
    return r;
  };
  matrix<graft::bfloat16> q = rounded(c.q), k = rounded(c.k), v = rounded(c.v), y(100, 4);
  graft::ops::attention_forward<graft::bf16>(q, k, v, y, c.how(), ctx);
  const auto expected = c.plain();
  double worst = 0;
  for (graft::index i = 0; i < y.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(graft::number(y.data()[i])) - expected.data()[i]));
  CHECK(worst < 0.05);
}
