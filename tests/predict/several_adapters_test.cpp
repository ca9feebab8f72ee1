// Rows for several adapters go through one encoder together, and every answer has the bits of a run with its adapter alone.

#include <catch2/catch.hpp>

#include "graft/io/model_file.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/lora.hpp"
#include "graft/model/saving.hpp"
#include "graft/predict/predictor.hpp"
#include "graft/predict/predictor_of.hpp"
#include "graft/predict/shared_answers.hpp"
#include "support/shared.hpp"
#include "support/thread_ranks.hpp"
#include "support/tiny_folder.hpp"

using graft::answer;
using graft::example;
using graft::f32;

namespace {

/// An encoder of four layers, and what was tuned around it.
class tuned_family {
 public:
  explicit tuned_family(const std::string& kind, const graft::json& fields = graft::json::object()) {
    graft::json all{{"hidden_size", 16}, {"intermediate_size", 32}, {"num_hidden_layers", 4}};
    all.update(fields);
    graft_test::write_tiny_folder(folder_ / "hf", kind, all);
    config_ = graft::read_encoder_config(folder_ / "hf/config.json");
    adapter("houlsby", {8});
    adapter("other", {8});
    adapter("pfeiffer", {4, graft::activation::relu, "pfeiffer"});
    adapter("upper", {8, graft::activation::gelu, "houlsby", 1, "", {0, 1}});
    adapter("upper_too", {8, graft::activation::gelu, "parallel", 4, "", {0, 1}});
    adapter("last", {8, graft::activation::gelu, "houlsby", 1, "", {0, 1, 2}});
    graft::adapter_options gated{8, graft::activation::relu, "general"};
    gated.settings = R"({"use_gating": true})";
    adapter("gated", gated);
    graft::adapter_options inverted{8, graft::activation::relu, "general"};
    inverted.settings = R"({"inv_adapter": "nice"})";
    adapter("inverted", inverted);
    graft::model_description lora;
    lora.kind = graft::tuning_kind::lora;
    lora.lora.r = 2;
    auto low_rank = graft::make_plain_classifier<f32>(config_, 2);
    graft::load_trunk(low_rank, graft::safetensors_file(folder_ / "hf/model.safetensors"));
    graft::set_trainable(low_rank, false);
    graft::add_lora(low_rank, lora.lora);
    graft::set_trainable(low_rank.head, true);
    for (auto& l : low_rank.trunk.layers) {
      l.for_each_projection([](auto& one) {
        if (one.lora) graft::set_trainable(*one.lora, true);
      });
    }
    save(low_rank, lora, "lora");
    auto head = graft::make_plain_classifier<f32>(config_, 2);
    graft::load_trunk(head, graft::safetensors_file(folder_ / "hf/model.safetensors"));
    graft::tune_head(head);
    graft::model_description head_alone;
    head_alone.kind = graft::tuning_kind::head;
    save(head, head_alone, "head");
    graft::model_description mixed;
    mixed.kind = graft::tuning_kind::multi_adapter;
    mixed.mix.adapters = {{"a", {8}}, {"b", {4}}, {"c", {}, graft::tuning_kind::lora, {2, 4, {"query", "output.dense"}}}};
    auto mix = graft::make_multi_adapter_classifier<f32>(config_, 2, mixed.mix, 1);
    graft::load_trunk(mix, graft::safetensors_file(folder_ / "hf/model.safetensors"));
    graft::tune_mix(mix, graft::multi_adapter_ft_mode::flex);
    save(mix, mixed, "mix");
  }

  const std::vector<std::string>& names() const { return names_; }
  graft::predictor with(const std::vector<std::string>& names, graft::precision precision = graft::precision::f32) const {
    graft::predictor p(graft::find_trunk_files({.model_path = folder_ / "hf"}), {.precision = precision});
    for (const std::string& name : names) p.add(name, folder_ / name);
    return p;
  }

 private:
  void adapter(const std::string& name, const graft::adapter_options& o) {
    auto model = graft::make_adapter_classifier<f32>(config_, 2, o);
    graft::load_trunk(model, graft::safetensors_file(folder_ / "hf/model.safetensors"));
    graft::tune_adapters(model);
    graft::model_description d;
    d.kind = graft::tuning_kind::adapter;
    d.adapter = o;
    save(model, d, name);
  }
  template <class Model>
  void save(Model& model, graft::model_description d, const std::string& name) {
    d.labels = {"no", "yes"};
    model.for_each_parameter([&](auto& p) {
      if (!p.is_trained()) return;
      const graft::matrix<float> before = p.value();
      graft::draw_normal(p, 0.3, names_.size() + 1);
      p.edit() += before;
    });
    const auto kept = [&](const auto& p) {  // LayerNorms, which are in the file where they are the encoder's, too
      return graft::is_tuned(p) || (d.kind == graft::tuning_kind::adapter && p.name.find("LayerNorm") != p.name.npos);
    };
    graft::save_parameters(model, folder_ / name, graft::to_metadata(d), kept);
    names_.push_back(name);
  }

  graft_test::temporary_folder folder_;
  graft::encoder_config config_;
  std::vector<std::string> names_;
};

/// Rows of ids of many lengths, some of one content.
std::vector<example> rows_of_ids(std::size_t count) {
  std::vector<example> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    rows[i].line = i + 1;
    for (std::size_t k = 0; k < 3 + i * i % 11; ++k) rows[i].input_ids.push_back(static_cast<std::int32_t>(3 + (i % 17 * 5 + k * k) % 17));
  }
  return rows;
}

