// Attention to contents and distances, and to numbers of distances, in several pieces beside their formulas.

#include "graft/ops/disentangled_attention.hpp"

#include "support/gradient_check.hpp"

using graft::const_view;
using graft::matrix;
using graft::view;

namespace {

/// One head of one sequence, by the formula, with the matrices of its square.
struct plain_attention {
  matrix<double> p, ds;  // the scores' gradients
  matrix<double> y, dq, dk, dv;

  plain_attention(const matrix<double>& scores, const matrix<double>& q, const matrix<double>& k, const matrix<double>& v,
                  const matrix<double>& dy, double scale) {
    p = (scores.colwise() - scores.rowwise().maxCoeff()).array().exp();
    p = p.array().colwise() / p.rowwise().sum().array().eval();
    y = p * v;
    dv = p.transpose() * dy;
    const matrix<double> g = dy * v.transpose();
    ds = p.array() * (g.colwise() - p.cwiseProduct(g).rowwise().sum()).array();
    dq = scale * ds * k;
    dk = scale * ds.transpose() * q;
  }
};

constexpr graft::index distance_tokens = 300, distance_rows = 40, distance_size = 4;  // two pieces; distances from 20 on share a row

graft::index row_of_distance(graft::index d) { return std::clamp<graft::index>(d + distance_rows / 2, 0, distance_rows - 1); }

struct distance_case {
  matrix<double> q = graft_test::random_matrix(distance_tokens, distance_size, 1),
                 k = graft_test::random_matrix(distance_tokens, distance_size, 2),
                 v = graft_test::random_matrix(distance_tokens, distance_size, 3),
                 dy = graft_test::random_matrix(distance_tokens, distance_size, 4);
  matrix<double> y{distance_tokens, distance_size}, dq = y, dk = y, dv = y;
  std::vector<graft::index> offsets{0, distance_tokens};
  graft::context ctx;

  template <class Scores>
  void run(const Scores& scores) {
    const auto sequences = ctx.with_sequences(offsets);
    graft::ops::attention_forward<graft::f64>(q, k, v, y, {1}, ctx, scores);
    graft::ops::attention_backward<graft::f64>(dy, q, k, v, dq, dk, dv, {1}, ctx, scores);
  }
  void check(const plain_attention& plain) const {
    CHECK(graft_test::largest_difference(y, plain.y) <= 1e-13);
    CHECK(graft_test::largest_difference(dq, plain.dq) <= 1e-13);
    CHECK(graft_test::largest_difference(dk, plain.dk) <= 1e-13);
    CHECK(graft_test::largest_difference(dv, plain.dv) <= 1e-12);
  }
};

}  // namespace

TEST_CASE("attention to contents and distances is the formula's, with its gradients, in several pieces") {
  for (const int terms : {1, 2, 3}) {  // keys of distances, queries of them, both
    INFO("terms " << terms);
    distance_case c;
    const matrix<double> r = graft_test::random_matrix((terms & 1) != 0 ? distance_rows : 0, distance_size, 5),
                         s = graft_test::random_matrix((terms & 2) != 0 ? distance_rows : 0, distance_size, 6);
    matrix<double> dr = matrix<double>::Ones(distance_rows, distance_size), ds = dr;
    std::vector<std::int32_t> rows;
    for (graft::index d = 1 - distance_tokens; d < distance_tokens; ++d) rows.push_back(static_cast<std::int32_t>(row_of_distance(d)));
    c.run(graft::ops::distance_vectors<graft::f64>{r, s, rows, distance_tokens, dr, ds});

    const double scale = 1 / static_cast<double>(std::sqrt(static_cast<float>(distance_size * (terms == 3 ? 3 : 2))));
    matrix<double> scores = c.q * c.k.transpose();
    for (graft::index i = 0; i < distance_tokens; ++i) {
      for (graft::index j = 0; j < distance_tokens; ++j) {
        if (r.rows() > 0) scores(i, j) += c.q.row(i).dot(r.row(row_of_distance(i - j)));
        if (s.rows() > 0) scores(i, j) += c.k.row(j).dot(s.row(row_of_distance(i - j)));
      }
    }
    plain_attention plain(scale * scores, c.q, c.k, c.v, c.dy, scale);
    matrix<double> plain_dr = matrix<double>::Ones(distance_rows, distance_size), plain_ds = plain_dr;
    for (graft::index i = 0; i < distance_tokens; ++i) {
      for (graft::index j = 0; j < distance_tokens; ++j) {
        const graft::index row = row_of_distance(i - j);
        const double d = scale * plain.ds(i, j);
        if (r.rows() > 0) {
          plain.dq.row(i) += d * r.row(row);
          plain_dr.row(row) += d * c.q.row(i);
        }
        if (s.rows() > 0) {
          plain.dk.row(j) += d * s.row(row);
          plain_ds.row(row) += d * c.k.row(j);
        }
      }
    }
    c.check(plain);
    CHECK(graft_test::largest_difference(dr, plain_dr) <= 1e-12);
    CHECK(graft_test::largest_difference(ds, plain_ds) <= 1e-12);
  }
}

TEST_CASE("attention with numbers of distances is the formula's, with its gradients, in several pieces") {
  distance_case c;
  const matrix<double> numbers = graft_test::random_matrix(1, 2 * distance_tokens - 1, 5);
  matrix<double> gradient = matrix<double>::Ones(1, 2 * distance_tokens - 1), plain_gradient = gradient;
  c.run(graft::ops::score_numbers<graft::f64>{numbers, gradient});
  const double scale = 1 / std::sqrt(static_cast<double>(distance_size));
  matrix<double> scores = scale * c.q * c.k.transpose();
  for (graft::index i = 0; i < distance_tokens; ++i) {
    for (graft::index j = 0; j < distance_tokens; ++j) scores(i, j) += numbers(0, i - j + distance_tokens - 1);
  }
  const plain_attention plain(scores, c.q, c.k, c.v, c.dy, scale);
  for (graft::index i = 0; i < distance_tokens; ++i) {
    for (graft::index j = 0; j < distance_tokens; ++j) plain_gradient(0, i - j + distance_tokens - 1) += plain.ds(i, j);
  }
  c.check(plain);
  CHECK(graft_test::largest_difference(gradient, plain_gradient) <= 1e-12);
}
