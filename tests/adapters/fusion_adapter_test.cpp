// Fusions of adapters: closed form, derivatives, what they refuse.

#include "graft/adapters/fusion_adapter.hpp"

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/kind_names.hpp"
#include "support/gradient_check.hpp"

using graft::f64;
using graft::matrix;

namespace {

graft::multi_adapter_options fused(const std::string& kind, std::vector<graft::index> sizes, const graft::fusion_options& f = {}) {
  graft::multi_adapter_options o;
  for (const graft::index size : sizes) {
    const auto act = size % 2 == 0 ? graft::activation::swish : graft::activation::gelu;
    o.adapters.push_back({"a" + std::to_string(size), {.size = size, .act = act, .kind = kind, .scaling = size == 3 ? 2.0 : 1.0}});
  }
  o.include_base = false;
  o.mode = graft::mixing_mode::fusion;
  o.fusion = f;
  return o;
}

}  // namespace

TEST_CASE("a fusion of one adapter is that adapter, with the identity for values") {
  for (const std::string kind : {"houlsby", "pfeiffer", "general"}) {
    auto o = fused(kind, {4});
    if (kind == "general") {  // whose gate a fusion leaves out
      o.adapters[0].adapter.settings =
          R"({"original_ln_before":true,"residual_before_ln":"post_add","ln_before":true,"scaling":"channel"})";
    }
    graft::adapter_site<f64> site("s", "n", 6, 1e-5, o.adapters, o.fusion), alone("a", "n", 6, 1e-5, o.adapters[0].adapter);
    graft_test::randomize(site, 1, false);
    site.fusion()->value->edit().setIdentity();
    alone.norm = site.norm;
    if (kind == "general") {
      std::get<graft::general_adapter<f64>>(alone.adapter) = site.fusion()->modules[0];
    } else {
      *alone.module() = site.fusion()->modules[0].module;
    }
    const auto h = graft_test::random_matrix(5, 6, 2), x = graft_test::random_matrix(5, 6, 3);
    matrix<double> y(5, 6), expected(5, 6);
    graft::context ctx;
    site.forward(h, x, y, nullptr, ctx);
    alone.forward(h, x, expected, nullptr, ctx);
    CHECK(graft_test::largest_difference(y, expected) <= 1e-12);
  }
}

TEST_CASE("a token takes the adapter whose key its query meets") {
  const auto o = fused("houlsby", {1, 2}, {.value = false});
  graft::adapter_site<f64> site("s", "n", 2, 1e-5, o.adapters, o.fusion);
  auto& fusion = *site.fusion();
  fusion.modules[0].module.up_project.bias.edit() << 1, 0;  // what the adapters answer to everything
  fusion.modules[1].module.up_project.bias.edit() << 0, 1;
  fusion.query->weight.edit() << 100, 0, 0, 100;
  fusion.key->weight.edit() << 1, 0, 0, 1;
  matrix<double> h(2, 2), x(2, 2), y(2, 2), expected(2, 2);
  h << 3, 2, -5, 1;  // the first token's query is nearer to (1, 0), the second's to (0, 1)
  x << 0, 0, 0, 0;
  expected << 1, -1, -1, 1;  // LN(4, 2) and LN(-5, 2)
  graft::context ctx;
  site.forward(h, x, y, nullptr, ctx);
  CHECK(graft_test::largest_difference(y, expected) <= 1e-4);
}

TEST_CASE("the gradients of a fusion are its derivatives, with every choice of matrices and of the last adapter's form") {
  graft::context ctx;
  const graft::fusion_options choices[] = {{},
                                           {.value = false},
                                           {.query = false},
                                           {.key = false},
                                           {.query = false, .key = false, .value = false},
                                           {.query_before_ln = true},
                                           {.residual_before = true},
                                           {.query_before_ln = true, .residual_before = true}};
  const std::pair<const char*, const char*> forms[] = {
      {"houlsby", ""},
      {"pfeiffer", ""},
      {"parallel", ""},
      {"general", R"({"original_ln_before":true,"residual_before_ln":"post_add","ln_before":true,"scaling":"channel"})"},
      {"general", R"({"original_ln_before":true,"original_ln_after":false,"residual_before_ln":false,"scaling":"learned"})"}};
  const auto h = graft_test::random_matrix(5, 4, 2), x = graft_test::random_matrix(5, 4, 3), dy = graft_test::random_matrix(5, 4, 4);
  for (const auto& [kind, settings] : forms) {
    for (const auto& choice : choices) {
      for (const bool adapters : {true, false}) {
        INFO(kind << settings << ", adapters " << adapters);
        auto o = fused(kind, {3, 2, 1}, choice);
        for (auto& a : o.adapters) {
          a.adapter.settings = settings;
          if (*settings != '\0') a.adapter.scaling = 1;
        }
        graft::adapter_site<f64> site("s", "n", 4, 1e-5, o.adapters, o.fusion);
        graft_test::randomize(site, 1);
        if (!adapters) {
          for (auto& module : site.fusion()->modules) module.for_each_parameter([](auto& p) { p.freeze(); });
        }
        graft_test::check_gradients(site, std::array{h, x}, dy, ctx);
      }
    }
  }
}

TEST_CASE("where its adapters do not stand a fusion is the LayerNorm, and threads change no bit") {
  const auto o = fused("pfeiffer", {2, 3});
  graft::adapter_site<f64> bare("s", "n", 4, 1e-5, o.adapters, o.fusion, {graft::sub_layer::attention, 0});
  CHECK(bare.fusion() == nullptr);
  graft_test::randomize(bare, 1);
  graft::context ctx;
  graft_test::check_gradients(bare, std::array{graft_test::random_matrix(5, 4, 2), graft_test::random_matrix(5, 4, 3)},
                              graft_test::random_matrix(5, 4, 4), ctx);
  graft::adapter_site<graft::f32> site("s", "n", 4, 1e-5, o.adapters, o.fusion);
  graft_test::randomize(site, 1, false);
  const matrix<float> h = graft_test::random_matrix(70, 4, 2).cast<float>(), x = graft_test::random_matrix(70, 4, 3).cast<float>();
  matrix<float> one(70, 4), several(70, 4);
  ctx.threads = 1;
  site.forward(h, x, one, nullptr, ctx);
  for (const int threads : {2, 3}) {
    ctx.threads = threads;
    site.forward(h, x, several, nullptr, ctx);
    CHECK(several == one);
  }
}

TEST_CASE("what cannot be fused is refused") {
  auto o = fused("houlsby", {2, 3});
  o.include_base = true;
  CHECK_THROWS_WITH(graft::check_fusion(o), Catch::Contains("without the base"));
  o = fused("pfeiffer", {2, 3});
  o.adapters[1].adapter.kind = "parallel";  // behind feed-forward parts, both
  graft::check_fusion(o);
  o.adapters[0].kind = graft::tuning_kind::prefix;
  CHECK_THROWS_WITH(graft::check_fusion(o), Catch::Contains("a fusion is of bottleneck adapters, a2 is a prefix"));
  o = fused("houlsby", {2, 3});
  o.adapters[1].adapter.kind = "pfeiffer";
  CHECK_THROWS_WITH(graft::check_fusion(o), "a fusion is of adapters at the same sites, a3 (pfeiffer) and a2 (houlsby) stand at others");
  o = fused("general", {2, 3});
  o.adapters[1].adapter.settings = R"({"sizes":[0,3]})";
  CHECK_THROWS_WITH(graft::check_fusion(o), Catch::Contains("at the same sites"));
  o.adapters[1].adapter.settings = R"({"sizes":[2,3]})";
  graft::check_fusion(o);
}
