// Prefixes in self-attention: closed form, derivatives, what is kept, the same bits on any number of threads.

#include "graft/layers/attention_prefix.hpp"

#include "graft/layers/self_attention.hpp"
#include "support/gradient_check.hpp"
#include "support/training_context.hpp"

using graft::f64;
using graft::matrix;

namespace {

const std::vector<graft::index> prefixed_offsets{0, 3, 4, 9};

template <class P>
graft::self_attention<P> with_prefix(const graft::prefix_options& o, double dropout = 0) {
  graft::self_attention<P> layer("a", {4, 2, dropout, dropout, 6});
  layer.prefix = std::move(graft::make_prefixes<P>("m", 1, 4, o)[0]);
  graft_test::randomize(layer, 1);
  return layer;
}

graft::prefix_options flat(graft::index gates = 0) { return {.length = 3, .bottleneck = 0, .gates = gates}; }
graft::prefix_options network(graft::index gates = 0) {
  return {.length = 3, .bottleneck = 5, .act = graft::activation::swish, .gates = gates};
}

}  // namespace

TEST_CASE("with zero queries a prefix is averaged with its sequence, as much as its gates let through") {
  for (const graft::index gates : {0, 1, 2}) {
    graft::self_attention<f64> layer("a", {2, 1});
    layer.prefix = std::move(graft::make_prefixes<f64>("m", 1, 2, {.length = 1, .bottleneck = 0, .gates = gates})[0]);
    layer.value.weight.edit() << 1, 0, 0, 1;
    layer.output.weight.edit() << 1, 0, 0, 1;
    layer.prefix->key_values->edit() << 7, 7, 30, 60;
    matrix<double> x(3, 2), h(3, 2), expected(3, 2);
    x << 1, 2, 3, 6, 4, 8;
    const double open = gates == 0 ? 1 : 0.5;  // a gate of zeros lets half of it through
    expected << (30 * open + 4) / 3, (60 * open + 8) / 3, (30 * open + 4) / 3, (60 * open + 8) / 3, (30 * open + 4) / 2,
        (60 * open + 8) / 2;
    const std::vector<graft::index> two{0, 2, 3};
    graft::context ctx;
    const auto sequences = ctx.with_sequences(two);
    layer.forward(x, h, nullptr, ctx);
    CHECK(graft_test::largest_difference(h, expected) <= 1e-13);
  }
}

TEST_CASE("the gradients of self-attention with a prefix are its derivatives, for all tokens and for the first ones, with dropout too") {
  for (const double dropout : {0.0, 0.3}) {
    for (const graft::index gates : {0, 1, 2}) {
      for (const auto& o : {flat(gates), network(gates)}) {
        INFO("dropout " << dropout << ", gates " << gates << ", network " << o.bottleneck);
        auto layer = with_prefix<f64>(o, dropout);
        graft_test::training_context ctx(prefixed_offsets);
        graft_test::check_gradients(layer, std::array{graft_test::random_matrix(9, 4, 2)}, graft_test::random_matrix(9, 4, 3), ctx);
      }
    }
  }
}

