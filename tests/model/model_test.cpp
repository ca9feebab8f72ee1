// The model's own errors and closed form; also where the models of tiny_model.hpp are compiled.

#include "graft/model/model.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "graft/losses/losses.hpp"
#include "graft/model/initialization.hpp"
#include "graft/model/lora.hpp"
#include "graft/model/memory.hpp"
#include "model/tiny_model.hpp"
#include "support/random_values.hpp"

using graft::f64;
using graft::matrix;

namespace {

graft::index numbers(const graft::buffer<double>& b) { return b.rows() * b.cols(); }
graft::index numbers(const graft::linear<f64>::saved& s) { return numbers(s.x); }
graft::index numbers(const graft::layer_norm<f64>::saved& s) { return numbers(s.xhat) + numbers(s.r); }
graft::index numbers(const graft::bottleneck<f64>::saved& s) { return numbers(s.down) + numbers(s.z) + numbers(s.up); }
graft::index numbers(const graft::adapter_site<f64>::saved& s) {
  return std::visit(
      [](const auto& kept) {
        graft::index n = 0;
        if constexpr (requires { kept.norm; }) {
          n += numbers(kept.norm);
        } else {
          n += numbers(kept);  // of no adapter: the norm's
        }
        if constexpr (requires { kept.module; }) n += numbers(kept.module);
        if constexpr (requires { kept.inner; }) n += numbers(kept.inner);
        return n;
      },
      s.adapter);
}
graft::index numbers(const graft::multi_adapter_site<f64>::saved& s) {
  graft::index n = numbers(s.fused.sum) + numbers(s.fused.z) + numbers(s.fused.norms) + numbers(s.flex);
  for (const auto& branch : s.branches) n += numbers(branch);
  for (const auto& y : s.y) n += numbers(y);
  return n;
}

template <class M>
class model_holder : public graft_test::tiny_model {
 public:
  explicit model_holder(M model) : model_(std::move(model)) {}
  M& model() { return model_; }

  matrix<double> logits(const graft::batch& b, graft::context& ctx) const override {
    matrix<double> z(b.size(), model_.head.classes());
    model_.forward(b, z, nullptr, ctx);
    return z;
  }
  double loss(const graft::batch& b, graft::context& ctx) const override { return loss_of(logits(b, ctx), b, nullptr); }
  double learn(const graft::batch& b, graft::context& ctx) override {
    logits_.resize(b.size(), model_.head.classes());
    gradient_.resize(b.size(), model_.head.classes());
    model_.forward(b, logits_, &trace_, ctx);
    graft::view<double> d(gradient_);
    const double loss = loss_of(logits_, b, &d);
    model_.backward(gradient_, b, trace_, ctx);
    return loss;
  }
  std::vector<graft::parameter<double>*> parameters() override {
    std::vector<graft::parameter<double>*> all;
    model_.for_each_parameter([&](auto& p) { all.push_back(&p); });
    return all;
  }
  std::vector<graft::gradient_segment> segments(graft::index least) override {
    std::vector<graft::gradient_segment> all;
    graft::cut_into_segments(model_, graft::lay_out_gradients(trained()), least, all);
    return all;
  }
  graft::index trunk_numbers() const override {
    graft::index n = numbers(trace_.trunk.embedded.norm);
    for (const auto& l : trace_.trunk.layers) {
      n += numbers(l.attention.x) + numbers(l.attention.q) + numbers(l.attention.kv) + numbers(l.attention.output) +
           numbers(l.attention.prefix.z) + numbers(l.attention.prefix.gates) + numbers(l.attention_site);
      n += numbers(l.feed.intermediate) + numbers(l.feed.gelu_derivative) + numbers(l.feed.output) + numbers(l.feed_site);
    }
    return n;
  }
  graft::index all_numbers() const override {
    graft::index n = trunk_numbers() + numbers(trace_.head.out_proj);
    for (const auto& layer : trace_.head.dense) n += numbers(layer.linear) + numbers(layer.z);
    return n;
  }
  std::int64_t training_bytes(graft::index rows, graft::index sequence, int threads, bool keeps_best) const override {
    return graft::training_bytes(model_, rows, sequence, threads, keeps_best);
  }

 private:
  double loss_of(const matrix<double>& z, const graft::batch& b, graft::view<double>* dz) const {
    return z.cols() == 1 ? graft::mean_squared_error<double>(z, b.targets, dz) : graft::cross_entropy<double>(z, b.labels, dz);
  }

