// The number of threads changes no bit of a training run, nor of its evaluations.

#include <omp.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "graft/model/freezing.hpp"
#include "graft/train/trainer_of.hpp"
#include "training/tiny_task.hpp"

namespace {

using graft::bf16;
using graft::f32;

/// Wide enough that products, sums over rows and the optimizer have several pieces to share out, of uneven sizes; and deep enough that a
/// product whose depth is cut by the number of threads shows: oneDNN's does.
graft::encoder_config wide_config() {
  auto c = graft_test::tiny_config();
  c.hidden_size = 200;
  c.num_attention_heads = 4;
  c.intermediate_size = 1000;
  return c;
}

/// The numbers that graft_test::draw_weights gives, drawn once for all models, since that takes longer than to train them.
template <class M>
void give_weights(M& model) {
  static std::map<std::string, std::vector<float>> drawn;
  model.for_each_parameter([&](auto& p) {
    if (p.role != graft::parameter_role::weight && p.role != graft::parameter_role::adapter) return;
    std::vector<float>& numbers = drawn[p.name];
    if (std::ssize(numbers) == p.size()) {
      std::copy(numbers.begin(), numbers.end(), p.edit().data());
    } else {
      graft::draw_normal(p, 0.2, 7);
      numbers.assign(p.value().data(), p.value().data() + p.size());
    }
  });
}

template <class P>
graft::adapter_classifier<P> single() {
  auto model = graft::make_adapter_classifier<P>(wide_config(), 2, {20});
  give_weights(model);
  graft::tune_adapters(model);
  return model;
}

template <class P>
graft::multi_adapter_classifier<P> mix(graft::multi_adapter_ft_mode mode) {
  graft::multi_adapter_options o;
  o.adapters = {{"a", {20}}, {"b", {12}}, {"c", {}, graft::tuning_kind::lora, {2, 4, {"query", "output.dense"}}}};
  o.adapters.push_back({"d", {}, graft::tuning_kind::ia3, {}, {{"key", "output.dense"}, {"output.dense"}}});
  o.adapters.push_back({"e", {}, graft::tuning_kind::prefix, {}, {}, {.length = 3, .bottleneck = 8, .gates = 1}});
  o.include_flex = mode == graft::multi_adapter_ft_mode::flex;
  auto model = graft::make_multi_adapter_classifier<P>(wide_config(), 2, o, 1);
  give_weights(model);
  graft::tune_mix(model, mode);
  return model;
}

struct trained {
  std::vector<double> losses;  // of steps and of evaluations
  std::vector<graft::matrix<float>> parameters;
};

/// What a model that MAKE returns becomes in a few steps, the short last batch among them.
template <class Make>
trained train(Make&& make, int threads) {
  auto model = make();
  const auto data = graft_test::rows(70, 1), validation = graft_test::rows(37, 2);
  graft::training_options o;
  o.train_batch_size = 32;
  o.eval_batch_size = 5;
  o.num_train_epochs = 1;
  o.learning_rate = 1e-3;
  o.eval_every_steps = 2;
  o.seed = 11;
  o.threads = threads;
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);  // as the program does, for what does not read the options
  trained result;
  graft::trainer_of(model, graft_test::two_classes(), o, data, &validation)
      .run({[&](const auto& r) { result.losses.push_back(r.loss); }, [&](const auto& r) { result.losses.push_back(r.loss); }, {}});
  omp_set_num_threads(before);
  for (const auto* p : graft::trainable_parameters(model)) result.parameters.emplace_back(p->value());
  return result;
}

template <class Make>
void check_threads(Make&& make) {
  const auto expected = train(make, 1);
  REQUIRE(expected.losses.size() == 5);
  auto model = make();
  const auto names = graft::trainable_parameters(model);
  for (const int threads : {2, 4, 7}) {
    INFO(threads << " threads");
    const auto found = train(make, threads);
    CHECK(found.losses == expected.losses);
    for (std::size_t i = 0; i < found.parameters.size(); ++i) {
      INFO(names[i]->name);
      const auto& a = found.parameters[i];
      const auto& b = expected.parameters[i];
      CHECK(std::memcmp(a.data(), b.data(), sizeof(float) * static_cast<std::size_t>(a.size())) == 0);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("one thread, two, four or seven: training with one adapter gives the same bits", "", f32, bf16) {
  check_threads([] { return single<TestType>(); });
}

TEMPLATE_TEST_CASE("one thread, two, four or seven: training around frozen weights in 8 bits gives the same bits", "", f32, bf16) {
  check_threads([] {
    auto model = single<TestType>();
    model.trunk.int8 = true;
    return model;
  });
  check_threads([] {
    auto model = mix<TestType>(graft::multi_adapter_ft_mode::base);
    model.trunk.int8 = true;
    return model;
  });
}

TEMPLATE_TEST_CASE("one thread, two, four or seven: training a mix gives the same bits", "", f32, bf16) {
  using mode = graft::multi_adapter_ft_mode;
  const auto ft_mode = GENERATE(mode::base, mode::flex, mode::full_ft);
  INFO("mode " << static_cast<int>(ft_mode));
  check_threads([&] { return mix<TestType>(ft_mode); });
}
