// Attention of long sequences, some of the keys at a time.

#include "graft/ops/attention_core.hpp"
#include "support/gradient_check.hpp"

using graft::matrix;
using graft::ops::everywhere;

namespace {

/// Two heads over sequences, with keys in front of each or numbers for distances.
struct long_case {
  std::vector<graft::index> offsets;
  graft::index in_front = 0;
  double p = 0;
  matrix<double> numbers{0, 0};
  matrix<double> q, k, v, dy;

  long_case(std::vector<graft::index> where, graft::index front, double dropout) : offsets(std::move(where)), in_front(front), p(dropout) {
    const graft::index n = offsets.back(), keys = n + in_front * (std::ssize(offsets) - 1);
    q = 3 * graft_test::random_matrix(n, 4, 1);
    k = graft_test::random_matrix(keys, 4, 2);
    v = graft_test::random_matrix(keys, 4, 3);
    dy = graft_test::random_matrix(n, 4, 4);
  }
};

/// y, dq, dk, dv and the gradient of the numbers.
template <class T>
using results = std::array<matrix<T>, 5>;

template <class T>
matrix<T> as(const matrix<double>& m) {
  matrix<T> to(m.rows(), m.cols());
  for (graft::index i = 0; i < m.size(); ++i) to.data()[i] = static_cast<T>(m.data()[i]);
  return to;
}

/// By keys, or with whole rows of scores: a window that sees all but is shorter than the keys.
template <class P>
results<typename P::operand> attend(const long_case& c, bool by_keys, graft::context& ctx) {
  using T = typename P::operand;
  using real = typename P::real;
  const auto sequences = ctx.with_sequences(c.offsets);
  const graft::training_step training(ctx, 0);
  const graft::index n = c.q.rows(), keys = c.k.rows();
  const matrix<T> q = as<T>(c.q), k = as<T>(c.k), v = as<T>(c.v), dy = as<T>(c.dy);
  const matrix<real> numbers = c.numbers.template cast<real>();
  matrix<real> gradient = matrix<real>::Zero(numbers.rows(), numbers.cols());
  results<T> r{matrix<T>(n, 4), matrix<T>(n, 4), matrix<T>(keys, 4), matrix<T>(keys, 4), matrix<T>()};
  const graft::index longest = c.offsets[1] + c.in_front;
  const graft::ops::attention_options how{2, c.p, 9, graft::rows_of::tokens, c.in_front, by_keys ? everywhere : longest - 1};
  const graft::ops::score_numbers<P> scores{numbers, gradient};
  graft::ops::attention_saved<P> saved;
  graft::ops::attention_forward<P>(q, k, v, r[0], how, ctx, scores, &saved);
  CHECK(saved.logs.rows() == (by_keys ? n : 0));
  graft::ops::attention_backward<P>(dy, q, k, v, r[1], r[2], r[3], how, ctx, scores, saved);
  r[4] = gradient.template cast<T>();
  return r;
}

}  // namespace

TEST_CASE("attention by keys is that of whole rows, with its gradients, behind a prefix, with dropout and numbers of distances, too") {
  graft::context ctx;
  for (const bool with_numbers : {false, true}) {
    long_case c({0, 2100, 2103}, with_numbers ? 0 : 5, with_numbers ? 0.4 : 0);
    if (with_numbers) c.numbers = graft_test::random_matrix(2, 2 * 2100 - 1, 5);
    INFO("numbers of distances and dropout " << with_numbers);
    ctx.threads = 2;
    const auto keys = attend<graft::f64>(c, true, ctx), rows = attend<graft::f64>(c, false, ctx);
    const auto single = attend<graft::f32>(c, true, ctx);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      INFO("result " << i);
      CHECK(graft_test::largest_difference(keys[i], rows[i]) <= 1e-12);
      CHECK(graft_test::largest_difference(single[i].cast<double>(), rows[i]) <= 1e-4);
    }
    for (const int threads : {1, 4, 7}) {
      ctx.threads = threads;
      CHECK(attend<graft::f32>(c, true, ctx) == single);
    }
  }
}

TEST_CASE("attention by keys is close in bf16, too") {
  const long_case c({0, 2100}, 0, 0.1);
  graft::context ctx;
  const auto keys = attend<graft::bf16>(c, true, ctx);
  const auto rows = attend<graft::f64>(c, false, ctx);
  for (std::size_t i = 0; i < 4; ++i) {
    double worst = 0;
    for (graft::index n = 0; n < rows[i].size(); ++n)
      worst = std::max(worst, std::abs(static_cast<double>(graft::number(keys[i].data()[n])) - rows[i].data()[n]));
    INFO("result " << i);
    CHECK(worst <= 0.05 * rows[i].cwiseAbs().maxCoeff());
  }
}

TEST_CASE("the gradients of attention by keys are its derivatives") {
  long_case c({0, 2049}, 0, 0.4);
  graft::context ctx;
  auto r = attend<graft::f64>(c, true, ctx);
  const auto at = [](matrix<double>& m) { return m.data() + 4 * 2048; };  // the last token, a block of keys alone
  graft_test::check_derivatives({{"q", at(c.q), at(r[1]), 1}, {"k", at(c.k), at(r[2]), 1}, {"v", at(c.v), at(r[3]), 1}}, [&] {
    const auto sequences = ctx.with_sequences(c.offsets);
    const graft::training_step training(ctx, 0);
    matrix<double> y(2049, 4);
    graft::ops::attention_forward<graft::f64>(c.q, c.k, c.v, y, {2, c.p, 9}, ctx);
    return y.cwiseProduct(c.dy).sum();
  });
}

TEST_CASE("attention by keys holds no more scores of a long sequence than of a short one") {
  const long_case c({0, 3000}, 0, 0);
  for (const bool by_keys : {true, false}) {
    graft::context ctx;
    ctx.threads = 1;
    constexpr graft::index block = graft::index{1} << 24, budget = 2500000;  // three blocks of 32 queries with all keys take more
    ctx.memory.take<std::byte>(1, block - budget);
    attend<graft::f32>(c, by_keys, ctx);
    CHECK((ctx.memory.bytes() == block) == by_keys);
  }
}
