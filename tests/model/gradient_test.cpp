// Every gradient of whole models, by differences of the loss.

#include <algorithm>
#include <optional>
#include <utility>

#include "graft/model/freezing.hpp"
#include "model/tiny_model.hpp"
#include "support/gradient_check.hpp"

using graft::mixing_mode;
using graft::multi_adapter_ft_mode;

namespace {

/// What backward says is whole, nothing changes any more: whatever layers share, above all.
void check_segments(graft_test::tiny_model& model, const graft::batch& b, graft::context& ctx) {
  const auto segments = model.segments(1);
  REQUIRE(segments.back().layer == 0);
  REQUIRE(segments.back().begin == 0);
  for (const graft::index least : {segments.front().end / 3, segments.front().end}) {
    graft::index end = segments.front().end;
    for (const auto& s : model.segments(least)) {
      CHECK(s.end == std::exchange(end, s.begin));
      CHECK(s.end - s.begin >= least);
    }
    CHECK(end == 0);
  }
  std::vector<double> block(static_cast<std::size_t>(segments.front().end)), told;
  std::size_t next = 0;
  const auto layer_done = [&](graft::index l) {
    if (l == 0 || l != segments[next].layer) return;
    const auto& s = segments[next++];
    told.insert(told.begin(), block.begin() + s.begin, block.begin() + s.end);
  };
  const graft::function_view<void(graft::index)> tell = layer_done;
  const graft::gradients_into scope(ctx, block.data(), &tell);
  model.learn(b, ctx);
  CHECK(next + 1 == segments.size());
  CHECK(std::equal(told.rbegin(), told.rend(), block.rbegin()));
}

void check_model(graft_test::tiny_model& model, bool dropout = false, bool segments = false) {
  INFO("dropout " << dropout);
  const auto b = graft_test::tiny_batch({4, 1, 6}, 1, segments);
  graft::context ctx;
  std::optional<graft::training_step> step;
  if (dropout) step.emplace(ctx, 7);
  ctx.threads = 1;
  for (auto* p : model.parameters()) graft_test::drop_gradient(*p);
  model.learn(b, ctx);
  std::vector<graft_test::derivative> claims;
  for (auto* p : model.parameters()) {
    CHECK((p->has_gradient()) == p->is_trained());
    if (p->is_trained()) claims.push_back({p->name, p->edit().data(), p->gradient().data(), p->size()});
  }
  graft_test::check_derivatives(claims, [&] { return model.loss(b, ctx); });
  check_segments(model, b, ctx);
}

}  // namespace

TEST_CASE("gradients without adapters: everything, and the head alone") {
  for (const bool dropout : {false, true}) {
    const auto config = graft_test::tiny_config(dropout ? 0.2 : 0.0);
    check_model(*graft_test::make_tiny_plain(config, true), dropout);
    check_model(*graft_test::make_tiny_plain(config, true, 1), dropout);  // regression
    check_model(*graft_test::make_tiny_plain(config, false), dropout);
  }
}

TEST_CASE("gradients of single adapters") {
  for (const bool dropout : {false, true}) {
    const auto config = graft_test::tiny_config(dropout ? 0.2 : 0.0);
    check_model(*graft_test::make_tiny_single(config), dropout);
    check_model(*graft_test::make_tiny_single(config, 1), dropout);
    for (const auto kind : {"houlsby", "pfeiffer", "parallel", "general"}) {
      for (const bool layer_norms : {true, false}) check_model(*graft_test::make_tiny_single(config, 3, kind, layer_norms), dropout);
    }
    for (const auto kind : {"houlsby", "general"}) check_model(*graft_test::make_tiny_single(config, 3, kind, true, "", {}, 0.3), dropout);
    for (const graft::index left_out : {0, 1})
      check_model(*graft_test::make_tiny_single(config, 3, "houlsby", true, "", {left_out}), dropout);
    check_model(*graft_test::make_tiny_single(config, 3, "general", true, R"({"use_gating": true})"), dropout);  // reads whole sequences
    for (const bool layer_norms : {true, false}) {  // the embeddings' LayerNorm below it is trained, or nothing is
      check_model(*graft_test::make_tiny_single(config, 3, "general", layer_norms, R"({"inv_adapter": "nice"})"), dropout);
    }
  }
}

