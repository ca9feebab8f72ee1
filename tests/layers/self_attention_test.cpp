#include "graft/layers/self_attention.hpp"

#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"
#include "support/training_context.hpp"

using graft::f64;
using graft::matrix;

namespace {

const std::vector<graft::index> offsets{0, 3, 4, 9};

}  // namespace

TEST_CASE("self-attention with zero queries averages its sequence") {
  graft::self_attention<f64> layer("a", {2, 1});
  layer.value.weight.edit() << 1, 0, 0, 1;
  layer.output.weight.edit() << 0, 1, 1, 0;
  layer.output.bias.edit() << 100, 200;
  matrix<double> x(3, 2), h(3, 2), expected(3, 2);
  x << 1, 2, 3, 6, 5, 7;
  expected << 104, 202, 104, 202, 107, 205;  // the mean of two tokens, swapped; the third is a sequence of its own
  const std::vector<graft::index> two{0, 2, 3};
  graft::context ctx;
  const auto sequences = ctx.with_sequences(two);
  layer.forward(x, h, nullptr, ctx);
  CHECK(graft_test::largest_difference(h, expected) <= 1e-13);
}

TEST_CASE("self-attention's gradients are its derivatives, with both dropouts too") {
  for (const double p : {0.0, 0.3}) {
    INFO("dropout " << p);
    graft::self_attention<f64> layer("a", {4, 2, p, p, 6});
    graft_test::randomize(layer, 1);
    graft_test::training_context ctx(offsets);
    graft_test::check_gradients(layer, std::array{graft_test::random_matrix(9, 4, 2)}, graft_test::random_matrix(9, 4, 3), ctx);
  }
}

TEST_CASE("self-attention agrees with PyTorch") {
  const graft_test::layer_golden golden("self_attention");
  graft::self_attention<f64> layer("a", {8, golden.integers("num_attention_heads")[0]});
  graft_test::randomize(layer, 1);
  graft::context ctx;
  const auto starts = golden.offsets();
  const auto sequences = ctx.with_sequences(starts);
  golden.check_part(layer, std::array<std::string, 1>{"x"}, ctx);
}

TEST_CASE("self-attention keeps only what its trained weights read") {
  graft::self_attention<f64> layer("a", {4, 2});
  graft_test::randomize(layer, 1, false);
  const auto x = graft_test::random_matrix(9, 4, 2);
  matrix<double> h(9, 4);
  graft_test::training_context ctx(offsets);
  const auto kept = [&] {
    graft::self_attention<f64>::saved s;
    layer.forward(x, h, &s, ctx);
    CHECK(s.q.bytes() + s.kv.bytes() == 9 * 12 * sizeof(double));
    return std::pair{!s.x.empty(), !s.output.x.empty()};
  };
  CHECK(kept() == std::pair{false, false});
  layer.value.weight.train();
  CHECK(kept() == std::pair{true, false});
  layer.value.weight.freeze();
  layer.output.weight.train();
  CHECK(kept() == std::pair{false, true});
}

TEST_CASE("a sequence alone attends as in a batch, in any order") {
  graft::self_attention<f64> layer("a", {4, 2});
  graft_test::randomize(layer, 1);
  const auto x = graft_test::random_matrix(9, 4, 2);
  matrix<double> h(9, 4), alone(5, 4), turned(9, 4);
  graft_test::training_context ctx(offsets);
  layer.forward(x, h, nullptr, ctx);
  const std::vector<graft::index> one{0, 5};
  const auto of_one = ctx.with_sequences(one);
  layer.forward(matrix<double>(x.bottomRows(5)), alone, nullptr, ctx);
  CHECK(graft_test::largest_difference(alone, h.bottomRows(5)) <= 1e-12);
  matrix<double> moved(9, 4);
  moved << x.bottomRows(5), x.topRows(4);
  const std::vector<graft::index> other{0, 5, 8, 9};
  const auto of_others = ctx.with_sequences(other);
  layer.forward(moved, turned, nullptr, ctx);
  CHECK(graft_test::largest_difference(turned.bottomRows(4), h.topRows(4)) <= 1e-12);
}
