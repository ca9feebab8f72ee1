#include "graft/model/freezing.hpp"

#include <catch2/catch.hpp>
#include <set>

using graft::f64;
using graft::multi_adapter_ft_mode;

namespace {

graft::encoder_config small_config() {
  graft::encoder_config c;
  c.model_type = "roberta";
  c.vocab_size = 7;
  c.hidden_size = 4;
  c.num_hidden_layers = 2;
  c.num_attention_heads = 2;
  c.intermediate_size = 5;
  c.max_position_embeddings = 9;
  c.type_vocab_size = 1;
  c.layer_norm_eps = 1e-5;
  c.pad_token_id = 1;
  return c;
}

/// Kinds of trained and of frozen parameters; a kind is a name without its layer and site, and no kind is in both.
template <class M>
std::set<std::string> trained_kinds(M& model) {
  std::set<std::string> trained, frozen;
  model.for_each_parameter([&](const auto& p) {
    std::string kind = p.name.substr(0, p.name.rfind('.'));
    for (const std::string layer : {"roberta.encoder.layer.0.", "roberta.encoder.layer.1.", "roberta.", "attention.output.", "output."}) {
      if (kind.starts_with(layer)) kind = kind.substr(layer.size());
    }
    (p.is_trained() ? trained : frozen).insert(kind);
  });
  for (const auto& kind : trained) CHECK_FALSE(frozen.contains(kind));
  std::size_t counted = 0;
  for (const auto* p : graft::trainable_parameters(model)) {
    CHECK(p->is_trained());
    ++counted;
  }
  std::size_t expected = 0;
  model.for_each_parameter([&](const auto& p) { expected += p.is_trained(); });
  CHECK(counted == expected);
  return trained;
}

using names = std::set<std::string>;
const names head{"classifier.dense", "classifier.out_proj"};
const names trunk{"embeddings.word_embeddings",
                  "embeddings.position_embeddings",
                  "embeddings.token_type_embeddings",
                  "embeddings.LayerNorm",
                  "attention.self.query",
                  "attention.self.key",
                  "attention.self.value",
                  "dense",
                  "intermediate.dense"};

names operator+(names a, const names& b) {
  a.insert(b.begin(), b.end());
  return a;
}

names mix_kinds(multi_adapter_ft_mode mode, bool base, bool flex) {
  graft::multi_adapter_options o;
  o.adapters = {{"rte", {2}}, {"mrpc", {3}}};
  o.include_base = base;
  o.include_flex = flex;
  auto model = graft::make_multi_adapter_classifier<f64>(small_config(), 2, o, -1);
  graft::tune_mix(model, mode);
  return trained_kinds(model);
}

}  // namespace

TEST_CASE("without adapters everything is trained, or the head") {
  auto model = graft::make_plain_classifier<f64>(small_config(), 2);
  graft::tune_everything(model);
  CHECK(trained_kinds(model) == trunk + head + names{"LayerNorm"});
  graft::tune_head(model);
  CHECK(trained_kinds(model) == head);
}

TEST_CASE("single mode trains adapters, every LayerNorm and the head") {
  auto model = graft::make_adapter_classifier<f64>(small_config(), 2, {3});
  graft::tune_adapters(model);
  CHECK(trained_kinds(model) == head + names{"adapter.down_project", "adapter.up_project", "LayerNorm", "embeddings.LayerNorm"});
}

TEST_CASE("each tuning mode of a mix trains what it says") {
  const names mixing{"multi_adapter.weighted_sum"};
  const names flex{"multi_adapter.adapter_dict.flex.down_project", "multi_adapter.adapter_dict.flex.up_project",
                   "multi_adapter.layer_norm_dict.flex"};
  names mixed{"multi_adapter.layer_norm_dict.base"};
  for (const std::string name : {"rte", "mrpc"}) {
    for (const std::string part : {"down_project", "up_project"}) mixed.insert("multi_adapter.adapter_dict." + name + "." + part);
    mixed.insert("multi_adapter.layer_norm_dict." + name);
  }
  CHECK(mix_kinds(multi_adapter_ft_mode::base, true, false) == mixing + head);
  CHECK(mix_kinds(multi_adapter_ft_mode::flex, false, true) == mixing + head + flex);
  CHECK(mix_kinds(multi_adapter_ft_mode::base, true, true) == mixing + head + flex);
  CHECK(mix_kinds(multi_adapter_ft_mode::base_ft, true, false) == mixing + head + trunk);
  CHECK(mix_kinds(multi_adapter_ft_mode::base_ft, true, true) == mixing + head + trunk + flex);
  CHECK(mix_kinds(multi_adapter_ft_mode::full_ft, true, false) == mixing + head + trunk + mixed);
}

TEST_CASE("tuning modes are read by name") {
  CHECK(graft::parse_ft_mode("base") == multi_adapter_ft_mode::base);
  CHECK(graft::parse_ft_mode("flex") == multi_adapter_ft_mode::flex);
  CHECK(graft::parse_ft_mode("base_ft") == multi_adapter_ft_mode::base_ft);
  CHECK(graft::parse_ft_mode("full_ft") == multi_adapter_ft_mode::full_ft);
  CHECK_THROWS_WITH(graft::parse_ft_mode("all"), "adapter_ft_mode is \"all\", one of base, flex, base_ft, full_ft was expected");
}

TEST_CASE("adapters of some layers: their LayerNorms are trained, the others' and the embeddings' are not, and backward ends there") {
  for (const std::string kind : {"houlsby", "pfeiffer", "parallel"}) {
    auto model = graft::make_adapter_classifier<f64>(small_config(), 2, {.size = 3, .kind = kind, .leave_out = {0}});
    graft::tune_adapters(model);
    CHECK(model.trunk.lowest_trainable() == 1);
    for (const auto* p : graft::trainable_parameters(model)) {
      INFO(p->name);
      CHECK((p->name.starts_with("roberta.encoder.layer.1.") || p->name.starts_with("classifier.")));
    }
    CHECK_FALSE(model.trunk.layers[0].attention_site.has_adapter());
    CHECK(model.trunk.layers[1].feed_site.has_adapter());
    CHECK(model.trunk.layers[1].attention_site.norm.weight.is_trained());
  }
  const auto refused = [](const std::vector<graft::index>& leave_out, const std::string& kind = "houlsby") {
    CHECK_THROWS_WITH(graft::make_adapter_classifier<f64>(small_config(), 2, {.size = 3, .kind = kind, .leave_out = leave_out}),
                      Catch::Contains("adapter_leave_out"));
  };
  refused({2});
  refused({-1});
  refused({1, 0});
  refused({0, 1});
  refused({0}, "general");
}
