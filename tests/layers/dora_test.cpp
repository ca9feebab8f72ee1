// DoRA: what it is at its start, and its gradients beside those of the plain update that it is while the rows' lengths stand still.

#include "graft/layers/dora.hpp"

#include "graft/layers/linear.hpp"
#include "support/gradient_check.hpp"

using graft::f64;
using graft::matrix;

namespace {

/// y, dx and, in the parameters, the gradients of LAYER at X, from DY.
std::pair<matrix<double>, matrix<double>> both_ways(graft::linear<f64>& layer, const matrix<double>& x, const matrix<double>& dy) {
  graft::context ctx;
  graft::linear<f64>::saved saved;
  matrix<double> y(x.rows(), layer.out()), dx(x.rows(), layer.in());
  graft::view<double> to(dx);
  layer.forward(x, y, &saved, ctx);
  layer.backward(dy, saved, &to, ctx);
  return {y, dx};
}

}  // namespace

TEST_CASE("DoRA begins as the weight alone") {
  graft::linear<f64> layer("l", 5, 4);
  graft_test::randomize(layer, 1, false);
  const auto x = graft_test::random_matrix(6, 5, 2);
  matrix<double> before(6, 4), after(6, 4);
  graft::context ctx;
  layer.forward(x, before, nullptr, ctx);
  layer.dora.emplace("l", 5, 4, 2, 3);
  layer.dora->by.a.edit() = graft_test::random_matrix(2, 5, 3);
  layer.dora->initialize_magnitude(layer.weight);
  layer.forward(x, after, nullptr, ctx);
  CHECK(graft_test::largest_difference(before, after) <= 1e-14);
}

TEST_CASE("the gradients of DoRA are those of a plain update of the weight with these lengths, and of the lengths its derivatives") {
  graft::linear<f64> layer("l", 5, 4), plain("l", 5, 4);
  graft_test::randomize(layer, 1, false);
  layer.dora.emplace("l", 5, 4, 2, 3);
  graft_test::randomize(*layer.dora, 2);
  const auto x = graft_test::random_matrix(6, 5, 3), dy = graft_test::random_matrix(6, 4, 4);
  auto& own = *layer.dora;
  const matrix<double> a = own.by.a.value(), b = own.by.b.value(), w = layer.weight.value(), m = own.magnitude.value();
  const matrix<double> lengths = (w + 1.5 * b * a).rowwise().norm();
  const Eigen::ArrayXd g = m.row(0).transpose().array() / lengths.col(0).array();
  plain.weight.edit() = (w.array().colwise() * g).matrix();
  plain.bias.edit() = layer.bias.value();
  plain.lora.emplace("l", 5, 4, 2, 3);
  plain.lora->a.edit() = a;
  plain.lora->b.edit() = (b.array().colwise() * g).matrix();
  plain.lora->for_each_parameter([](auto& p) { p.train(); });

  const auto [y, dx] = both_ways(layer, x, dy);
  const auto [expected_y, expected_dx] = both_ways(plain, x, dy);
  CHECK(graft_test::largest_difference(y, expected_y) <= 1e-13);
  CHECK(graft_test::largest_difference(dx, expected_dx) <= 1e-13);
  const matrix<double> da = own.by.a.gradient(), db = own.by.b.gradient(), dm = own.magnitude.gradient();
  CHECK(graft_test::largest_difference(da, plain.lora->a.gradient()) <= 1e-13);
  CHECK(graft_test::largest_difference(db, (matrix<double>(plain.lora->b.gradient()).array().colwise() * g).matrix()) <= 1e-13);
  graft::context ctx;
  for (graft::index i = 0; i < 4; ++i) {  // y is linear in m
    matrix<double> more(6, 4);
    own.magnitude.edit()(0, i) += 1;
    layer.forward(x, more, nullptr, ctx);
    own.magnitude.edit()(0, i) -= 1;
    CHECK(dm(0, i) == Approx((dy.array() * (more - y).array()).sum()).epsilon(1e-10));
  }
}

TEST_CASE("what DoRA keeps of its product's factor is that of its parameters as they are") {
  graft::linear<f64> layer("l", 5, 4);
  graft_test::randomize(layer, 1, false);
  layer.dora.emplace("l", 5, 4, 2, 3);
  graft_test::randomize(*layer.dora, 2);
  const auto x = graft_test::random_matrix(6, 5, 3), dy = graft_test::random_matrix(6, 4, 4);
  const auto anew = both_ways(layer, x, dy);
  const auto precompute = [&] {
    graft::context ctx;
    layer.dora->precompute(layer.weight, ctx);
    for (auto* p : {&layer.dora->by.a, &layer.dora->by.b}) graft::pack_weight<f64>(*p, true, 1);
  };
  precompute();
  CHECK(layer.dora->magnitude.packed() != nullptr);
  const auto kept = both_ways(layer, x, dy);
  CHECK(kept.first == anew.first);
  CHECK(kept.second == anew.second);
  for (auto* p : {&layer.dora->by.a, &layer.dora->by.b, &layer.dora->magnitude}) {
    p->edit()(0, 0) += 0.5;
    const auto other = both_ways(layer, x, dy);
    precompute();
    CHECK(both_ways(layer, x, dy).first == other.first);
    CHECK(graft_test::largest_difference(other.first, kept.first) > 1e-3);
  }
}
