#pragma once
// Numbers that a translation unit computes: with what the library compiled, and with what is compiled here.

#include <string>
#include <vector>

#include "graft/predictor.hpp"
#include "products.hpp"

namespace {

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