  M model_;
  typename M::trace trace_;
  matrix<double> logits_, gradient_;
};

template <class M>
std::unique_ptr<model_holder<M>> hold(M model) {
  graft_test::randomize(model, 1, false, 0.4);
  return std::make_unique<model_holder<M>>(std::move(model));
}

}  // namespace

graft::encoder_config graft_test::tiny_config(double p, graft::index layers) {
  graft::encoder_config c;
  c.model_type = "roberta";
  c.vocab_size = 13;
  c.hidden_size = 6;
  c.num_hidden_layers = layers;
  c.num_attention_heads = 2;
  c.intermediate_size = 8;
  c.max_position_embeddings = 50;
  c.type_vocab_size = 1;
  c.layer_norm_eps = 1e-5;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = p;
  c.hidden_act = "gelu";
  c.pad_token_id = 1;
  return c;
}

graft::encoder_config graft_test::tiny_bert(double p) {
  graft::encoder_config c = tiny_config(p);
  c.model_type = "bert";
  c.type_vocab_size = 2;
  c.layer_norm_eps = 1e-12;
  c.pad_token_id = 0;
  return c;
}

graft::batch graft_test::tiny_batch(const std::vector<graft::index>& lengths, std::uint64_t seed, bool segments) {
  graft::batch b;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const graft::random_stream stream(seed, 0, i);
    graft::features row;
    for (graft::index t = 0; t < lengths[i]; ++t) {
      row.input_ids.push_back(2 + static_cast<std::int32_t>(stream.bits(static_cast<std::uint64_t>(t)) % 11));
      row.token_type_ids.push_back(segments && 2 * t >= lengths[i] ? 1 : 0);
    }
    row.label = static_cast<std::int32_t>(stream.bits(1000) % 3);
    row.target = 3 * stream.uniform(1001);
    b.add(row);
  }
  return b;
}

graft::multi_adapter_options graft_test::tiny_mix(bool base, bool flex, graft::mixing_mode mode, bool optimized) {
  graft::multi_adapter_options o;
  o.adapters = {{"rte", {3}}, {"mrpc", {2, graft::activation::swish}}};
  o.include_base = base;
  o.include_flex = flex;
  o.flex_size = 4;
  o.mode = mode;
  o.optimized = optimized;
  return o;
}

std::unique_ptr<graft_test::tiny_model> graft_test::make_tiny_plain(const graft::encoder_config& c, bool whole, graft::index classes) {
  auto held = hold(graft::make_plain_classifier<f64>(c, classes));
  whole ? graft::tune_everything(held->model()) : graft::tune_head(held->model());
  return held;
}
std::unique_ptr<graft_test::tiny_model> graft_test::make_tiny_single(const graft::encoder_config& c, graft::index classes,
                                                                     const std::string& kind, bool layer_norms, const std::string& settings,
                                                                     const std::vector<graft::index>& leave_out, double dropout) {
  auto held = hold(graft::make_adapter_classifier<f64>(c, classes, {3, graft::activation::gelu, kind, 1, settings, leave_out, dropout}));
  graft::tune_adapters(held->model(), layer_norms);
  return held;
}
std::unique_ptr<graft_test::tiny_model> graft_test::make_tiny_lora(const graft::encoder_config& c, const graft::lora_options& o) {
  auto model = graft::make_plain_classifier<f64>(c, 3);
  graft::add_lora(model, o);
  auto held = hold(std::move(model));
  graft::tune_lora(held->model());
  return held;
}
std::unique_ptr<graft_test::tiny_model> graft_test::make_tiny_prefix(const graft::encoder_config& c, const graft::prefix_options& o) {
  auto model = graft::make_plain_classifier<f64>(c, 3);
  graft::add_prefix(model, o);
  auto held = hold(std::move(model));
  graft::tune_prefix(held->model());
  return held;
}
std::unique_ptr<graft_test::tiny_model> graft_test::make_tiny_multi(const graft::encoder_config& c, const graft::multi_adapter_options& o,
                                                                    graft::multi_adapter_ft_mode mode, graft::index weight_sets,
                                                                    graft::index classes) {
  auto held = hold(graft::make_multi_adapter_classifier<f64>(c, classes, o, weight_sets));
  graft::tune_mix(held->model(), mode);
  return held;
}

