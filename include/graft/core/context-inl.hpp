#pragma once
// Bodies of graft/core/context.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/context.hpp"

namespace graft {

GRAFT_INLINE void context::begin_workers() {
  while (static_cast<int>(workers_.size()) < threads) workers_.push_back(std::make_unique<context>());
  for (int i = 0; i < threads; ++i) {
    context& own = worker(i);
    own.training_ = training_;
    own.seed = seed;
    own.step_ = step_;
    own.tiles = tiles;
    own.threads = 1;
    own.worker_number = i;
    if (times != nullptr && own.own_times_ == nullptr) own.own_times_ = std::make_unique<profile>();
    own.times = times != nullptr ? own.own_times_.get() : nullptr;
  }
}

GRAFT_INLINE void context::end_workers() {
  for (int i = 0; i < threads; ++i) {
    context& own = worker(i);
    counters.products += own.counters.products;
    counters.weight_gradient_products += own.counters.weight_gradient_products;
    own.counters = {};
    if (times == nullptr) continue;
    times->add_share(*own.times, 1.0 / threads);
    own.times->clear();
  }
}

}  // namespace graft