TEST_CASE("a prefix alone is trained without the gradient of its input, and a frozen one keeps nothing") {
  auto layer = with_prefix<f64>(network(1));
  graft_test::training_context ctx(prefixed_offsets);
  const auto x = graft_test::random_matrix(9, 4, 2), dy = graft_test::random_matrix(9, 4, 3);
  matrix<double> h(9, 4), dx(9, 4);
  graft::view<double> out(dx);
  graft::self_attention<f64>::saved s;
  layer.forward(x, h, &s, ctx);
  layer.backward(dy, s, &out, ctx);
  std::vector<matrix<double>> all;
  layer.prefix->for_each_parameter([&](auto& p) { all.push_back(p.gradient()); });
  for (auto* part : {&layer.query, &layer.key, &layer.value, &layer.output}) part->for_each_parameter([](auto& p) { p.freeze(); });
  layer.prefix->for_each_parameter([](auto& p) { p.gradient().setZero(); });
  graft::self_attention<f64>::saved alone;
  layer.forward(x, h, &alone, ctx);
  layer.backward(dy, alone, nullptr, ctx);
  std::size_t n = 0;
  layer.prefix->for_each_parameter([&](auto& p) { CHECK(graft_test::largest_difference(p.gradient(), all[n++]) <= 1e-12); });

  layer.prefix->for_each_parameter([](auto& p) { p.freeze(); });
  graft::self_attention<f64>::saved frozen;
  matrix<double> before(h);
  layer.forward(x, h, &frozen, ctx);
  CHECK(frozen.x.bytes() + frozen.prefix.z.bytes() == 0);
  layer.prefix->precompute(1);
  ctx.counters = {};
  layer.forward(x, h, nullptr, ctx);
  CHECK(ctx.counters.products == 5);  // query, key and value, output, and the gate: the network is computed once
  CHECK(graft_test::largest_difference(h, before) == 0);
}

TEST_CASE("a sequence alone attends to its prefix as in a batch, its first token alone too, and threads change no bit") {
  const auto layer = with_prefix<graft::f32>(network(2));
  const matrix<float> x = graft_test::random_matrix(9, 4, 2).cast<float>();
  graft_test::training_context ctx(prefixed_offsets);
  matrix<float> h(9, 4), cls_rows(3, 4), alone(5, 4), again(9, 4);
  layer.forward(x, h, nullptr, ctx);
  layer.forward(x, cls_rows, nullptr, ctx, graft::rows_of::sequences);
  for (graft::index b = 0; b < 3; ++b) CHECK((cls_rows.row(b) - h.row(prefixed_offsets[static_cast<std::size_t>(b)])).norm() <= 1e-6f);
  for (const int threads : {2, 3}) {
    graft_test::training_context several(prefixed_offsets);
    several.threads = threads;
    layer.forward(x, again, nullptr, several);
    CHECK(again == h);
    std::vector<matrix<float>> gradients[2];
    for (auto* one : {&ctx, &several}) {
      auto trained = with_prefix<graft::f32>(network(2));
      graft::self_attention<graft::f32>::saved s;
      trained.forward(x, again, &s, *one);
      trained.backward(h, s, nullptr, *one);
      trained.for_each_parameter([&](auto& p) { gradients[one == &ctx ? 0 : 1].push_back(p.gradient()); });
    }
    CHECK(gradients[0] == gradients[1]);
  }
  const std::vector<graft::index> one{0, 5};
  const auto of_one = ctx.with_sequences(one);
  layer.forward(matrix<float>(x.bottomRows(5)), alone, nullptr, ctx);
  CHECK((alone - h.bottomRows(5)).norm() <= 1e-6f);
}

TEST_CASE("layers that are left out have no prefix, and the first that has one visits the network that they share") {
  const graft::prefix_options o{.length = 2, .bottleneck = 3, .leave_out = {0, 2}};
  auto all = graft::make_prefixes<f64>("m", 4, 4, o);
  CHECK((!all[0] && all[1] && !all[2] && all[3]));
  CHECK(all[1]->network == all[3]->network);
  std::vector<std::string> names;
  for (const std::size_t l : {1, 3}) all[l]->for_each_parameter([&](auto& p) { names.push_back(p.name); });
  CHECK(names == std::vector<std::string>{"m.prefix.embedding.weight", "m.prefix.down_project.weight", "m.prefix.down_project.bias",
                                          "m.encoder.layer.1.attention.self.prefix.up_project.weight",
                                          "m.encoder.layer.1.attention.self.prefix.up_project.bias",
                                          "m.encoder.layer.3.attention.self.prefix.up_project.weight",
                                          "m.encoder.layer.3.attention.self.prefix.up_project.bias"});
}