TEST_CASE("a model whose weights are zero answers with its output bias") {
  auto model = graft::make_plain_classifier<f64>(graft_test::tiny_config(), 3);
  model.head.out_proj.bias.edit() << 1, 2, 3;
  matrix<double> logits(2, 3), expected(2, 3);
  expected << 1, 2, 3, 1, 2, 3;
  graft::context ctx;
  model.forward(graft_test::tiny_batch({4, 2}), logits, nullptr, ctx);
  CHECK(logits == expected);
  matrix<double> wrong(2, 2);
  CHECK_THROWS_WITH(model.forward(graft_test::tiny_batch({4, 2}), wrong, nullptr, ctx),
                    "layer 'classifier': logits is (2, 2), (2, 3) is needed");
}

TEST_CASE("BERT's head is its pooler and one layer, RoBERTa's two fresh layers") {
  const auto names = [](const graft::encoder_config& c) {
    auto model = graft::make_plain_classifier<f64>(c, 3);
    std::vector<std::string> all;
    model.head.for_each_parameter([&](const auto& p) { all.push_back(p.name); });
    return all;
  };
  CHECK(names(graft_test::tiny_bert()) ==
        std::vector<std::string>{"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"});
  CHECK(names(graft_test::tiny_config()) == std::vector<std::string>{"classifier.dense.weight", "classifier.dense.bias",
                                                                     "classifier.out_proj.weight", "classifier.out_proj.bias"});
}

TEST_CASE("low-rank updates start as nothing, and a target is the end of a layer's name") {
  const auto config = graft_test::tiny_config();
  const auto updates = [&](std::vector<std::string> targets) {
    auto model = graft::make_plain_classifier<f64>(config, 3);
    graft::add_lora(model, {2, 4, std::move(targets)});
    graft::index count = 0;
    graft::for_each_projection(model, [&](auto& layer) { count += layer.lora.has_value(); });
    return count;
  };
  CHECK(updates({"query", "value"}) == 4);
  CHECK(updates({"dense"}) == 6);
  CHECK(updates({"output.dense", "attention.self.key"}) == 6);
  CHECK(updates({"classifier.dense", "query"}) == 3);  // of the head: whole names
  CHECK_THROWS_WITH(updates({"query", "pooler"}), Catch::Contains("lora_target names \"pooler\""));
  CHECK_THROWS_WITH(updates({"uery"}), Catch::Contains("\"uery\""));

  auto model = graft::make_plain_classifier<f64>(config, 3);
  graft_test::randomize(model, 1, false, 0.4);
  const auto b = graft_test::tiny_batch({4, 2});
  matrix<double> before(2, 3), after(2, 3);
  graft::context ctx;
  model.forward(b, before, nullptr, ctx);
  graft::add_lora(model, {});
  graft::initialize_lora(model, 1);
  model.forward(b, after, nullptr, ctx);
  CHECK(before == after);
  const auto& a = model.trunk.layers[1].attention.value.lora->a.value();
  CHECK(a.cwiseAbs().maxCoeff() <= 1 / std::sqrt(6.0));
  CHECK(a.cwiseAbs().maxCoeff() > 0.2);
}

TEST_CASE("prefixes start as AdapterHub's library starts them") {
  auto model = graft::make_plain_classifier<f64>(graft_test::tiny_config(), 3);
  graft::add_prefix(model, {.length = 50, .bottleneck = 16, .gates = 1});
  graft::initialize_prefix(model, 1);
  const auto& prefix = *model.trunk.layers[1].attention.prefix;
  const auto deviation = [](const auto& p) { return std::sqrt(p.value().squaredNorm() / static_cast<double>(p.size())); };
  CHECK(deviation(prefix.network->embedding) == Approx(1).margin(0.15));
  CHECK(deviation(prefix.network->down_project.weight) == Approx(1 / std::sqrt(18)).margin(0.06));  // uniform between +-1/sqrt(6)
  CHECK(deviation(prefix.up_project->bias) > 0.1);
  CHECK(prefix.up_project->weight.value().cwiseAbs().maxCoeff() <= 0.25);
  CHECK(deviation(prefix.gate->weight) < 0.05);
  CHECK(prefix.gate->bias.value().isZero(0));
  const auto refused = [&](const graft::prefix_options& o) { graft::add_prefix(model, o); };
  CHECK_THROWS_WITH(refused({.length = 0}), "prefix_length is 0, 1 to 65536 was expected");
  CHECK_THROWS_WITH(refused({.gates = 3}), "prefix_gates is 3, 0 to 2 was expected");
  CHECK_THROWS_WITH(refused({.leave_out = {0, 1}}), "a prefix that leaves out all 2 layers is none");
}

