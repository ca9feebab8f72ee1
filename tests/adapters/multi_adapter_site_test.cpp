#include "graft/adapters/multi_adapter_site.hpp"

#include "graft/adapters/kind_names.hpp"
#include "support/gradient_check.hpp"
#include "support/layer_golden.hpp"

using graft::f64;
using graft::matrix;
using graft::mixing_mode;
using graft::multi_adapter_options;
using graft::multi_adapter_site;
using graft::view;

namespace {

template <class P>
multi_adapter_site<P> make_site(const multi_adapter_options& o, graft::index hidden_size) {
  return {"s", hidden_size, 1e-5, o, std::make_shared<graft::mixing_weights<P>>("s.multi_adapter.weighted_sum", o.count(), o.mode), true};
}

multi_adapter_options options(std::vector<graft::index> sizes, bool base, bool flex, mixing_mode mode = mixing_mode::softmax,
                              bool optimized = true) {
  multi_adapter_options o;
  for (const graft::index size : sizes) {
    const auto act = o.adapters.size() == 1 ? graft::activation::swish : graft::activation::gelu;
    o.adapters.push_back({"t" + std::to_string(o.adapters.size()), {size, act}});
  }
  o.include_base = base;
  o.include_flex = flex;
  o.flex_size = 3;
  o.mode = mode;
  o.optimized = optimized;
  return o;
}

/// Trains the mixing weights, and flex where there is one: then the fused kernel runs.
template <class P>
void freeze_mixed(multi_adapter_site<P>& site) {
  for (auto& branch : site.branches) branch.for_each_parameter([](auto& p) { p.freeze(); });
}

template <class P>
struct outcome {
  matrix<typename P::real> y, dh, dx, dv;
  std::vector<matrix<typename P::real>> flex;  // gradients
};

template <class P>
outcome<P> run_site(multi_adapter_options o, bool optimized, graft::index rows, graft::index width, int threads) {
  using real = typename P::real;
  o.optimized = optimized;
  auto site = make_site<P>(o, width);
  graft_test::randomize(site, 1);
  freeze_mixed(site);
  CHECK(site.fused() == optimized);
  const auto h = graft_test::random_matrix<real>(rows, width, 51);
  const auto x = graft_test::random_matrix<real>(rows, width, 52);
  const auto dy = graft_test::random_matrix<real>(rows, width, 53);
  outcome<P> out{matrix<real>(rows, width), matrix<real>(rows, width), matrix<real>(rows, width), {}, {}};
  graft::context ctx;
  ctx.threads = threads;
  typename multi_adapter_site<P>::saved s;
  site.forward(h, x, out.y, &s, ctx);
  view<real> dh(out.dh), dx(out.dx);
  site.backward(dy, s, &dh, &dx, ctx);
  out.dv = site.mix->v.gradient();
  if (site.flex) out.flex = graft_test::gradients_of(*site.flex);

  // Without input gradients (only the mixing weights learn), or with just one of them, nothing else changes.
  site.mix->v.gradient().setZero();
  site.backward(dy, s, nullptr, nullptr, ctx);
  CHECK(graft_test::largest_difference(site.mix->v.gradient(), out.dv) == 0);
  matrix<real> alone(rows, width);
  view<real> one(alone);
  site.backward(dy, s, nullptr, &one, ctx);
  CHECK(graft_test::largest_difference(alone, out.dx) == 0);
  site.backward(dy, s, &one, nullptr, ctx);
  CHECK(graft_test::largest_difference(alone, out.dh) == 0);
  return out;
}

/// Largest difference between fused and plain, relative to the largest element of each matrix; dv, a sum of ROWS WIDTH products that may
/// cancel, relative to the size that such a sum has.
template <class P>
double fused_error(const multi_adapter_options& o, graft::index rows, graft::index width, int threads = 2) {
  const auto fused = run_site<P>(o, true, rows, width, threads);
  const auto plain = run_site<P>(o, false, rows, width, threads);
  double worst = graft_test::largest_difference(fused.dv, plain.dv) / std::sqrt(static_cast<double>(rows * width));
  const auto compare = [&](const auto& a, const auto& b) {
    worst = std::max(worst, graft_test::largest_difference(a, b) / std::max(1.0, static_cast<double>(b.cwiseAbs().maxCoeff())));
  };
  compare(fused.y, plain.y);
  compare(fused.dh, plain.dh);
  compare(fused.dx, plain.dx);
  REQUIRE(fused.flex.size() == plain.flex.size());
  for (std::size_t i = 0; i < fused.flex.size(); ++i) compare(fused.flex[i], plain.flex[i]);
  return worst;
}

}  // namespace

