// What must not depend on what: frozen parameters cause no work, sequences do not see each other, threads change no bit.

#include <catch2/catch.hpp>
#include <cstring>

#include "graft/model/freezing.hpp"
#include "graft/optim/adamw.hpp"
#include "model/tiny_model.hpp"
#include "support/random_values.hpp"

using graft::matrix;
using graft::multi_adapter_ft_mode;
using graft_test::largest_difference;
using graft_test::tiny_batch;
using graft_test::tiny_config;
using graft_test::tiny_mix;
using graft_test::tiny_model;

namespace {

struct model_case {
  std::string name;
  std::unique_ptr<tiny_model> model;
  std::uint64_t products;  // dW products of one backward
};

std::vector<model_case> all_models(double dropout = 0) {
  const auto c = tiny_config(dropout);
  const auto multi = [&](bool flex, multi_adapter_ft_mode mode) { return graft_test::make_tiny_multi(c, tiny_mix(!flex, flex), mode); };
  std::vector<model_case> all;
  // Two layers, 6 trunk weights each; 2 in the head; two sites a layer with 2 weights an adapter.
  all.push_back({"plain", graft_test::make_tiny_plain(c, true), 2 * 6 + 2});
  all.push_back({"head", graft_test::make_tiny_plain(c, false), 2});
  all.push_back({"single", graft_test::make_tiny_single(c), 2 * 2 * 2 + 2});
  all.push_back({"base", multi(false, multi_adapter_ft_mode::base), 2});
  all.push_back({"flex", multi(true, multi_adapter_ft_mode::flex), 2 * 2 * 2 + 2});
  all.push_back({"base_ft", multi(false, multi_adapter_ft_mode::base_ft), 2 * 6 + 2});
  all.push_back({"full_ft", multi(false, multi_adapter_ft_mode::full_ft), 2 * 6 + 2 * 2 * 2 * 2 + 2});
  all.push_back({"pfeiffer", graft_test::make_tiny_single(c, 3, "pfeiffer"), 2 * 2 + 2});
  all.push_back({"frozen norms", graft_test::make_tiny_single(c, 3, "houlsby", false), 2 * 2 * 2 + 2});
  all.push_back({"upper layer", graft_test::make_tiny_single(c, 3, "houlsby", true, "", {0}), 2 * 2 + 2});
  all.push_back({"lower layer", graft_test::make_tiny_single(c, 3, "pfeiffer", true, "", {1}), 2 + 2});
  all.push_back({"lora", graft_test::make_tiny_lora(c, {2, 2, {"query", "value"}}), 2 * 2 * 2 + 2});
  all.push_back({"prefix", graft_test::make_tiny_prefix(c, {.length = 2, .bottleneck = 4}), 2 * (1 + 1 + 1) + 2});
  all.push_back({"flat prefix", graft_test::make_tiny_prefix(c, {.length = 2, .bottleneck = 0, .gates = 1}), 2 * 1 + 2});
  return all;
}

std::vector<matrix<double>> gradients(tiny_model& model) {
  std::vector<matrix<double>> all;
  for (auto* p : model.trained()) all.push_back(p->gradient());
  return all;
}

bool same_bits(const matrix<double>& a, const matrix<double>& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), sizeof(double) * static_cast<std::size_t>(a.size())) == 0);
}

}  // namespace

TEST_CASE("frozen parameters get no product, no gradient and no change") {
  for (auto& [name, model, products] : all_models()) {
    INFO(name);
    std::vector<matrix<double>> before;
    for (auto* p : model->parameters()) before.push_back(p->value());
    graft::context ctx;
    model->learn(tiny_batch({4, 1, 6}), ctx);
    CHECK(ctx.counters.weight_gradient_products == products);
    graft::adamw<double> optimizer(model->trained(), {});
    CHECK(optimizer.state().size() == model->trained().size());
    optimizer.step(0.01, 0.01, 1);
    std::size_t i = 0;
    for (auto* p : model->parameters()) {
      INFO(p->name);
      CHECK((!p->has_gradient()) == !p->is_trained());
      const bool moves = p->is_trained() && !p->gradient().isZero(0);
      CHECK(same_bits(p->value(), before[i++]) == !(moves || (p->is_trained() && p->role == graft::parameter_role::weight)));
    }
  }
}

