// A batch in parts gives the loss and the gradients of the whole.

#include "graft/train/micro_batch_gradients.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <vector>

#include "graft/model/freezing.hpp"
#include "graft/train/task_loss.hpp"
#include "support/gradient_check.hpp"
#include "training/tiny_task.hpp"

using graft::f64;
using graft::task_kind;

namespace {

using f64_model = graft::adapter_classifier<f64>;

f64_model model_of(graft::index classes, double dropout, const graft::head_options& head = {}) {
  auto c = graft_test::tiny_config();
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = dropout;
  auto model = graft::make_adapter_classifier<f64>(c, classes, {4}, head);
  graft_test::draw_weights(model);
  graft::tune_adapters(model);
  return model;
}

struct outcome {
  double loss, entropy;
  graft::matrix<double> gradients;  // of all parameters, one after the other
  graft::index parts;
};

outcome gradients_of(f64_model model, const graft::batch& b, task_kind kind, graft::index tokens, const graft::loss_options& loss = {}) {
  graft::context ctx;
  const graft::training_step training(ctx, 0);
  ctx.seed = 3;
  graft::micro_batch_gradients<f64_model> gradient;
  const auto products = ctx.counters.weight_gradient_products;
  const auto result = gradient.add(model, b, kind, 0.5, tokens, ctx, loss);
  outcome o{result.loss, result.entropy, {}, static_cast<graft::index>(ctx.counters.weight_gradient_products - products)};
  const auto trained = graft::trainable_parameters(model);
  graft::index size = 0;
  for (const auto* p : trained) size += p->size();
  o.gradients.resize(1, size);
  size = 0;
  for (auto* p : trained) {
    for (graft::index i = 0; i < p->size(); ++i) o.gradients(0, size++) = p->gradient().data()[i];
  }
  o.parts /= 2 * 2 * 2 + 2;  // products of one backward: two layers of two adapters of two weights, and the head's two
  CHECK(ctx.rows_before(graft::rows_of::tokens) == 0);
  return o;
}

}  // namespace

TEST_CASE("a batch in parts gives the loss and the gradients of the whole, dropout included") {
  const auto kind = GENERATE(task_kind::classification, task_kind::regression);
  const double dropout = GENERATE(0.0, 0.3);
  graft::batch b;
  for (auto& row : graft_test::rows(9, 5).rows) {
    row.target = static_cast<double>(row.input_ids.size());
    b.add(row);
  }
  const auto model = model_of(kind == task_kind::regression ? 1 : 2, dropout);
  const outcome whole = gradients_of(model, b, kind, 0);
  CHECK(whole.parts == 1);
  CHECK((whole.entropy == 0) == (kind == task_kind::regression));
  CHECK(gradients_of(model, b, kind, 2 * b.rows()).gradients == whole.gradients);
  const graft::index tokens = GENERATE(1, 11, 30, 40);
  const outcome parts = gradients_of(model, b, kind, tokens);
  CHECK(parts.parts > 1);
  std::vector<graft::index> cuts;
  graft::micro_batches(b, tokens, cuts);
  CHECK(parts.parts == std::ssize(cuts) - 1);
  CHECK(parts.loss == Approx(whole.loss).epsilon(1e-12));
  CHECK(parts.entropy == Approx(whole.entropy).epsilon(1e-12));
  CHECK((parts.gradients - whole.gradients).norm() < 1e-12 * whole.gradients.norm());
}

TEST_CASE("a batch is cut into one, two or a multiple of four micro-batches, which two and four threads share evenly") {
  const auto cuts_of = [](graft::index rows, graft::index length) {
    graft::batch b;
    for (graft::index i = 0; i < rows; ++i) b.add({std::vector<std::int32_t>(static_cast<std::size_t>(length), 5), {}, 0});
    std::vector<graft::index> cuts;
    graft::micro_batches(b, 216, cuts);
    return cuts;
  };
  using cuts = std::vector<graft::index>;
  CHECK(cuts_of(2, 54) == cuts{0, 2});
  CHECK(cuts_of(4, 53) == cuts{0, 2, 4});
  CHECK(cuts_of(8, 53) == cuts{0, 2, 4, 6, 8});
  CHECK(cuts_of(16, 54) == cuts{0, 4, 8, 12, 16});
  CHECK(cuts_of(16, 67) == cuts{0, 2, 4, 6, 8, 10, 12, 14, 16});
  CHECK(cuts_of(1, 512) == cuts{0, 1});
}

TEST_CASE("a micro-batch is at most an eighth larger than asked, unless one sequence alone is") {
  const auto cuts_of = [](const std::vector<std::size_t>& lengths) {
    graft::batch b;
    for (const std::size_t length : lengths) b.add({std::vector<std::int32_t>(length, 5), {}, 0});
    std::vector<graft::index> cuts;
    graft::micro_batches(b, 216, cuts);
    return cuts;
  };
  using cuts = std::vector<graft::index>;
  CHECK(cuts_of({100, 143, 100, 143, 100, 143}) == cuts{0, 2, 3, 5, 6});  // 243 are just enough
  CHECK(cuts_of(std::vector<std::size_t>(10, 85)) == cuts{0, 2, 4, 6, 8, 10});
  CHECK(cuts_of({0, 0}) == cuts{0, 2});
  CHECK(cuts_of({100, 144, 512, 30, 30}) == cuts{0, 1, 2, 3, 5});
  CHECK(cuts_of(std::vector<std::size_t>(32, 128)).size() == 33);
}

