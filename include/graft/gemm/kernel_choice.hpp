#pragma once
// Which code computes on this processor: a list for each kind of work, the best first, and one rule, the first that runs.

#include <algorithm>
#include <optional>
#include <span>

#include "graft/core/cpu.hpp"

namespace graft::detail {

/// One way to do something, and whether this processor can. Tested: tests/gemm/product_test.cpp
template <class Code>
struct kernel_choice {
  const char* name;
  bool (*granted)();  // by processor and operating system; asked for no other path than the one that is needed
  Code code;
  std::optional<tile_path> needs{};  // what the thread must hold (tile_unit), or bf16 is to be computed by

  bool runs(tile_path path) const { return (!needs || *needs == path) && granted(); }
};

inline bool anywhere() { return true; }

/// All that are compiled for this kind of processor, the best first; plain code, which runs anywhere, is the last.
template <class Code>
using kernel_list = std::span<const kernel_choice<Code>>;

template <class Code>
const kernel_choice<Code>& first_that_runs(kernel_list<Code> all, tile_path path = tile_path::portable) {
  return *std::find_if(all.begin(), all.end(), [&](const kernel_choice<Code>& one) { return one.runs(path); });
}

}  // namespace graft::detail