TEST_CASE("weight sets are equal runs of whole layers, or refused") {
  const auto count = [](graft::index layers, graft::index sets) {
    auto model = graft::make_multi_adapter_classifier<f64>(graft_test::tiny_config(0, layers), 3, graft_test::tiny_mix(true, false), sets);
    std::vector<std::string> names;
    model.for_each_parameter([&](const auto& p) {
      if (p.role == graft::parameter_role::mixing) names.push_back(p.name);
    });
    for (graft::index l = 0; l < layers; ++l) {  // a run shares one mix
      const auto& layer = model.trunk.layers[static_cast<std::size_t>(l)];
      const auto& first = model.trunk.layers[static_cast<std::size_t>(l - l % (layers / static_cast<graft::index>(names.size())))];
      CHECK(layer.attention_site.mix == first.attention_site.mix);
      CHECK(layer.feed_site.mix == first.attention_site.mix);
    }
    return names;
  };
  const auto name = [](int layer) {
    return "roberta.encoder.layer." + std::to_string(layer) + ".attention.output.multi_adapter.weighted_sum.weights";
  };
  CHECK(count(4, 1) == std::vector{name(0)});
  CHECK(count(4, 2) == std::vector{name(0), name(2)});
  CHECK(count(4, 4) == std::vector{name(0), name(1), name(2), name(3)});
  CHECK(count(4, -1) == std::vector{name(0), name(1), name(2), name(3)});
  for (const graft::index sets : {0, 3, 8, -2}) {
    CHECK_THROWS_AS(count(4, sets), graft::config_error);
  }
  CHECK_THROWS_WITH(count(4, 3), "adapter_num_weight_sets is 3: 4 layers cannot be cut into that many equal runs (-1 means one per layer)");
  graft::multi_adapter_options nothing;
  nothing.include_base = false;
  CHECK_THROWS_WITH(graft::make_multi_adapter_classifier<f64>(graft_test::tiny_config(), 3, nothing, 1),
                    "a multi-adapter needs at least one adapter or the base in its mix");
}

TEST_CASE("settings out of range are refused when a model is made, before anything is computed with them") {
  graft::encoder_config c = graft_test::tiny_config();
  const auto make = [&](graft::index classes, graft::index size) { return graft::make_adapter_classifier<f64>(c, classes, {size}); };
  constexpr graft::index huge = graft::index{1} << 62;
  CHECK_THROWS_WITH(make(2, huge), Catch::Contains("adapter_size is 4") && Catch::Contains("1 to 65536 was expected"));
  for (const graft::index size : {graft::index{0}, graft::index{-1}, graft::index{65'537}})
    CHECK_THROWS_AS(make(2, size), graft::config_error);
  for (const graft::index classes : {graft::index{0}, graft::index{100'001}, huge}) CHECK_THROWS_AS(make(classes, 2), graft::config_error);
  auto plain = graft::make_plain_classifier<f64>(c, 2);
  CHECK_THROWS_WITH(graft::add_lora(plain, {graft::index{1} << 58, 8, {"query"}}), Catch::Contains("lora_r is 2"));
  CHECK_THROWS_WITH(graft::add_lora(plain, {0, 8, {"query"}}), Catch::Contains("lora_r is 0, 1 to 65536 was expected"));
  for (const double alpha : {-2e9, std::nan(""), std::numeric_limits<double>::infinity()}) {
    CHECK_THROWS_WITH(graft::add_lora(plain, {2, alpha, {"query"}}), Catch::Contains("lora_alpha is "));
  }
  graft::multi_adapter_options mix;
  mix.adapters.push_back({"rte", {huge}});
  CHECK_THROWS_WITH((graft::make_multi_adapter_classifier<f64>(c, 2, mix, 1)), Catch::Contains("rte's adapter_size is 4"));
  mix.adapters[0].adapter.size = 2;
  CHECK_THROWS_AS((graft::make_multi_adapter_classifier<f64>(c, 2, mix, 0)), graft::config_error);
  auto model = make(2, 2);
  CHECK_THROWS_AS(graft::initialize_adapters(model, std::nan(""), 1), graft::config_error);
  c.hidden_dropout_prob = 1;
  CHECK_THROWS_WITH(make(2, 2), Catch::Contains("hidden_dropout_prob is 1, 0 to less than 1 was expected"));
}
