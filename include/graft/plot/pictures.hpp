#pragma once
// The pictures of a run: mixing weights, validation score, training loss, learning rate.

#include <vector>

#include "graft/plot/page.hpp"
#include "graft/plot/run_log.hpp"

namespace graft {

/// What LOG has something to show for, in the order of a report: weights, validation, loss, learning_rate.
std::vector<picture> pictures(const run_log& log);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/plot/pictures-inl.hpp"  // IWYU pragma: export
#endif