TEST_CASE("a mix of one zero adapter and the base has its closed form") {
  for (const bool optimized : {true, false}) {
    auto site = make_site<f64>(options({2}, true, false, mixing_mode::weights, optimized), 3);
    site.branches[0].module()->up_project.bias.edit() << 0, 0, 3;  // A(h) = h + (0, 0, 3)
    site.branches[1].norm.weight.edit() << 1, 2, 3;
    site.mix->v.edit() << 10, 1;
    matrix<double> h(2, 3), x(2, 3), y(2, 3), expected(2, 3);
    h << 1, 1, 0, 2, 0, -3;
    x << 0, 1, 0, 1, 3, 3;
    // The adapter's sums (1, 2, 3), (3, 3, 3); the base's (1, 2, 0), (3, 3, 0).
    const double r = 1 / std::sqrt(2.0 / 3 + 1e-5);
    const double r2 = 1 / std::sqrt(2 + 1e-5);
    expected << -10 * r, 2 * r, 10 * r - 3 * r, r2, 2 * r2, -3 * 2 * r2;
    graft::context ctx;
    site.forward(h, x, y, nullptr, ctx);
    CHECK(graft_test::largest_difference(y, expected) <= 1e-12);
  }
}

TEST_CASE("the gradients of a mix are its derivatives: all trained, and the adapters frozen") {
  graft::context ctx;
  const auto h = graft_test::random_matrix(4, 5, 2);
  const auto x = graft_test::random_matrix(4, 5, 3);
  const auto dy = graft_test::random_matrix(4, 5, 4);
  for (const auto mode : {mixing_mode::softmax, mixing_mode::gates, mixing_mode::weights}) {
    for (const bool flex : {false, true}) {
      for (const bool frozen : {false, true}) {
        INFO("mode " << static_cast<int>(mode) << ", flex " << flex << ", adapters frozen " << frozen);
        for (const std::string& kind : graft::adapter_kind_names()) {
          INFO(kind);
          auto o = options({3, 2}, !flex, flex, mode);
          o.adapters[1].adapter.kind = kind;
          auto site = make_site<f64>(o, 5);
          graft_test::randomize(site, 1);
          if (frozen) freeze_mixed(site);
          CHECK(site.fused() == (frozen && (kind == "houlsby" || kind == "pfeiffer")));
          graft_test::check_gradients(site, std::array{h, x}, dy, ctx);
        }
      }
    }
  }
}

TEST_CASE("a scaled adapter is mixed by the plain loop, which the fused kernel would get wrong") {
  auto o = options({3, 2}, true, false);
  o.adapters[1].adapter.scaling = 0.5;
  auto site = make_site<f64>(o, 5);
  graft_test::randomize(site, 1);
  freeze_mixed(site);
  CHECK_FALSE(site.fused());
  graft::context ctx;
  graft_test::check_gradients(site, std::array{graft_test::random_matrix(4, 5, 2), graft_test::random_matrix(4, 5, 3)},
                              graft_test::random_matrix(4, 5, 4), ctx);
}

TEST_CASE("mixes agree with PyTorch, fused and plain") {
  const std::string names[] = {"softmax", "gates", "weights", "base", "flex"};
  for (const auto& name : names) {
    INFO(name);
    auto o = options({}, name == "base", name == "flex");
    o.adapters = {{"rte", {3}}, {"mrpc", {3}}};
    o.mode = name == "softmax" || name == "base" ? mixing_mode::softmax : name == "weights" ? mixing_mode::weights : mixing_mode::gates;
    const graft_test::layer_golden golden("multi_adapter_" + name);
    graft::context ctx;
    for (const bool frozen : {false, true}) {
      auto site = make_site<f64>(o, 8);
      graft_test::randomize(site, 1);
      if (frozen) freeze_mixed(site);
      golden.check_part(site, std::array<std::string, 2>{"h", "x"}, ctx);
    }
  }
}