TEST_CASE("what is kept is what training_bytes counts, and nothing of the trunk when only the head is tuned") {
  const graft::index rows = 11;
  for (auto& [name, model, products] : all_models()) {
    INFO(name);
    graft::context ctx;
    model->learn(tiny_batch({4, 1, 6}), ctx);
    // What the estimate adds for each row, without scratch (11 H + F).
    const auto numbers_of_row = [&, &one = *model](graft::index longest) {
      return (one.training_bytes(2 * rows, longest, 1, false) - one.training_bytes(rows, longest, 1, false)) / rows / 8 - (11 * 6 + 8);
    };
    const auto per_row = numbers_of_row(6);
    // Of texts that attention goes through by keys, each layer keeps y and a number a head whose attention backward goes through.
    const auto of_long = numbers_of_row(graft::ops::most_whole_keys + 1) - numbers_of_row(graft::ops::most_whole_keys - 64);
    CHECK((of_long > 0) == (name != "head" && name != "upper layer"));
    CHECK(model->trunk_numbers() <= rows * per_row);  // of the last layer less is kept: the first tokens' numbers
    if (name != "upper layer") CHECK(model->trunk_numbers() >= rows * per_row / 3);  // there nothing but first tokens' numbers is kept
    CHECK(model->all_numbers() - model->trunk_numbers() == 3 * 3 * 6);               // head: two inputs and t of three sequences
    if (name == "head") CHECK(model->trunk_numbers() == 0);
    std::int64_t values = 0, trained = 0;
    for (auto* p : model->parameters()) values += p->size();
    for (auto* p : model->trained()) trained += p->size();
    const std::int64_t bytes = model->training_bytes(0, 0, 1, false);
    CHECK(bytes >= 8 * (values + 3 * trained));                // frozen weights count twice where backward goes through them
    CHECK(bytes <= 8 * (2 * values - trained + 6 * trained));  // gradients of micro-batches too
    CHECK(model->training_bytes(0, 0, 1, true) == bytes + 8 * trained);
  }
}

TEST_CASE("the order of sequences does not matter, and one alone gives the same numbers as in a batch") {
  const auto b = tiny_batch({4, 1, 6});
  graft::batch turned;
  for (const std::size_t i : {2, 0, 1}) {
    turned.add({{b.input_ids.begin() + b.offsets[i], b.input_ids.begin() + b.offsets[i + 1]}, {}, b.labels[i], b.targets[i]});
  }
  for (auto& [name, model, products] : all_models()) {
    INFO(name);
    graft::context ctx;
    const auto logits = model->logits(b, ctx);
    const auto other = model->logits(turned, ctx);
    CHECK(largest_difference(other.row(0), logits.row(2)) <= 1e-12);
    CHECK(largest_difference(other.row(1), logits.row(0)) <= 1e-12);
    CHECK(largest_difference(other.row(2), logits.row(1)) <= 1e-12);
    for (std::size_t i = 0; i < 3; ++i) {
      graft::batch alone;
      alone.add({{b.input_ids.begin() + b.offsets[i], b.input_ids.begin() + b.offsets[i + 1]}, {}, 0, 0});
      CHECK(largest_difference(model->logits(alone, ctx), logits.row(static_cast<graft::index>(i))) <= 1e-12);
    }
    const double loss = model->learn(b, ctx);
    const auto first = gradients(*model);
    for (auto* p : model->trained()) p->gradient().setZero();
    CHECK(model->learn(turned, ctx) == Approx(loss).epsilon(1e-13));
    const auto second = gradients(*model);
    for (std::size_t i = 0; i < first.size(); ++i) CHECK(largest_difference(first[i], second[i]) <= 1e-12);
  }
}

TEST_CASE("the number of threads changes no bit, with dropout too") {
  const auto b = tiny_batch({40, 33, 1, 45, 38});  // several pieces of rows
  for (const auto& [name, model, products] : all_models(0.2)) {
    INFO(name);
    std::vector<matrix<double>> first;
    for (const int threads : {1, 2, 3}) {
      graft::context ctx;
      ctx.threads = threads;
      const graft::training_step training(ctx, 0);
      for (auto* p : model->parameters()) graft_test::drop_gradient(*p);
      model->learn(b, ctx);
      auto all = gradients(*model);
      all.push_back(model->logits(b, ctx));
      if (first.empty()) first = all;
      std::size_t different = 0;
      for (std::size_t i = 0; i < all.size(); ++i) different += !same_bits(all[i], first[i]);
      CHECK(different == 0);
    }
  }
}

TEST_CASE("dropout is off outside training, and its masks are those of the step") {
  const auto b = tiny_batch({4, 1, 6});
  const auto with = graft_test::make_tiny_single(tiny_config(0.1));
  const auto without = graft_test::make_tiny_single(tiny_config(0));
  graft::context ctx;
  const auto plain = without->logits(b, ctx);
  CHECK(same_bits(with->logits(b, ctx), plain));
  const graft::training_step training(ctx, 0);
  CHECK(same_bits(without->logits(b, ctx), plain));
  const auto dropped = with->logits(b, ctx);
  CHECK_FALSE(same_bits(dropped, plain));
  CHECK(same_bits(with->logits(b, ctx), dropped));
  {
    const graft::training_step step(ctx, 1);
    CHECK_FALSE(same_bits(with->logits(b, ctx), dropped));
  }
  ctx.seed = 1;
  CHECK_FALSE(same_bits(with->logits(b, ctx), dropped));
}
