#include "graft/heads/sequence_classification.hpp"

#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::f64;
using graft::matrix;

namespace {

graft::encoder_config config(graft::index hidden_size, double dropout, const char* model_type = "roberta") {
  graft::encoder_config c;
  c.model_type = model_type;
  c.hidden_size = hidden_size;
  c.hidden_dropout_prob = dropout;
  return c;
}

}  // namespace

TEST_CASE("the head has its closed form") {
  graft::sequence_classification<f64> head(config(3, 0), 2, 0);
  head.dense[0].weight.edit() << 1, 0, 0, 0, 1, 0, 0, 0, 0;
  head.out_proj.weight.edit() << 1, 1, 0, 0, 2, 0;
  head.out_proj.bias.edit() << 0, 5;
  matrix<double> h(2, 3), logits(2, 2), expected(2, 2);
  h << 1, 2, 3, 0, -1, 7;
  graft::context ctx;
  head.forward(h, logits, nullptr, ctx);
  expected << std::tanh(1) + std::tanh(2), 2 * std::tanh(2) + 5, std::tanh(-1), 2 * std::tanh(-1) + 5;
  CHECK(graft_test::largest_difference(logits, expected) <= 1e-14);
}

TEST_CASE("the head's gradients are its derivatives, with dropout too") {
  for (const char* model_type : {"roberta", "bert"}) {
    for (const double p : {0.0, 0.3}) {
      INFO(model_type << ", dropout " << p);
      graft::sequence_classification<f64> head(config(4, p, model_type), 3, 8);
      graft_test::randomize(head, 1);
      graft::context ctx;
      const graft::training_step training(ctx, 0);
      graft_test::check_gradients(head, std::array{graft_test::random_matrix(3, 4, 2)}, graft_test::random_matrix(3, 3, 3), ctx);
    }
  }
}

TEST_CASE("heads of none, two and three dense layers: their gradients are their derivatives, and BERT's pooler keeps its tanh") {
  for (const char* model_type : {"roberta", "bert"}) {
    for (const graft::index layers : {0, 2, 3}) {
      for (const auto act : {graft::activation::gelu, graft::activation::linear}) {
        for (const double p : {0.0, 0.3}) {
          INFO(model_type << ", " << layers << " layers, " << graft::activation_name(act) << ", dropout " << p);
          graft::sequence_classification<f64> head(config(4, p, model_type), 3, 8, {layers, act, model_type == std::string("bert")});
          CHECK(head.dense.size() == static_cast<std::size_t>(layers));
          graft_test::randomize(head, 1);
          graft::context ctx;
          const graft::training_step training(ctx, 0);
          graft_test::check_gradients(head, std::array{graft_test::random_matrix(3, 4, 2)}, graft_test::random_matrix(3, 3, 3), ctx);
        }
      }
    }
  }
  const matrix<double> h = graft_test::random_matrix(3, 4, 2);
  const auto logits = [&](bool pooler) {
    graft::sequence_classification<f64> head(config(4, 0, "bert"), 3, 8, {1, graft::activation::linear, pooler});
    graft_test::randomize(head, 1);
    matrix<double> out(3, 3);
    graft::context ctx;
    head.forward(h, out, nullptr, ctx);
    const matrix<double> z = h * head.dense[0].weight.value().transpose() + head.dense[0].bias.value().replicate(3, 1);
    const matrix<double> t = pooler ? matrix<double>(z.array().tanh()) : z;
    const matrix<double> expected = t * head.out_proj.weight.value().transpose() + head.out_proj.bias.value().replicate(3, 1);
    CHECK(graft_test::largest_difference(out, expected) <= 1e-14);
  };
  logits(true);
  logits(false);
  CHECK_THROWS_AS((graft::sequence_classification<f64>(config(4, 0), 3, 8, {101})), graft::config_error);
}

TEST_CASE("the head's own dropout takes the place of the encoder's") {
  const auto own = [](const char* model_type, double encoder, double head) {
    auto c = config(4, encoder, model_type);
    c.classifier_dropout = head;
    return c;
  };
  for (const char* model_type : {"roberta", "bert"}) {
    const auto logits = [&](const graft::encoder_config& c) {
      graft::sequence_classification<f64> head(c, 3, 8);
      graft_test::randomize(head, 1);
      graft::context ctx;
      const graft::training_step training(ctx, 0);
      matrix<double> out(3, 3);
      head.forward(graft_test::random_matrix(3, 4, 2), out, nullptr, ctx);
      return out;
    };
    CHECK(logits(own(model_type, 0.1, 0.5)) == logits(config(4, 0.5, model_type)));
    CHECK(logits(own(model_type, 0.5, 0)) == logits(config(4, 0, model_type)));
  }
}

TEST_CASE("the head agrees with PyTorch") {
  graft::sequence_classification<f64> head(config(8, 0), 3, 0);
  graft_test::randomize(head, 1);
  graft::context ctx;
  graft_test::layer_golden("classification_head").check_part(head, std::array<std::string, 1>{"x"}, ctx);
}