TEST_CASE("the fused mix equals the plain loop for every number of rows, forward and backward") {
  for (graft::index rows = 1; rows <= 70; ++rows) {
    INFO(rows << " rows");
    CHECK(fused_error<f64>(options({3, 5}, true, false), rows, 6) <= 1e-12);
  }
  for (const graft::index rows : {1, 31, 32, 33, 64, 65, 130}) {
    INFO(rows << " rows");
    CHECK(fused_error<f64>(options({4, 1, 7}, false, false, mixing_mode::gates), rows, 6) <= 1e-12);
    CHECK(fused_error<f64>(options({4, 2}, true, true, mixing_mode::weights), rows, 6) <= 1e-12);
    CHECK(fused_error<f64>(options({}, true, false), rows, 6) <= 1e-12);
    auto both = options({4, 1, 7}, true, false);
    both.adapters[0].adapter.kind = both.adapters[2].adapter.kind = "pfeiffer";
    for (const int threads : {1, 2}) {
      CHECK(fused_error<f64>(both, rows, 6, threads) <= 1e-12);
      CHECK(fused_error<graft::f32>(both, rows, 48, threads) <= 1e-5);
    }
    CHECK(fused_error<graft::f32>(options({4, 7}, true, false), rows, 48) <= 1e-5);
    CHECK(fused_error<graft::f32>(options({4, 7}, false, true), rows, 48) <= 1e-5);
  }
}

TEST_CASE("the fused mix gives the same bits with any number of threads, and keeps h + x and z alone") {
  auto o = options({16, 8}, true, false);
  o.adapters[1].adapter.kind = "pfeiffer";
  const auto one = run_site<f64>(o, true, 130, 64, 1);
  for (const int threads : {2, 3}) {
    const auto many = run_site<f64>(o, true, 130, 64, threads);
    CHECK((many.y.array() == one.y.array()).all());
    CHECK((many.dh.array() == one.dh.array()).all());
    CHECK((many.dx.array() == one.dx.array()).all());
    CHECK((many.dv.array() == one.dv.array()).all());
  }
  auto site = make_site<f64>(o, 64);
  const auto h = graft_test::random_matrix(10, 64, 1);
  matrix<double> y(10, 64);
  graft::context ctx;
  multi_adapter_site<f64>::saved s;
  site.forward(h, h, y, &s, ctx);
  CHECK(s.fused.sum.bytes() == 10 * 64 * sizeof(double));
  CHECK(s.fused.z.bytes() == 10 * 24 * sizeof(double));
  CHECK(s.branches.empty());
}

TEST_CASE("names tell the parts of a mix, a shared mix is visited at its owner alone") {
  auto site = make_site<f64>(options({3}, true, true), 4);
  std::vector<std::string> names;
  site.for_each_parameter([&](const auto& p) { names.push_back(p.name.substr(2)); });
  CHECK(names.size() == 1 + 4 + 2 + 2 + 4 + 2);
  CHECK(names.front() == "multi_adapter.weighted_sum.weights");
  CHECK(names[1] == "multi_adapter.adapter_dict.t0.down_project.weight");
  CHECK(names[5] == "multi_adapter.layer_norm_dict.t0.weight");
  CHECK(names[7] == "multi_adapter.layer_norm_dict.base.weight");
  CHECK(names[9] == "multi_adapter.adapter_dict.flex.down_project.weight");
  CHECK(names.back() == "multi_adapter.layer_norm_dict.flex.bias");
  multi_adapter_site<f64> borrower("b", 4, 1e-5, options({3}, true, false), site.mix, false);
  borrower.for_each_parameter([](const auto& p) { CHECK(p.role != graft::parameter_role::mixing); });
}

TEST_CASE("the fused mix equals the plain loop in bf16, with adapters wider than the model too") {
  for (const graft::index size : {5, 70, 256}) {
    INFO("adapters of " << size);
    for (const int threads : {1, 4}) CHECK(fused_error<graft::bf16>(options({size, 3}, true, false), 200, 32, threads) <= 0.06);
  }
}

TEST_CASE("sites compute the same inside a team of threads that somebody else made") {
  auto site = make_site<graft::f32>(options({9, 3}, true, false), 20);
  graft_test::randomize(site, 1);
  freeze_mixed(site);
  const auto h = graft_test::random_matrix<float>(64, 20, 51);
  const auto x = graft_test::random_matrix<float>(64, 20, 52);
  matrix<float> expected(64, 20);
  graft::context alone;
  alone.threads = 1;
  site.forward(h, x, expected, nullptr, alone);
  int wrong = 0;
#pragma omp parallel for num_threads(4) reduction(+ : wrong)
  for (int i = 0; i < 16; ++i) {
    graft::context ctx;
    ctx.threads = 1;
    matrix<float> y(64, 20);
    typename multi_adapter_site<graft::f32>::saved s;
    site.forward(h, x, y, &s, ctx);
    wrong += y != expected;
  }
  CHECK(wrong == 0);
}