TEST_CASE("micro-batches end where their costs are the most equal, and those of long sequences hold fewer tokens") {
  const auto cuts_of = [](const std::vector<std::size_t>& lengths, graft::index tokens) {
    graft::batch b;
    for (const std::size_t length : lengths) b.add({std::vector<std::int32_t>(length, 5), {}, 0});
    std::vector<graft::index> cuts;
    graft::micro_batches(b, tokens, cuts);
    return cuts;
  };
  using cuts = std::vector<graft::index>;
  CHECK(graft::sequence_cost(32) == 33);
  CHECK(graft::sequence_cost(1024) == 2048);
  CHECK(cuts_of({10, 60, 30, 40}, 216) == cuts{0, 2, 4});  // 70 and 70
  CHECK(cuts_of({50, 40, 30, 60}, 216) == cuts{0, 2, 4});  // 90 and 90
  CHECK(cuts_of({60, 60, 60, 60, 240}, 216) == cuts{0, 2, 4, 5});
  CHECK(cuts_of({400, 100, 100, 100, 100, 100}, 800) == cuts{0, 1, 3, 6});
  CHECK(cuts_of({1024, 200, 200, 200, 200, 200, 200, 200, 200}, 3024) == cuts{0, 1, 9});  // fewer tokens than the rest, and a larger cost
}

TEST_CASE("threads take the last micro-batches by falling cost") {
  using order = std::vector<graft::index>;
  const auto order_of = [](const order& costs, graft::index last) {
    order taken{7};
    graft::largest_first(costs, last, taken);
    return taken;
  };
  const order costs{5, 1, 9, 3, 7, 3};
  CHECK(order_of(costs, 0) == order{0, 1, 2, 3, 4, 5});
  CHECK(order_of(costs, 4) == order{0, 1, 2, 4, 3, 5});
  CHECK(order_of(costs, 99) == order{2, 4, 0, 3, 5, 1});
  CHECK(order_of({}, 2).empty());
}

TEST_CASE("a batch in parts is the whole with class weights and label smoothing, too") {
  graft::batch b;
  for (auto& row : graft_test::rows(9, 5).rows) {
    for (std::int32_t c = 0; c < row.label; ++c) row.label_set.push_back(c);
    b.add(row);
  }
  const auto kind = GENERATE(task_kind::classification, task_kind::multi_label);
  const graft::loss_options loss{{0.25, 3}, kind == task_kind::classification ? 0.2 : 0};
  const auto model = model_of(2, 0.3);
  const outcome whole = gradients_of(model, b, kind, 0, loss);
  const outcome parts = gradients_of(model, b, kind, GENERATE(1, 30), loss);
  CHECK(parts.parts > 1);
  CHECK(parts.loss == Approx(whole.loss).epsilon(1e-12));
  CHECK(parts.entropy == Approx(whole.entropy).epsilon(1e-12));
  CHECK((parts.gradients - whole.gradients).norm() < 1e-12 * whole.gradients.norm());
  CHECK((gradients_of(model, b, kind, 0).gradients - whole.gradients).norm() > 1e-3 * whole.gradients.norm());
}

TEST_CASE("parts of sequences of one token alone have the masks that they have in the whole") {
  const std::vector<graft::index> lengths = GENERATE(std::vector<graft::index>{6, 1, 1, 1}, std::vector<graft::index>{1, 1, 1, 1});
  graft::batch b;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    b.add({std::vector<std::int32_t>(static_cast<std::size_t>(lengths[i]), 5 + static_cast<std::int32_t>(i)),
           {},
           static_cast<std::int32_t>(i % 2)});
  }
  const auto model = model_of(2, 0.4);
  const outcome whole = gradients_of(model, b, task_kind::classification, 0);
  for (const graft::index tokens : {1, 2, 3}) {
    const outcome parts = gradients_of(model, b, task_kind::classification, tokens);
    CHECK(parts.parts > 1);
    CHECK(parts.loss == Approx(whole.loss).epsilon(1e-12));
    CHECK((parts.gradients - whole.gradients).norm() < 1e-12 * whole.gradients.norm());
  }
}

namespace {

/// Sequences some of whose tokens, or none, are asked for one of three tags.
graft::batch tagged_batch() {
  graft::batch b;
  for (graft::features row : graft_test::rows(7, 5).rows) {
    row.words = true;
    for (std::int32_t t = 1; t + 1 < std::ssize(row.input_ids) && b.size() != 2; t += 1 + static_cast<std::int32_t>(b.size()) % 3) {
      row.answering.push_back(t);
      row.tags.push_back(row.input_ids[static_cast<std::size_t>(t)] % 3);
    }
    b.add(row);
  }
  return b;
}

}  // namespace