TEST_CASE("gradients of low-rank updates, on two and on all projections") {
  for (const bool dropout : {false, true}) {
    const auto config = graft_test::tiny_config(dropout ? 0.2 : 0.0);
    check_model(*graft_test::make_tiny_lora(config, {2, 3, {"query", "value"}}), dropout);
    check_model(*graft_test::make_tiny_lora(config, {2, 3, {"query", "key", "value", "dense"}}), dropout);
    graft::lora_options dropped{2, 3, {"query", "key", "value", "dense", "classifier.dense"}};
    dropped.dropout = 0.3;
    check_model(*graft_test::make_tiny_lora(config, dropped), dropout);
    const std::string query = "roberta.encoder.layer.0.attention.self.query";
    check_model(
        *graft_test::make_tiny_lora(config, {2, 3, {"query", "classifier.dense", "classifier.out_proj"}, {{query, 3}}, {{query, 5}}}),
        dropout);
  }
}

TEST_CASE("gradients of prefixes: flat, from a network that layers share, with gates, some layers left out") {
  check_model(*graft_test::make_tiny_prefix(graft_test::tiny_config(), {.length = 3, .bottleneck = 0}), false);
  check_model(*graft_test::make_tiny_prefix(graft_test::tiny_config(0.2), {.length = 3, .bottleneck = 4, .gates = 1}), true);
  check_model(*graft_test::make_tiny_prefix(graft_test::tiny_config(0, 3), {.length = 2, .bottleneck = 4, .gates = 2, .leave_out = {0}}),
              false);
}

TEST_CASE("gradients of fusions: their matrices alone, and everything") {
  auto mix = graft_test::tiny_mix(false, false, graft::mixing_mode::fusion);
  for (const bool general : {false, true}) {
    if (general) mix.adapters[0].adapter = {2, graft::activation::tanh, "general", 1, R"({"inv_adapter": "nice", "use_gating": true})"};
    for (const auto mode : {multi_adapter_ft_mode::base, multi_adapter_ft_mode::full_ft}) {
      if (general && mode == multi_adapter_ft_mode::base) continue;
      check_model(*graft_test::make_tiny_multi(graft_test::tiny_config(), mix, mode), false);
    }
  }
}

TEST_CASE("gradients of BERT: segments, pooler, adapters of both placements, mixes, low-rank updates") {
  for (const bool dropout : {false, true}) {
    const auto config = graft_test::tiny_bert(dropout ? 0.2 : 0.0);
    check_model(*graft_test::make_tiny_plain(config, true), dropout, true);
    check_model(*graft_test::make_tiny_plain(config, false), dropout, true);
    check_model(*graft_test::make_tiny_single(config), dropout, true);
    check_model(*graft_test::make_tiny_single(config, 3, "pfeiffer"), dropout, true);
    check_model(*graft_test::make_tiny_lora(config, {}), dropout, true);
    auto mix = graft_test::tiny_mix(true, true);
    mix.adapters[0].adapter.kind = "pfeiffer";
    for (const auto mode : {multi_adapter_ft_mode::base, multi_adapter_ft_mode::base_ft, multi_adapter_ft_mode::full_ft}) {
      check_model(*graft_test::make_tiny_multi(config, mix, mode), dropout, true);
    }
  }
}

