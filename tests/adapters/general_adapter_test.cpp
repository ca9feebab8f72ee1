// AdapterHub's bottleneck in its general form: derivatives here, the library's own answers in tests/golden/peers.

#include "graft/adapters/general_adapter.hpp"

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/kind_names.hpp"
#include "support/gradient_check.hpp"

using graft::f64;
using graft::matrix;

namespace {

graft::adapter_options general(const std::string& settings, double scaling = 1) {
  return {3, graft::activation::gelu, "general", scaling, settings};
}

matrix<double> answer(const graft::adapter_options& o, std::uint64_t seed) {
  graft::adapter_site<f64> site("s.adapter", "s.LayerNorm", 5, 1e-5, o);
  graft_test::randomize(site, seed);
  matrix<double> y(4, 5);
  graft::context ctx;
  site.forward(graft_test::random_matrix(4, 5, 2), graft_test::random_matrix(4, 5, 3), y, nullptr, ctx);
  return y;
}

}  // namespace

TEST_CASE("what other kinds compute, the general one computes, too") {
  const std::pair<const char*, const char*> same[] = {
      {"houlsby", ""}, {"pfeiffer", R"({"original_ln_before": true})"}, {"parallel", R"({"is_parallel": true})"}};
  for (const auto& [kind, settings] : same) {
    INFO(kind);
    const matrix<double> expected = answer({3, graft::activation::gelu, kind, 0.5}, 1);
    CHECK(graft_test::largest_difference(answer(general(settings, 0.5), 1), expected) <= 1e-14);
  }
}

TEST_CASE("the gradients of a general adapter are its derivatives, in every setting") {
  graft::context ctx;
  const auto h = graft_test::random_matrix(4, 5, 2), x = graft_test::random_matrix(4, 5, 3), dy = graft_test::random_matrix(4, 5, 4);
  int settings = 0;
  for (const bool parallel : {false, true}) {
    for (const bool original_before : {false, true}) {
      for (const bool original_after : {false, true}) {
        for (const auto from : {"true", "false", "\"post_add\""}) {
          for (const int norms : {0, 1, 2, 3}) {
            for (const bool early : {false, true}) {
              if ((std::string(from) == "\"post_add\"" && !original_before) || (early && (norms & 2) == 0)) continue;
              const char* scaling = std::array{"", R"(,"scaling":"learned")", R"(,"scaling":"channel")"}[settings++ % 3];
              const auto word = [](bool b) { return std::string(b ? "true" : "false"); };
              const std::string text = R"({"is_parallel":)" + word(parallel) + R"(,"original_ln_before":)" + word(original_before) +
                                       R"(,"original_ln_after":)" + word(original_after) + R"(,"residual_before_ln":)" + from +
                                       R"(,"ln_before":)" + word((norms & 1) != 0) + R"(,"ln_after":)" + word((norms & 2) != 0) +
                                       R"(,"adapter_residual_before_ln":)" + word(early) + scaling + "}";
              INFO(text);
              graft::adapter_site<f64> site("s.adapter", "s.LayerNorm", 5, 1e-5, general(text, *scaling == '\0' ? 0.5 : 1));
              graft_test::randomize(site, 1);
              if (!original_after && (!original_before || parallel)) {
                for (auto* p : {&site.norm.weight, &site.norm.bias}) p->freeze();  // nothing reads it
              }
              graft_test::check_gradients(site, std::array{h, x}, dy, ctx);
            }
          }
        }
      }
    }
  }
  CHECK(settings > 100);
}

