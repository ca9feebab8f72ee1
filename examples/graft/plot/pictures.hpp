#pragma once
// The pictures of a run: mixing weights, validation score, training loss, learning rate.

#include <vector>

#include "plot/page.hpp"
#include "plot/run_log.hpp"

namespace graft::program {

/// What LOG has something to show for, in the order of a report: weights, validation, loss, learning_rate.
std::vector<picture> pictures(const run_log& log);

}  // namespace graft::program
