#include "graft/encoder/embeddings.hpp"

#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::f64;
using graft::matrix;

namespace {

graft::encoder_config config(const std::string& type) {
  graft::encoder_config c;
  c.model_type = type;
  c.vocab_size = 9;
  c.hidden_size = 8;
  c.max_position_embeddings = 8;
  c.type_vocab_size = type == "bert" ? 2 : 1;
  c.layer_norm_eps = 1e-5;
  c.pad_token_id = type == "bert" ? 0 : 1;
  return c;
}

graft::batch batch_of(const std::vector<graft::features>& rows) {
  graft::batch b;
  for (const auto& row : rows) b.add(row);
  return b;
}

std::vector<std::int32_t> positions(const graft::encoder_config& c, const graft::batch& b) {
  const graft::embeddings<f64> layer("e", c, 0);
  graft::embeddings<f64>::saved s;
  matrix<double> y(b.rows(), c.hidden_size);
  graft::context ctx;
  layer.forward(b, y, &s, ctx);
  const auto kept = s.positions.get();
  return {kept.data(), kept.data() + kept.size()};
}

}  // namespace

TEST_CASE("positions start behind the pad id in RoBERTa and at 0 in BERT, for every sequence anew") {
  const auto b = batch_of({{{0, 5, 2}, {}}, {{0, 1, 6, 2}, {}}});
  CHECK(positions(config("roberta"), b) == std::vector<std::int32_t>{2, 3, 4, 2, 1, 3, 4});  // a literal pad token keeps the pad's position
  CHECK(positions(config("bert"), b) == std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 3});
}

TEST_CASE("three rows are summed and normalized") {
  auto c = config("bert");
  c.hidden_size = 2;
  graft::embeddings<f64> layer("e", c, 0);
  layer.word.weight.edit().row(4) << 1, 0;
  layer.position->weight.edit().row(0) << 2, 0;
  layer.token_type->weight.edit().row(1) << 3, 0;
  layer.norm.bias.edit() << 10, 20;
  matrix<double> y(1, 2);
  graft::context ctx;
  layer.forward(batch_of({{{4}, {1}}}), y, nullptr, ctx);  // LN(6, 0) = (1, -1) but for eps
  CHECK(y(0, 0) == Approx(11).epsilon(1e-6));
  CHECK(y(0, 1) == Approx(19).epsilon(1e-6));
}

TEST_CASE("the embeddings' gradients are their derivatives, with dropout too") {
  for (const double p : {0.0, 0.3}) {
    auto c = config("bert");
    c.hidden_dropout_prob = p;
    graft::embeddings<f64> layer("e", c, 4);
    graft_test::randomize(layer, 1);
    const auto b = batch_of({{{4, 5, 2, 5}, {0, 0, 1, 1}}, {{7}, {1}}});
    const auto dy = graft_test::random_matrix(5, 8, 2);
    matrix<double> y(5, 8);
    graft::context ctx;
    const graft::training_step training(ctx, 0);
    graft::embeddings<f64>::saved s;
    layer.forward(b, y, &s, ctx);
    layer.backward(dy, b, s, ctx);
    std::vector<graft_test::derivative> claims;
    layer.for_each_parameter([&](auto& q) { claims.push_back({q.name, q.edit().data(), q.gradient().data(), q.size()}); });
    graft_test::check_derivatives(claims, [&] {
      layer.forward(b, y, nullptr, ctx);
      return y.cwiseProduct(dy).sum();
    });
  }
}

TEST_CASE("the pad id's word has no gradient, nor has RoBERTa's position at the pad id") {
  for (const std::string type : {"roberta", "bert"}) {
    INFO(type);
    const auto c = config(type);
    graft::embeddings<f64> layer("e", c, 0);
    graft_test::randomize(layer, 1);
    const auto b = batch_of({{{3, c.pad_token_id, 4, c.pad_token_id}, {}}});
    matrix<double> y(4, 8);
    graft::context ctx;
    graft::embeddings<f64>::saved s;
    layer.forward(b, y, &s, ctx);
    layer.backward(graft_test::random_matrix(4, 8, 2), b, s, ctx);
    CHECK(layer.word.weight.gradient().row(c.pad_token_id).isZero(0));
    CHECK_FALSE(layer.word.weight.gradient().row(3).isZero(0));
    CHECK(layer.position->weight.gradient().row(c.pad_token_id).isZero(0) == (type == "roberta"));
    CHECK_FALSE(layer.token_type->weight.gradient().row(0).isZero(0));
  }
}

TEST_CASE("the embeddings agree with PyTorch") {
  const graft_test::layer_golden golden("embeddings");
  graft::embeddings<f64> layer("e", config("roberta"), 0);
  graft_test::randomize(layer, 1);
  golden.load(layer);
  graft::batch b;
  const auto ids = golden.integers("input_ids");
  const auto offsets = golden.offsets();
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) b.add({{ids.begin() + offsets[i], ids.begin() + offsets[i + 1]}, {}});
  matrix<double> y(b.rows(), 8);
  graft::context ctx;
  graft::embeddings<f64>::saved s;
  layer.forward(b, y, &s, ctx);
  layer.backward(golden.matrix("dy"), b, s, ctx);
  golden.check("y", y);
  golden.check_gradients(layer);
}

TEST_CASE("a sequence that is too long is refused") {
  const graft::embeddings<f64> layer("e", config("roberta"), 0);
  const auto b = batch_of({{{3, 3, 3, 3, 3, 3, 3}, {}}});  // 6 tokens fit
  matrix<double> y(7, 8);
  graft::context ctx;
  CHECK_THROWS_WITH(layer.forward(b, y, nullptr, ctx), Catch::Contains("e.position_embeddings.weight': id 8 is outside 0 .. 7"));
}
