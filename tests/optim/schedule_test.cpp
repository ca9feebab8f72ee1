#include "graft/optim/schedule.hpp"

#include <catch2/catch.hpp>
#include <cmath>

using graft::parameter;
using graft::parameter_role;

TEST_CASE("the rate climbs to 1 at the warm-up's end and falls to 0 at the last step") {
  const graft::rate_schedule s{2, 6};
  const double expected[] = {0.5, 1, 0.75, 0.5, 0.25, 0, 0};
  for (int k = 1; k <= 7; ++k) CHECK(s.factor(k) == expected[k - 1]);
}

TEST_CASE("the corners of the schedule") {
  CHECK(graft::rate_schedule{0, 4}.factor(1) == 0.75);                // no warm-up
  CHECK(graft::rate_schedule{0.3, 3}.factor(1) == Approx(2 / 2.7));   // less than a step of it
  CHECK(graft::rate_schedule{2.5, 10}.factor(2) == Approx(2 / 2.5));  // not rounded
  CHECK(graft::rate_schedule{2.5, 10}.factor(3) == Approx(7 / 7.5));
  CHECK(graft::rate_schedule{10, 4}.factor(4) == 0.4);  // never ends
  CHECK(graft::rate_schedule{4, 4}.factor(4) == 0);
  CHECK(graft::rate_schedule{0, 1}.factor(1) == 0);
  CHECK(graft::rate_schedule{0, 0}.factor(1) == 0);
}

TEST_CASE("schedules have the numbers of transformers' get_scheduler") {
  using graft::schedule_type;
  const auto factors = [](schedule_type type, double warmup) {
    std::vector<double> all;
    for (int k = 0; k <= 10; ++k) all.push_back(graft::rate_schedule{warmup, 10, type}.factor(k));
    return all;
  };
  // tests/peers/training_options.py prints these
  const std::vector<double> cosine{0,
                                   0.3333333333333333,
                                   0.6666666666666666,
                                   1,
                                   0.9504844339512095,
                                   0.8117449009293668,
                                   0.6112604669781572,
                                   0.38873953302184283,
                                   0.18825509907063326,
                                   0.04951556604879048,
                                   0};
  const std::vector<double> cosine_without{1,   0.9755282581475768,  0.9045084971874737, 0.7938926261462366,  0.6545084971874737,
                                           0.5, 0.34549150281252633, 0.2061073738537635, 0.09549150281252633, 0.024471741852423234,
                                           0};
  const std::vector<double> constant_with_warmup{0, 0.3333333333333333, 0.6666666666666666, 1, 1, 1, 1, 1, 1, 1, 1};
  const auto close = [](const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) <= 1e-15);
  };
  close(factors(schedule_type::cosine, 3), cosine);
  close(factors(schedule_type::cosine, 0), cosine_without);
  close(factors(schedule_type::constant_with_warmup, 3), constant_with_warmup);
  close(factors(schedule_type::constant, 3), std::vector<double>(11, 1));
  CHECK(graft::rate_schedule{3, 10, schedule_type::cosine}.factor(12) > 0);  // rises again, as transformers' does
  CHECK(graft::parse_schedule_type("cosine") == schedule_type::cosine);
  CHECK_THROWS_WITH(graft::parse_schedule_type("polynomial"), Catch::Contains("one of linear, cosine, constant, constant_with_warmup"));
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
