// The low-rank update, alone and inside a linear layer.

#include "graft/layers/low_rank.hpp"

#include "graft/layers/linear.hpp"
#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::f64;
using graft::matrix;
using graft::view;

TEST_CASE("a low-rank update has its closed form") {
  graft::linear<f64> layer("l", 3, 2);
  layer.bias.edit() << 10, 20;
  layer.lora.emplace("l", 3, 2, 1, 2.0);
  layer.lora->a.edit() << 1, 2, 3;
  layer.lora->b.edit() << 1, -1;
  layer.lora->a.train();
  layer.lora->b.train();
  matrix<double> x(2, 3), y(2, 2), dy(2, 2), dx(2, 3), expected(2, 2);
  x << 1, 0, 0, 0, 1, 1;  // u = 1, 5; twice that is added and taken
  graft::context ctx;
  graft::linear<f64>::saved s;
  layer.forward(x, y, &s, ctx);
  expected << 12, 18, 20, 10;
  CHECK(y == expected);
  CHECK(s.x.bytes() == 6 * sizeof(double));
  dy << 1, 0, 0, 1;  // du = 2, -2
  view<double> out(dx);
  layer.backward(dy, s, &out, ctx);
  CHECK(dx == (matrix<double>(2, 3) << 2, 4, 6, -2, -4, -6).finished());
  CHECK(layer.lora->a.gradient() == (matrix<double>(1, 3) << 2, -2, -2).finished());
  CHECK(layer.lora->b.gradient() == (matrix<double>(2, 1) << 2, 10).finished());
  CHECK_FALSE(layer.weight.has_gradient());
}

TEST_CASE("the gradients of a linear with an update are its derivatives, with the weight frozen too") {
  graft::context ctx;
  for (const bool whole : {true, false}) {
    graft::linear<f64> layer("l", 4, 3);
    layer.lora.emplace("l", 4, 3, 2, 3.0);
    graft_test::randomize(layer, 1);
    for (auto* p : {&layer.weight, &layer.bias}) whole ? p->train() : p->freeze();
    graft_test::check_gradients(layer, std::array{graft_test::random_matrix(5, 4, 2)}, graft_test::random_matrix(5, 3, 3), ctx);
  }
}

TEST_CASE("a linear with an update agrees with PyTorch") {
  graft::linear<f64> layer("l", 8, 6);
  layer.lora.emplace("l", 8, 6, 2, 3.0);
  graft_test::randomize(layer, 1);
  graft::context ctx;
  graft_test::layer_golden("low_rank").check_part(layer, std::array<std::string, 1>{"x"}, ctx);
}

TEST_CASE("an update drops out what it reads, in training alone, the first token of a sequence as it does among all") {
  graft::linear<f64> layer("l", 40, 3);
  layer.lora.emplace("l", 40, 3, 2, 3.0);
  graft_test::randomize(layer, 1);
  layer.weight.edit().setZero();
  layer.bias.edit().setZero();
  const matrix<double> x = graft_test::random_matrix(5, 40, 2);
  const std::vector<graft::index> offsets{0, 2, 5};
  graft::context ctx;
  const auto sequences = ctx.with_sequences(offsets);
  const graft::training_step training(ctx, 0);
  const graft::batch_part part(ctx, 7, 3);
  matrix<double> y(5, 3), masked = x, expected(5, 3), two(2, 3);
  graft::ops::dropout<double>(view<double>(masked), 0.4, 9, graft::rows_of::tokens, ctx);
  CHECK((masked.array() == 0).count() > 40);
  layer.forward(masked, expected, nullptr, ctx);
  layer.lora->dropout = {0.4, 9};
  layer.forward(x, y, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);
  matrix<double> cls_rows(2, 40);
  cls_rows << x.row(0), x.row(2);
  {
    const auto rows = ctx.with_rows(graft::rows_of::sequences);
    layer.forward(cls_rows, two, nullptr, ctx);
  }
  CHECK(two.row(0) == y.row(0));
  CHECK(two.row(1) == y.row(2));
  graft_test::check_gradients(layer, std::array{x}, graft_test::random_matrix(5, 3, 3), ctx);
  const auto untrained = ctx.without_dropout();
  layer.forward(x, y, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) > 0.1);
}

TEST_CASE("a frozen update keeps nothing") {
  graft::linear<f64> layer("l", 4, 3);
  layer.lora.emplace("l", 4, 3, 2, 3.0);
  graft_test::randomize(layer, 1, false);
  matrix<double> y(5, 3);
  graft::context ctx;
  graft::linear<f64>::saved s;
  layer.forward(graft_test::random_matrix(5, 4, 2), y, &s, ctx);
  CHECK(s.x.bytes() == 0);
}

TEST_CASE("a gate scales an update, or all of what has none, by the mean of its sequence's rows") {
  graft::linear<graft::f64> layer("l", 2, 2);
  layer.weight.edit() << 1, 0, 0, 1;
  layer.bias.edit() << 1, 2;
  layer.gate.emplace("l.lora_gate", 2);
  layer.gate->weight.edit() << std::log(3.0), 0;  // s(log 3) = 3/4
  graft::matrix<double> x(3, 2), y(3, 2), expected(3, 2);
  x << 1, 4, 0, 8, 1, 0;
  graft::context ctx;
  const std::vector<graft::index> offsets{0, 2, 3};
  const auto sequences = ctx.with_sequences(offsets);
  layer.forward(x, y, nullptr, ctx);
  expected << 2 * 0.625, 6 * 0.625, 1 * 0.625, 10 * 0.625, 2 * 0.75, 2 * 0.75;
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);
  layer.lora.emplace("l", 2, 2, 1, 1);
  layer.lora->a.edit() << 1, 1;
  layer.lora->b.edit() << 8, 0;
  layer.forward(x, y, nullptr, ctx);
  expected << 2 + 0.625 * 40, 6, 1 + 0.625 * 64, 10, 2 + 0.75 * 8, 2;
  CHECK(graft_test::largest_difference(y, expected) <= 1e-13);
  graft::matrix<double> few = x.topRows(2), out(2, 2);
  CHECK_THROWS_WITH(layer.forward(few, out, nullptr, ctx), Catch::Contains("other rows than its sequences'"));
}