TEST_CASE("gradients of every family, and of every function of the feed-forward layers") {
  for (const std::string name : {"distilbert", "electra", "mpnet", "deberta-v2", "deberta-v2, plain"}) {
    INFO(name);
    graft::encoder_config c = graft_test::tiny_config(0.2);
    c.model_type = name.substr(0, name.find(','));
    c.type_vocab_size = name == "electra" ? 2 : 0;
    if (name == "electra") c.embedding_size = 4;
    if (name == "mpnet") c.relative_buckets = 8;
    if (c.model_type == "deberta-v2") {
      c.relative_buckets = 4;  // so that distances share some
      c.max_relative_positions = 6;
      c.distance_keys = true;
      c.distance_queries = c.distances_normalized = name == "deberta-v2";
      c.position_table = !c.distances_normalized;
    }
    const bool segments = c.type_vocab_size > 1;
    check_model(*graft_test::make_tiny_plain(c, true), true, segments);
    check_model(*graft_test::make_tiny_single(c), true, segments);
    check_model(*graft_test::make_tiny_lora(c, {2, 3, {"query", "key"}}), true, segments);
    if (name == "mpnet") check_model(*graft_test::make_tiny_prefix(c, {.length = 2, .bottleneck = 0}), true);
    if (!name.starts_with("mpnet") && !name.starts_with("deberta")) continue;
    auto mix = graft_test::tiny_mix(true, false);  // of what attention reads beside distances
    mix.adapters.resize(1);
    if (name == "mpnet") mix.adapters.push_back({"flat", {}, graft::tuning_kind::prefix, {}, {}, {.length = 2, .bottleneck = 0}});
    mix.adapters.push_back({"updates", {}, graft::tuning_kind::lora, {2, 3, {"query", "key"}}});
    mix.adapters.push_back({"ia3", {}, graft::tuning_kind::ia3, {}, {{"key", "value"}, {}}});
    for (const auto tuned : {multi_adapter_ft_mode::base, multi_adapter_ft_mode::base_ft, multi_adapter_ft_mode::full_ft}) {
      check_model(*graft_test::make_tiny_multi(c, mix, tuned, -1), tuned != multi_adapter_ft_mode::base_ft);
    }
  }
  for (const char* act : {"gelu_new", "quick_gelu", "relu", "swish", "mish"}) {
    graft::encoder_config c = graft_test::tiny_config();
    c.hidden_act = act;
    check_model(*graft_test::make_tiny_single(c));
  }
}

TEST_CASE("gradients of ModernBERT: normalized first, turned, gated, in windows, with and without biases, adapters, updates, mixes") {
  for (const bool biases : {false, true}) {
    graft::encoder_config c = graft_test::tiny_config(biases ? 0.2 : 0.0);
    c.model_type = "modernbert";
    c.num_attention_heads = biases ? 1 : 3;
    c.type_vocab_size = 0;
    c.position_table = false;
    c.global_rope_theta = 50;
    c.local_rope_theta = 10;
    c.local_attention = 4;
    c.local_layers = {biases, !biases};
    c.attention_bias = c.mlp_bias = c.norm_bias = c.classifier_bias = c.mean_pooling = biases;
    c.mlp_dropout = biases ? 0.2 : 0.0;
    check_model(*graft_test::make_tiny_plain(c, true), biases);
    for (const auto kind : {biases ? "houlsby" : "pfeiffer", biases ? "general" : "parallel"}) {
      check_model(*graft_test::make_tiny_single(c, 3, kind, biases), biases);
    }
    check_model(*graft_test::make_tiny_single(c, 3, "general", !biases, R"({"use_gating": true, "original_ln_before": true})"), biases);
    check_model(*graft_test::make_tiny_lora(c, {2, 3, {"query_key_value", "intermediate.dense", "output.dense"}}), biases);
    auto mix = graft_test::tiny_mix(true, true, mixing_mode::gates);
    mix.adapters[0].adapter.kind = "pfeiffer";
    check_model(*graft_test::make_tiny_multi(c, mix, biases ? multi_adapter_ft_mode::base_ft : multi_adapter_ft_mode::full_ft), biases);
    const auto fusion = graft_test::tiny_mix(false, false, mixing_mode::fusion);
    check_model(*graft_test::make_tiny_multi(c, fusion, biases ? multi_adapter_ft_mode::full_ft : multi_adapter_ft_mode::base), biases);
  }
}

TEST_CASE("gradients of mixes: every tuning mode and mixing mode") {
  for (const auto tuned :
       {multi_adapter_ft_mode::base, multi_adapter_ft_mode::flex, multi_adapter_ft_mode::base_ft, multi_adapter_ft_mode::full_ft}) {
    for (const auto mode : {mixing_mode::softmax, mixing_mode::gates, mixing_mode::weights}) {
      for (const bool dropout : {false, true}) {
        INFO("tuned " << static_cast<int>(tuned) << ", mixing mode " << static_cast<int>(mode));
        const bool flex = tuned == multi_adapter_ft_mode::flex;
        const auto config = graft_test::tiny_config(dropout ? 0.2 : 0.0);
        check_model(*graft_test::make_tiny_multi(config, graft_test::tiny_mix(!flex, flex, mode), tuned), dropout);
      }
    }
  }
}

