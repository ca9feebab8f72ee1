#include "graft/optim/schedule.hpp"

#include <catch2/catch.hpp>
#include <cmath>

using graft::parameter;
using graft::parameter_role;

TEST_CASE("the rate climbs to 1 at the warm-up's end and falls to 0 at the last step") {
  const graft::linear_schedule s{2, 6};
  const double expected[] = {0.5, 1, 0.75, 0.5, 0.25, 0, 0};
  for (int k = 1; k <= 7; ++k) CHECK(s.factor(k) == expected[k - 1]);
}

TEST_CASE("the corners of the schedule") {
  CHECK(graft::linear_schedule{0, 4}.factor(1) == 0.75);                // no warm-up
  CHECK(graft::linear_schedule{0.3, 3}.factor(1) == Approx(2 / 2.7));   // less than a step of it
  CHECK(graft::linear_schedule{2.5, 10}.factor(2) == Approx(2 / 2.5));  // not rounded
  CHECK(graft::linear_schedule{2.5, 10}.factor(3) == Approx(7 / 7.5));
  CHECK(graft::linear_schedule{10, 4}.factor(4) == 0.4);  // never ends
  CHECK(graft::linear_schedule{4, 4}.factor(4) == 0);
  CHECK(graft::linear_schedule{0, 1}.factor(1) == 0);
  CHECK(graft::linear_schedule{0, 0}.factor(1) == 0);
}

TEST_CASE("gradients are clipped by their common norm") {
  auto a = parameter<double>::vector("a", parameter_role::weight, 2);
  auto b = parameter<double>::vector("b", parameter_role::mixing, 1);
  auto none = parameter<double>::vector("c", parameter_role::weight, 1);
  const std::vector<parameter<double>*> all{&a, &b, &none};
  for (auto* p : all) p->train();
  graft::context ctx;
  const auto set = [&] {
    a.gradient() << 3, 0;
    b.gradient() << -4;
  };
  set();
  CHECK(graft::clip_gradients(all, 0.0, ctx) == 5);  // only measures
  CHECK(a.gradient()(0, 0) == 3);
  CHECK(graft::clip_gradients(all, 10.0, ctx) == 5);
  CHECK(b.gradient()(0, 0) == -4);
  CHECK(graft::clip_gradients(all, 1.0, ctx) == 5);
  CHECK(a.gradient()(0, 0) == Approx(3 / 5.000001).epsilon(1e-14));
  CHECK(b.gradient()(0, 0) == Approx(-4 / 5.000001).epsilon(1e-14));
  CHECK_FALSE(none.has_gradient());
}

TEST_CASE("the norm is that of all gradients, and the same bits on any number of threads") {
  auto a = parameter<float>::vector("a", parameter_role::weight, 50'001);
  a.train();
  double sum = 0;
  for (graft::index i = 0; i < a.size(); ++i) {
    a.gradient().data()[i] = static_cast<float>(std::sin(static_cast<double>(i)));
    sum += static_cast<double>(a.gradient().data()[i]) * static_cast<double>(a.gradient().data()[i]);
  }
  graft::context ctx;
  ctx.threads = 1;
  const double norm = graft::clip_gradients<float>({&a}, 0.0, ctx);
  CHECK(norm == Approx(std::sqrt(sum)).epsilon(1e-12));
  ctx.threads = 3;
  CHECK(graft::clip_gradients<float>({&a}, 1.0, ctx) == norm);
  CHECK(graft::clip_gradients<float>({&a}, 0.0, ctx) == Approx(1).epsilon(1e-5));
}
