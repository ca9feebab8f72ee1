#include "graft/encoder/encoder_layer.hpp"

#include "graft/adapters/adapter_site.hpp"
#include "support/gradient_check.hpp"
#include "support/training_context.hpp"

using graft::f64;
using graft::matrix;

namespace {

using adapted_layer = graft::encoder_layer<f64, graft::adapter_site<f64>>;
const std::vector<graft::index> offsets{0, 3, 4, 7};

adapted_layer make_layer(double dropout) {
  graft::encoder_config c;
  c.model_type = "bert";
  c.hidden_size = 4;
  c.num_attention_heads = 2;
  c.intermediate_size = 6;
  c.hidden_dropout_prob = dropout;
  c.attention_probs_dropout_prob = dropout;
  return {"l", c, 9, [](const std::string& prefix, graft::sub_layer part) {
            return graft::adapter_site<f64>(prefix + ".adapter", prefix + ".LayerNorm", 4, 1e-5, {2}, {part});
          }};
}

}  // namespace

TEST_CASE("a layer whose weights are zero normalizes twice") {
  const auto layer = make_layer(0);
  const auto x = graft_test::random_matrix(7, 4, 1);
  matrix<double> y(7, 4), expected(7, 4);
  graft_test::training_context ctx(offsets);
  layer.forward(x, y, nullptr, ctx);
  layer.feed_site.norm.forward(x, expected, nullptr, ctx);
  layer.feed_site.norm.forward(expected, expected, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);
}

TEST_CASE("a layer's gradients are its derivatives, with dropout too") {
  for (const double p : {0.0, 0.3}) {
    INFO("dropout " << p);
    auto layer = make_layer(p);
    graft_test::randomize(layer, 1);
    graft_test::training_context ctx(offsets);
    graft_test::check_gradients(layer, std::array{graft_test::random_matrix(7, 4, 2)}, graft_test::random_matrix(7, 4, 3), ctx);
  }
}

TEST_CASE("a layer goes back no deeper than to what is trained, and keeps nothing below") {
  auto layer = make_layer(0);
  graft_test::randomize(layer, 1, false);
  const auto x = graft_test::random_matrix(7, 4, 2);
  const auto dy = graft_test::random_matrix(7, 4, 3);
  matrix<double> y(7, 4);
  graft_test::training_context ctx(offsets);
  const auto products = [&] {
    adapted_layer::saved s;
    layer.forward(x, y, &s, ctx, graft::rows_of::tokens, false);
    ctx.counters = {};
    layer.backward(dy, s, nullptr, ctx);
    return std::tuple{ctx.counters.products, !s.attention.kv.empty(), !s.feed.gelu_derivative.empty()};
  };
  CHECK(products() == std::tuple{0, false, false});
  layer.feed_site.norm.bias.train();  // above everything: no product at all
  CHECK(products() == std::tuple{0, false, false});
  layer.feed_site.module()->up_project.bias.train();
  CHECK(std::get<1>(products()) == false);
  CHECK(std::get<2>(products()) == false);
  layer.attention_site.norm.bias.train();  // through the second half: adapter 2, feed-forward 2
  CHECK(products() == std::tuple{4, false, true});
  layer.attention.value.bias.train();  // through everything: adapter 2 more, the attention's output 1
  CHECK(products() == std::tuple{7, true, true});
}

TEST_CASE("a layer gives the first tokens alone as it gives all, and their gradients") {
  auto layer = make_layer(0);
  graft_test::randomize(layer, 1);
  const auto x = graft_test::random_matrix(7, 4, 2);
  graft_test::training_context ctx(offsets);
  const auto sequences = ctx.sequences();
  matrix<double> all(7, 4), dx_all(7, 4), cls_rows(sequences, 4), dx(7, 4);
  matrix<double> dy_all = matrix<double>::Zero(7, 4);
  const auto dy = graft_test::random_matrix(sequences, 4, 3);
  for (graft::index b = 0; b < sequences; ++b) dy_all.row(ctx.first_row(b)) = dy.row(b);
  const auto gradients = [&](graft::rows_of wanted, matrix<double>& y, const matrix<double>& d, matrix<double>& to) {
    layer.for_each_parameter([](auto& p) { graft_test::drop_gradient(p); });
    adapted_layer::saved s;
    layer.forward(x, y, &s, ctx, wanted);
    graft::view<double> out(to);
    layer.backward(d, s, &out, ctx);
    return graft_test::gradients_of(layer);
  };
  const auto expected = gradients(graft::rows_of::tokens, all, dy_all, dx_all);
  const auto found = gradients(graft::rows_of::sequences, cls_rows, dy, dx);
  for (graft::index b = 0; b < sequences; ++b) {
    CHECK(graft_test::largest_difference(cls_rows.row(b), all.row(ctx.first_row(b))) <= 1e-14);
  }
  CHECK(graft_test::largest_difference(dx, dx_all) <= 1e-13);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(graft_test::largest_difference(found[i], expected[i]) <= 1e-12);
}