TEST_CASE("a gate is one number a sequence, and its gradients are its derivatives") {
  const auto h = graft_test::random_matrix(6, 5, 2), x = graft_test::random_matrix(6, 5, 3), dy = graft_test::random_matrix(6, 5, 4);
  const std::vector<graft::index> offsets{0, 2, 5, 6};
  graft::context ctx;
  const auto sequences = ctx.with_sequences(offsets);
  for (const std::string other : {"", R"(,"is_parallel":true)", R"(,"original_ln_before":true,"scaling":"channel","ln_before":true)"}) {
    INFO(other);
    graft::adapter_site<f64> site("s.adapter", "s.LayerNorm", 5, 1e-5,
                                  general(R"({"use_gating":true)" + other + "}", other.find("channel") == other.npos ? 0.5 : 1));
    CHECK(site.reads_sequences());
    graft_test::randomize(site, 1);
    graft_test::check_gradients(site, std::array{h, x}, dy, ctx);
  }

  // w = 0 and b = ln 3: g = 3/4 in every sequence, as a scaling of 3/4 would do.
  graft::adapter_site<f64> gated("s.adapter", "s.LayerNorm", 5, 1e-5, general(R"({"use_gating":true})"));
  graft::adapter_site<f64> scaled("s.adapter", "s.LayerNorm", 5, 1e-5, general("", 0.75));
  graft_test::randomize(gated, 1);
  graft_test::randomize(scaled, 1);
  scaled.norm = gated.norm;
  auto& gate = *std::get<graft::general_adapter<f64>>(gated.adapter).gate;
  gate.weight.edit().setZero();
  gate.bias.edit()(0, 0) = std::log(3.0);
  matrix<double> y(6, 5), expected(6, 5);
  gated.forward(h, x, y, nullptr, ctx);
  scaled.forward(h, x, expected, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-14);
  const auto none = ctx.with_sequences({});
  CHECK_THROWS_AS(gated.forward(h, x, y, nullptr, ctx), graft::shape_error);
}

TEST_CASE("settings are read as they were written, and stand where they say") {
  const std::string text = R"({"ln_before":true,"residual_before_ln":false,"scaling":"channel","sizes":[3,0]})";
  CHECK(graft::general_settings(graft::parse_general_settings(text)) == text);
  CHECK(graft::general_settings({}).empty());
  const auto size = [&](graft::sub_layer part, graft::index layer) {
    const graft::adapter_site<f64> site("a", "n", 4, 1e-5, general(text), {part, layer});
    return site.module() == nullptr ? 0 : site.module()->size();
  };
  CHECK(size(graft::sub_layer::attention, 0) == 3);
  CHECK(size(graft::sub_layer::feed_forward, 1) == 0);
  CHECK_FALSE(graft::general_adapter<f64>::stands_at(general(R"({"mh_adapter":false})"), {graft::sub_layer::attention, 0}));

  const auto refused = [](const std::string& settings, const std::string& why) {
    CHECK_THROWS_WITH(graft::check_adapter(general(settings), "adapter_"), Catch::Contains(why));
  };
  refused("[1]", "is no JSON object");
  refused(R"({"ln_before": 1})", "\"ln_before\" is 1, true or false was expected");
  refused(R"({"dropout": 0.3})", "\"dropout\" is no setting of a general adapter: adapter_dropout says it");
  refused(R"({"phm_layer": true})", "\"phm_layer\" is no setting of a general adapter");
  refused(R"({"sizes": [3, -1]})", "\"sizes\" is -1, 0 or 1 to 65536 was expected");
  refused(R"({"residual_before_ln": "post_add"})", "which only \"original_ln_before\" gives a meaning");
  refused(R"({"mh_adapter": false, "output_adapter": false})", "there is no adapter");
  refused(R"({"sizes": [0, 0]})", "there is no adapter");
  CHECK_THROWS_WITH(graft::check_adapter(general(R"({"sizes": [3]})"), "adapter_", 2),
                    Catch::Contains("\"sizes\" has 1 numbers, one for each of 2 layers"));
  CHECK_THROWS_WITH(graft::check_adapter(general(R"({"scaling": "learned"})", 3), "adapter_"), Catch::Contains("has no meaning"));
  CHECK_THROWS_WITH(graft::check_adapter({3, graft::activation::gelu, "houlsby", 1, "{}"}, "adapter_"), Catch::Contains("does not read"));
}