void check_bits(const std::vector<answer>& a, const std::vector<answer>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO("answer " << i << " of " << a[i].adapter << " and " << b[i].adapter);
    CHECK(a[i].error == b[i].error);
    CHECK(a[i].adapter == b[i].adapter);
    CHECK(a[i].label == b[i].label);
    CHECK(a[i].logits == b[i].logits);
    CHECK(a[i].hidden_state == b[i].hidden_state);
    CHECK(a[i].line == b[i].line);
  }
}

}  // namespace

TEST_CASE("batches are cut by what rows cost, and the costliest is taken first") {
  using ranges = std::vector<graft::detail::row_range>;
  const auto cut = [](const std::vector<graft::index>& tokens, const std::vector<std::size_t>& kinds, graft::index most, int threads = 1) {
    return graft::detail::batches_by_cost(tokens, kinds, most, threads);
  };
  const auto of_one = [&](const std::vector<graft::index>& tokens, graft::index most = 100, int threads = 1) {
    return cut(tokens, std::vector<std::size_t>(tokens.size()), most, threads);
  };
  CHECK(of_one({}).empty());
  CHECK(of_one({600}) == ranges{{0, 1}});
  CHECK(of_one({20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20}) == ranges{{0, 7}, {7, 13}});  // 243 tokens at most, evenly ...
  CHECK(of_one({121, 121}) == ranges{{0, 1}, {1, 2}});                                             // ... but long ones cost more
  const std::vector<graft::index> thirty(30, 20);
  CHECK(of_one(thirty) == ranges{{0, 10}, {10, 20}, {20, 30}});
  CHECK(of_one(thirty, 100, 2) == ranges{{0, 8}, {8, 16}, {16, 24}, {24, 30}});  // as many for each thread ...
  CHECK(of_one(thirty, 100, 4) == ranges{{0, 10}, {10, 20}, {20, 30}});          // ... unless threads share each
  CHECK(of_one({108, 108, 108}) == ranges{{0, 2}, {2, 3}});
  CHECK(of_one({8, 8, 8, 8, 8}, 2) == ranges{{0, 2}, {2, 4}, {4, 5}});
  // of the first adapter, then of the second, each from long to short: the long one of the second does not come last
  CHECK(cut({300, 60, 40, 500, 30}, {0, 0, 0, 1, 1}, 100) == ranges{{3, 4}, {0, 1}, {1, 3}, {4, 5}});
  CHECK(cut({30, 30, 300, 200}, {0, 1, 1, 1}, 100) == ranges{{2, 3}, {3, 4}, {0, 1}, {1, 2}});
}

TEST_CASE("rows for different adapters have, in one batch, the bits that they have with their adapter alone") {
  const tuned_family family("roberta");
  for (const graft::precision precision : {graft::precision::f32, graft::precision::bf16, graft::precision::int8}) {
    const graft::predictor all = family.with(family.names(), precision);
    std::vector<example> rows = rows_of_ids(40);
    std::vector<answer> expected(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::size_t k = i % (family.names().size() + 1);
      rows[i].adapter = k == family.names().size() ? "none" : family.names()[k];
    }
    for (const std::string& name : family.names()) {
      const graft::predictor alone = family.with({name}, precision);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].adapter == name) expected[i] = alone.predict(std::span(rows).subspan(i, 1))[0];
        if (rows[i].adapter == "none") expected[i] = alone.predict(std::span(rows).subspan(i, 1))[0];
      }
    }
    for (const auto& [batch_size, threads] : {std::pair(0, 1), std::pair(3, 2), std::pair(0, 4), std::pair(1, 7)}) {
      INFO(batch_size << " in a batch, " << threads << " threads");
      check_bits(all.predict(rows, batch_size, threads), expected);
    }
    auto same = rows_of_ids(1);
    same[0].adapter = "other";
    CHECK(all.predict(same)[0].logits != expected[0].logits);
  }
}

TEST_CASE("every adapter answers every row, with the bits of runs of its own") {
  for (const std::string kind : {"roberta", "bert"}) {
    const tuned_family family(kind);
    for (const graft::precision precision : {graft::precision::f32, graft::precision::bf16}) {
      const std::vector<example> rows = rows_of_ids(60);
      std::vector<std::vector<answer>> alone;
      for (const std::string& name : family.names()) {
        std::vector<example> own = rows;
        for (example& row : own) row.adapter = name;
        alone.push_back(family.with({name}, precision).predict(own, 0, 1));
      }
      const std::vector<std::vector<std::size_t>> groups{{3, 4}, {0, 1, 2}, {3, 4, 5, 9}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
      for (const auto& group : groups) {
        std::vector<std::string> names;
        for (const std::size_t k : group) names.push_back(family.names()[k]);
        std::vector<answer> expected;
        for (std::size_t i = 0; i < rows.size(); ++i) {
          for (const std::size_t k : group) expected.push_back(alone[k][i]);
        }
        const graft::predictor p = family.with(names, precision);
        check_bits(p.predict_all(rows), expected);
        check_bits(p.predict_all(rows, 2, 3), expected);
        check_bits(p.predict_all(std::span(rows).first(1), 0, 2), {expected.begin(), expected.begin() + std::ssize(group)});
      }
    }
  }
}

TEST_CASE("several ranks answer for every adapter what one does") {
  const tuned_family family("roberta");
  const graft::predictor p = family.with({"upper", "upper_too", "last"});
  std::vector<example> rows;
  for (const example& row : rows_of_ids(50)) {
    for (const std::string& name : p.names()) rows.emplace_back(row).adapter = name;
  }
  rows[7].adapter = "who";
  std::vector<answer> answers;
  graft_test::on_ranks(3, [&](graft::rank_group& own) {
    if (own.rank() != 0) return graft::share_answers(own, p, 1);
    answers = graft::shared_answers(own, p, rows, 0, 1);
    graft::end_shared_answers(own);
  });
  check_bits(answers, p.predict_each(rows));
}
