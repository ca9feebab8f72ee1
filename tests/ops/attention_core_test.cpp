#include "graft/ops/attention_core.hpp"

#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::const_view;
using graft::matrix;
using graft::view;

namespace {

struct attention_case {
  matrix<double> q, k, v;
  std::vector<graft::index> offsets;
  graft::index heads = 2;
  double p = 0;
  graft::rows_of queries = graft::rows_of::tokens;

  matrix<double> forward(graft::context& ctx) const {
    matrix<double> y(q.rows(), q.cols());
    const auto sequences = ctx.with_sequences(offsets);
    graft::ops::attention_forward<graft::f64>(q, k, v, y, {heads, p, 9, queries}, ctx);
    return y;
  }
};

attention_case random_case(std::vector<graft::index> offsets) {
  const graft::index n = offsets.back();
  return {graft_test::random_matrix(n, 4, 1), graft_test::random_matrix(n, 4, 2), graft_test::random_matrix(n, 4, 3), std::move(offsets)};
}

}  // namespace

TEST_CASE("attention has its closed form") {
  graft::context ctx;
  // One head of size 1 over sequences of 2 and 1 tokens; scores of the first query are (0, ln 3), of the second (0, 0).
  attention_case c{matrix<double>(3, 1), matrix<double>(3, 1), matrix<double>(3, 1), {0, 2, 3}, 1};
  c.q << 1, 0, 5;
  c.k << 0, std::log(3.0), 7;
  c.v << 4, 8, 9;
  const auto y = c.forward(ctx);
  CHECK(y(0, 0) == Approx(0.25 * 4 + 0.75 * 8).epsilon(1e-14));
  CHECK(y(1, 0) == Approx(6).epsilon(1e-14));
  CHECK(y(2, 0) == Approx(9).epsilon(1e-14));
}

TEST_CASE("scores that all overflow give no answer, whatever stands beside them") {
  graft::context ctx;
  for (const graft::index length : {3, 16, 2049}) {
    attention_case c{matrix<double>::Constant(length, 4, -1e200),
                     matrix<double>::Constant(length, 4, 1e200),
                     matrix<double>::Ones(length, 4),
                     {0, length}};
    CHECK(!c.forward(ctx).allFinite());
  }
}

TEST_CASE("keys whose scores overflow below count for nothing where there are others, however many come first") {
  graft::context ctx;
  for (const graft::index length : {700, 2049}) {
    attention_case c{
        matrix<double>::Constant(length, 4, -1e200), matrix<double>::Zero(length, 4), matrix<double>::Ones(length, 4), {0, length}};
    c.k.topRows(600).setConstant(1e200);
    c.v.topRows(600).setConstant(7);
    CHECK((c.forward(ctx).array() - 1).abs().maxCoeff() < 1e-12);
  }
}

TEST_CASE("attention's gradients are its derivatives, with dropout too") {
  for (const double p : {0.0, 0.4}) {
    INFO("dropout " << p);
    graft::context ctx;
    const graft::training_step training(ctx, 0);
    auto c = random_case({0, 3, 4, 9});
    const auto of_case = ctx.with_sequences(c.offsets);
    c.p = p;
    const auto dy = graft_test::random_matrix(9, 4, 4);
    matrix<double> dq(9, 4), dk(9, 4), dv(9, 4);
    c.forward(ctx);
    graft::ops::attention_backward<graft::f64>(dy, c.q, c.k, c.v, dq, dk, dv, {c.heads, p, 9}, ctx);
    graft_test::check_derivatives({{"q", c.q.data(), dq.data(), 36}, {"k", c.k.data(), dk.data(), 36}, {"v", c.v.data(), dv.data(), 36}},
                                  [&] { return c.forward(ctx).cwiseProduct(dy).sum(); });
  }
}

TEST_CASE("attention of the first tokens alone is that of all, cut down, with its derivatives and its dropout") {
  for (const double p : {0.0, 0.4}) {
    INFO("dropout " << p);
    graft::context ctx;
    const graft::training_step training(ctx, 0);
    auto c = random_case({0, 3, 4, 9});
    const auto of_case = ctx.with_sequences(c.offsets);
    c.p = p;
    const matrix<double> all = c.forward(ctx);
    const std::vector<int> cls_rows{0, 3, 4};
    c.q = matrix<double>(c.q(cls_rows, Eigen::all));
    c.queries = graft::rows_of::sequences;
    CHECK(c.forward(ctx).isApprox(all(cls_rows, Eigen::all), 1e-14));
    const auto dy = graft_test::random_matrix(3, 4, 4);
    matrix<double> dq(3, 4), dk(9, 4), dv(9, 4);
    graft::ops::attention_backward<graft::f64>(dy, c.q, c.k, c.v, dq, dk, dv, {c.heads, p, 9, c.queries}, ctx);
    graft_test::check_derivatives({{"q", c.q.data(), dq.data(), 12}, {"k", c.k.data(), dk.data(), 36}, {"v", c.v.data(), dv.data(), 36}},
                                  [&] { return c.forward(ctx).cwiseProduct(dy).sum(); });
  }
}

TEST_CASE("attention's context agrees with PyTorch's") {
  const graft_test::layer_golden golden("self_attention");
  const auto project = [&](const std::string& name) -> matrix<double> {
    return (golden.matrix("x") * golden.matrix(name + ".weight").transpose()).rowwise() + golden.matrix(name + ".bias").row(0);
  };
  graft::context ctx;
  const attention_case c{project("query"), project("key"), project("value"), golden.offsets(), golden.integers("num_attention_heads")[0]};
  golden.check("context", c.forward(ctx));
}

TEST_CASE("a sequence attends to itself only, whatever the threads") {
  graft::context ctx;
  ctx.threads = 1;
  const auto c = random_case({0, 3, 4, 9});
  const auto y = c.forward(ctx);
  ctx.threads = 3;
  CHECK((c.forward(ctx).array() == y.array()).all());
  const attention_case last{c.q.bottomRows(5), c.k.bottomRows(5), c.v.bottomRows(5), {0, 5}};
  CHECK((last.forward(ctx).array() == y.bottomRows(5).array()).all());
}

TEST_CASE("attention's dropout keeps the mean and is off outside training") {
  // Equal scores over 64 tokens and v = 1: y is the share of probabilities kept, scaled.
  attention_case c{matrix<double>::Zero(64, 4), matrix<double>::Zero(64, 4), matrix<double>::Ones(64, 4), {0, 64}};
  c.p = 0.1;
  graft::context ctx;
  CHECK(c.forward(ctx).isOnes(1e-14));
  const graft::training_step training(ctx, 0);
  const auto y = c.forward(ctx);
  CHECK(y.mean() == Approx(1).margin(5 * std::sqrt(0.1 / 0.9 / (2 * 64 * 64))));
  CHECK_FALSE(y.isOnes(1e-3));
  CHECK((y.col(0).array() == y.col(1).array()).all());  // one mask a head
  CHECK_FALSE((y.col(1).array() == y.col(2).array()).all());
  const graft::training_step step(ctx, 1);
  CHECK_FALSE((c.forward(ctx).array() == y.array()).all());
}
