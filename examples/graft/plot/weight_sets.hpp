#pragma once
// Which sites of a model share their mixing weights, and what to call them.

#include <string>
#include <vector>

#include "plot/run_log.hpp"
#include "plot/series.hpp"

namespace graft::program {

/// Sites whose weights are the same at all logged steps, with these weights: one series an adapter, as in run_log::adapters.
struct weight_set {
  std::string name;
  std::vector<int> sites;
  std::vector<series> lines;
};

/// The distinct sets, in the order of their first sites.
std::vector<weight_set> weight_sets(const run_log& log);

}  // namespace graft::program
