#include "graft/optim/adamw.hpp"

#include <catch2/catch.hpp>

#include "support/random_values.hpp"

using graft::adamw_options;
using graft::matrix;
using graft::optimizer_type;
using graft::parameter;
using graft::parameter_role;

namespace {

parameter<double> one(parameter_role role, double value, double gradient) {
  auto p = parameter<double>::vector("p", role, 1, value);
  p.train();
  p.gradient()(0, 0) = gradient;
  return p;
}

}  // namespace

TEST_CASE("AdamW's first two steps are as by hand") {
  auto p = one(parameter_role::weight, 1, 0.5);
  graft::adamw<double> optimizer({&p}, {optimizer_type::adam, 0.9, 0.999, 1e-8, 0.1});
  optimizer.step(0.01, 0, 1);
  // m = 0.05, v = 0.00025; sqrt(1 - 0.999) / (1 - 0.9) m / sqrt(v) = 1 but for eps; then decay of the new value
  const double root = std::sqrt(0.00025);
  double expected = 1 - 0.01 * std::sqrt(0.001) / 0.1 * 0.05 / (root + 1e-8);
  expected -= 0.01 * 0.1 * expected;
  CHECK(p.value()(0, 0) == Approx(expected).epsilon(1e-14));
  CHECK(expected == Approx(0.99 * 0.999).epsilon(1e-6));

  p.gradient()(0, 0) = -2;
  optimizer.step(0.02, 0, 1);
  const double m = 0.9 * 0.05 + 0.1 * -2;
  const double v = 0.999 * 0.00025 + 0.001 * 4;
  expected -= 0.02 * std::sqrt(1 - 0.999 * 0.999) / (1 - 0.81) * m / (std::sqrt(v) + 1e-8);
  expected -= 0.02 * 0.1 * expected;
  CHECK(p.value()(0, 0) == Approx(expected).epsilon(1e-13));
  CHECK(optimizer.steps() == 2);
  CHECK(optimizer.state()[0].m(0, 0) == Approx(m).epsilon(1e-14));
  CHECK(optimizer.state()[0].v(0, 0) == Approx(v).epsilon(1e-14));
}

TEST_CASE("RAdam is momentum for its first five steps and rectified from the sixth on") {
  auto p = one(parameter_role::bias, 1, 0.5);
  graft::adamw<double> optimizer({&p}, {optimizer_type::radam, 0.9, 0.999, 1e-8, 0.1});
  double expected = 1;
  for (int t = 1; t <= 5; ++t) {  // a constant gradient: m / (1 - 0.9^t) = 0.5
    optimizer.step(0.01, 0, 1);
    expected -= 0.01 * 0.5;
    CHECK(p.value()(0, 0) == Approx(expected).epsilon(1e-13));
  }
  optimizer.step(0.01, 0, 1);
  // rho_6 = 1999 - 12 b / (1 - b), b = 0.999^6
  const double b = std::pow(0.999, 6);
  const double rho = 1999 - 12 * b / (1 - b);
  CHECK(rho == Approx(5.994).margin(0.001));
  const double rectified = std::sqrt((rho - 4) * (rho - 2) * 1999 / (1995.0 * 1997 * rho));
  expected -= 0.01 * rectified * 0.5 / 0.5;  // m^ / sqrt(v^) = 1
  CHECK(p.value()(0, 0) == Approx(expected).epsilon(1e-7));
}

TEST_CASE("only weights decay, and mixing weights have their own rate") {
  for (const auto role :
       {parameter_role::weight, parameter_role::bias, parameter_role::layer_norm, parameter_role::adapter, parameter_role::mixing}) {
    auto p = one(role, 4, 0);  // no gradient: all that moves it is decay
    graft::adamw<double>({&p}, {}).step(0.5, 0.25, 1);
    CHECK(p.value()(0, 0) == (role == parameter_role::weight ? 4 - 0.5 * 0.01 * 4 : 4));
    auto q = one(role, 4, 3);
    graft::adamw<double>({&q}, {optimizer_type::adam, 0.9, 0.999, 0, 0}).step(0.5, 0.25, 1);
    CHECK(q.value()(0, 0) == Approx(role == parameter_role::mixing ? 3.75 : 3.5).epsilon(1e-12));
  }
}

TEST_CASE("without a gradient nothing moves, threads change no bit, gradients can be cleared") {
  auto untouched = parameter<double>::vector("p", parameter_role::weight, 3, 1);
  untouched.train();
  graft::adamw<double> optimizer({&untouched}, {});
  optimizer.step(1, 1, 1);
  CHECK((untouched.value().array() == 1).all());
  CHECK_FALSE(untouched.has_gradient());

  std::vector<matrix<double>> results;
  for (const int threads : {1, 3}) {
    auto p = parameter<double>::table("p", parameter_role::weight, 300, 200);
    p.edit() = graft_test::random_matrix(300, 200, 1);
    p.train();
    p.gradient() = graft_test::random_matrix(300, 200, 2);
    graft::adamw<double> own({&p}, {});
    own.step(0.1, 0, threads);
    own.step(0.1, 0, threads);
    results.push_back(p.value());
    own.zero_gradients();
    CHECK(p.gradient().size() == 60000);
    CHECK(p.gradient().isZero(0));
  }
  CHECK((results[0].array() == results[1].array()).all());
}

TEST_CASE("optimizers are read by name") {
  CHECK(graft::parse_optimizer_type("adam") == optimizer_type::adam);
  CHECK(graft::parse_optimizer_type("radam") == optimizer_type::radam);
  CHECK_THROWS_WITH(graft::parse_optimizer_type("sgd"), "optimizer_type is \"sgd\", one of adam, radam was expected");
}