TEST_CASE("of tags for words, too, a batch in parts is the whole: a mean over its words") {
  const graft::batch b = tagged_batch();
  CHECK(b.labels.size() == b.answering.size());
  const graft::loss_options loss = GENERATE(graft::loss_options(), graft::loss_options{{0.25, 3, 1}, 0.2});
  const auto model = model_of(3, 0.3, {.dense_layers = 0, .tokens = true});
  const outcome whole = gradients_of(model, b, task_kind::token_classification, 0, loss);
  const outcome parts = gradients_of(model, b, task_kind::token_classification, GENERATE(1, 11, 30), loss);
  CHECK(parts.loss == Approx(whole.loss).epsilon(1e-12));
  CHECK(parts.entropy == Approx(whole.entropy).epsilon(1e-12));
  CHECK((parts.gradients - whole.gradients).norm() < 1e-12 * whole.gradients.norm());
  CHECK(whole.gradients.norm() > 0);
}

TEST_CASE("gradients of heads that answer for words: the last layer alone, and ModernBERT's") {
  const graft::batch b = tagged_batch();
  for (const graft::index layers : {0, 1}) {
    auto model = model_of(3, 0.2, {.dense_layers = layers, .act = graft::activation::gelu, .tokens = true});
    graft::context ctx;
    const graft::training_step training(ctx, 0);
    ctx.threads = 1;
    graft::micro_batch_gradients<f64_model> gradient;
    gradient.add(model, b, task_kind::token_classification, 1, 0, ctx);
    std::vector<graft_test::derivative> claims;
    for (auto* p : graft::trainable_parameters(model)) claims.push_back({p->name, p->edit().data(), p->gradient().data(), p->size()});
    graft_test::check_derivatives(claims, [&] {
      graft::matrix<double> logits(model.answers(b), 3);
      model.forward(b, logits, nullptr, ctx);
      return graft::task_loss<double>(task_kind::token_classification, logits, b, nullptr);
    });
  }
}

TEST_CASE("a batch that asks for nothing changes nothing") {
  graft::batch b;
  b.add({.input_ids = {0, 5, 2}, .words = true});
  const auto model = model_of(3, 0.3, {.dense_layers = 0, .tokens = true});
  const outcome none = gradients_of(model, b, task_kind::token_classification, 0);
  CHECK(none.loss == 0);
  CHECK(none.gradients.norm() == 0);
}

TEST_CASE("blocks that are ready in any order are summed in one fixed tree") {
  constexpr graft::index leaves = 5, size = 7;
  const auto value = [](graft::index leaf, graft::index i) { return 1.0F / static_cast<float>(3 + 7 * leaf + 11 * i); };
  std::vector<graft::index> order(leaves);
  std::iota(order.begin(), order.end(), 0);
  graft::detail::summing_tree<float> sums;
  const std::vector<graft::gradient_segment> whole{{0, 0, size}}, cut{{3, 5, size}, {1, 1, 5}, {0, 0, 1}};
  do {
    for (const auto& segments : {whole, cut}) {
      sums.begin(leaves, segments, leaves);
      for (graft::index leaf = 0; leaf < leaves; ++leaf) {
        float* block = sums.take(leaf);
        for (graft::index i = 0; i < size; ++i) block[i] += value(leaf, i);
      }
      // one leaf is done with all, or one segment after the other is done by all
      for (const graft::index leaf : order) {
        for (std::size_t s = 0; s < segments.size(); ++s)
          sums.done(order[0] == 2 ? leaf : order[(s + static_cast<std::size_t>(leaf)) % leaves], s);
      }
      const float* const sum = sums.at(graft::detail::top_node(leaves));
      for (graft::index i = 0; i < size; ++i) {
        REQUIRE(sum[i] == ((value(0, i) + value(1, i)) + (value(2, i) + value(3, i))) + value(4, i));
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("threads that are far apart leave many blocks waiting, more than one a level, and none is given twice") {
  constexpr graft::index leaves = 16, size = 3;
  graft::detail::summing_tree<double> sums;
  for (int step = 0; step < 2; ++step) {
    sums.begin(leaves, std::vector<graft::gradient_segment>{{1, 1, size}, {0, 0, 1}}, 2);
    const auto take = [&](graft::index leaf) {
      double* block = sums.take(leaf);
      for (graft::index i = 0; i < size; ++i) block[i] += static_cast<double>(leaf + i);
    };
    take(0);  // one thread is held up here, the other in the middle
    for (graft::index leaf = 1; leaf < leaves; ++leaf) {
      take(leaf);
      sums.done(leaf, 0);
      if (leaf != 9) sums.done(leaf, 1);
    }
    sums.done(9, 1);
    sums.done(0, 0);
    sums.done(0, 1);
    const double* const sum = sums.at(graft::detail::top_node(leaves));
    for (graft::index i = 0; i < size; ++i) CHECK(sum[i] == 120 + 16 * static_cast<double>(i));
  }
}
