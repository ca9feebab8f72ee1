#pragma once
// Bodies of graft/core/context.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/context.hpp"

namespace graft {

GRAFT_INLINE void context::begin_workers() {
  while (static_cast<int>(workers_.size()) < threads) workers_.push_back(std::make_unique<context>());
  for (int i = 0; i < threads; ++i) {
    context& worker_context = worker(i);
    worker_context.training_ = training_;
    worker_context.seed = seed;
    worker_context.step_ = step_;
    worker_context.tiles = tiles;
    worker_context.threads = 1;
    worker_context.worker_number = i;
    if (times != nullptr && worker_context.worker_times_ == nullptr) worker_context.worker_times_ = std::make_unique<profile>();
    worker_context.times = times != nullptr ? worker_context.worker_times_.get() : nullptr;
  }
}

GRAFT_INLINE void context::end_workers() {
  for (int i = 0; i < threads; ++i) {
    context& worker_context = worker(i);
    counters.products += worker_context.counters.products;
    counters.weight_gradient_products += worker_context.counters.weight_gradient_products;
    worker_context.counters = {};
    if (times == nullptr) continue;
    times->add_share(*worker_context.times, 1.0 / threads);
    worker_context.times->clear();
  }
}

}  // namespace graft
