#pragma once
// Numbers that a translation unit computes: with what the library compiled, and with what is compiled here.

#include <string>
#include <vector>

#include "graft/gemm/gemm.hpp"
#include "graft/predictor.hpp"

namespace {

/// Of a product on operands of P, some of them tiny.
template <class P>
void add_product(std::vector<double>& all) {
  graft::matrix<typename P::real> a(37, 70), b(70, 45), c(37, 45);
  for (graft::index i = 0; i < a.size(); ++i)
    a.data()[i] = static_cast<typename P::real>((i * 37 % 101 - 50) / 7. * (i % 11 == 0 ? 1e-39 : 1));
  for (graft::index i = 0; i < b.size(); ++i) b.data()[i] = static_cast<typename P::real>((i * 53 % 97 - 48) / 9.);
  graft::context ctx;
  graft::multiply<P>(graft::transpose::no, graft::const_view<typename P::real>(a), graft::transpose::no,
                     graft::const_view<typename P::real>(b), 0, graft::view<typename P::real>(c), ctx);
  all.insert(all.end(), c.data(), c.data() + c.size());
}

/// GOLDEN: the folder of the tests' models.
std::vector<double> numbers(const std::string& golden) {
  std::vector<double> all;
  for (const auto precision : {graft::precision::f32, graft::precision::bf16}) {
    const graft::predictor model({.model_path = golden + "/model/model.safetensors", .config_path = golden + "/model/config.json"},
                                 golden + "/exchange/adapterhub_double", {.precision = precision});
    graft::example row;
    row.input_ids = {0, 5, 17, 23, 9, 2};
    for (const graft::answer& answer : model.predict(std::vector{row, row})) {
      all.insert(all.end(), answer.probabilities.begin(), answer.probabilities.end());
    }
  }
  add_product<graft::f32>(all);
  add_product<graft::bf16>(all);
  return all;
}

}  // namespace