TEST_CASE("gradients of mixes: plain loop, weight sets, base and flex together, base alone, regression") {
  const auto two = graft_test::tiny_config();
  const auto four = graft_test::tiny_config(0, 4);
  const auto plain_loop = graft_test::tiny_mix(true, true, mixing_mode::softmax, false);
  for (const auto tuned : {multi_adapter_ft_mode::base, multi_adapter_ft_mode::base_ft}) {
    check_model(*graft_test::make_tiny_multi(two, plain_loop, tuned));
    for (const graft::index sets : {1, 2, -1})
      check_model(*graft_test::make_tiny_multi(four, graft_test::tiny_mix(true, false), tuned, sets));
    check_model(*graft_test::make_tiny_multi(two, graft_test::tiny_mix(true, true), tuned, 1, 1));
    auto base_alone = graft_test::tiny_mix(true, true);
    base_alone.adapters.clear();
    check_model(*graft_test::make_tiny_multi(two, base_alone, tuned));
  }
}

TEST_CASE("gradients of mixes of everything that is read: at sites, projections and in the attention") {
  for (const auto mode : {mixing_mode::softmax, mixing_mode::gates}) {
    for (const auto tuned : {multi_adapter_ft_mode::base, multi_adapter_ft_mode::base_ft, multi_adapter_ft_mode::full_ft}) {
      if (mode == mixing_mode::gates && tuned != multi_adapter_ft_mode::full_ft) continue;
      INFO("tuned " << static_cast<int>(tuned) << ", mixing mode " << static_cast<int>(mode));
      const bool dropout = tuned == multi_adapter_ft_mode::base;
      const auto config = graft_test::tiny_config(dropout ? 0.2 : 0.0);
      auto mix = graft_test::tiny_mix(true, false, mode);
      mix.adapters.push_back({"updates", {}, graft::tuning_kind::lora, {2, 3, {"query", "value", "output.dense"}}});
      if (tuned != multi_adapter_ft_mode::base_ft) {
        mix.adapters.push_back({"gated", {}, graft::tuning_kind::lora, {2, 2, {"key", "value", "dense"}}});
        mix.adapters.back().lora.gates = true;
      }
      check_model(*graft_test::make_tiny_multi(config, mix, tuned, -1), dropout);
      mix.adapters.resize(3);
      mix.adapters.erase(mix.adapters.begin());
      mix.adapters.push_back({"dora", {}, graft::tuning_kind::lora, {2, 3, {"key", "intermediate.dense"}}});
      mix.adapters.back().lora.dora = true;
      mix.adapters.push_back({"bias", {}, graft::tuning_kind::lora, {1, 2, {"key"}}});
      mix.adapters.back().lora.bias = true;
      mix.adapters.push_back({"ia3", {}, graft::tuning_kind::ia3, {}, {{"key", "value", "output.dense"}, {"output.dense"}}});
      if (tuned != multi_adapter_ft_mode::base_ft) {
        mix.adapters.push_back({"gated", {}, graft::tuning_kind::ia3, {}, {{"key", "value", "dense", "output.dense"}, {"output.dense"}}});
        mix.adapters.back().ia3.gates = true;
      }
      check_model(*graft_test::make_tiny_multi(config, mix, tuned, -1), dropout);
      mix.adapters.resize(2);
      mix.adapters.push_back({"gated", {}, graft::tuning_kind::prefix, {}, {}, {.length = 2, .bottleneck = 4, .gates = 2}});
      mix.adapters.push_back({"flat", {}, graft::tuning_kind::prefix, {}, {}, {.length = 3, .bottleneck = 0, .leave_out = {0}}});
      check_model(*graft_test::make_tiny_multi(config, mix, tuned, -1), dropout);
      mix.adapters.erase(mix.adapters.begin(), mix.adapters.begin() + 3);
      for (const std::string name : {"one", "two"}) {
        mix.adapters.push_back({name, {2, graft::activation::tanh, "general", 1, R"({"inv_adapter": "nice", "use_gating": true})"}});
      }
      mix.adapters.push_back({"fused", {}, graft::tuning_kind::fusion});
      mix.adapters.back().fused = {mix.adapters[1], {"other", {3}}};
      check_model(*graft_test::make_tiny_multi(config, mix, tuned, -1), dropout);
    }
  }
}
