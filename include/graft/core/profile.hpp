#pragma once
// Where the time of a step goes, for whoever asks: a context that holds no profile measures nothing.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace graft {

/// What is told apart. A product's time holds what is done with its blocks: biases, GELU, residuals, dropout, rounding.
enum class operation : std::uint8_t {
  product,
  packing,
  attention,
  normalization,
  dropout,
  mixed_adapters,
  column_sum,
  library_product,
  wait
};

/// What a printed profile calls them.
inline constexpr std::array operation_names{"products",
                                            "packing of factors",
                                            "attention",
                                            "LayerNorm",
                                            "dropout",
                                            "mixed adapters",
                                            "bias gradients",
                                            "weight gradients (library)",
                                            "waits for other threads"};

/// Seconds of the calling thread by operation, summed over calls; and, of the products, what the kernels alone took on all threads
/// together.
struct profile {
  std::array<double, operation_names.size()> seconds{};
  std::atomic<std::int64_t> kernel_nanoseconds{0};
  std::atomic<std::int64_t> kernel_operations{0};  // multiplications and additions, padding not counted

  void clear();
  /// Adds SHARE of the seconds of OTHER, a worker of this one's context, and all that its kernels did. Its `wait` is how long it worked,
  /// this one's how long all did.
  void add_share(const profile& other, double share);
};

/// Adds the time that it lives to OPERATION of a profile, if there is one.
class timed {
 public:
  timed(profile* p, operation o);
  timed(const timed&) = delete;
  timed& operator=(const timed&) = delete;
  ~timed();

 private:
  profile* profile_;
  operation operation_;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/profile-inl.hpp"  // IWYU pragma: export
#endif
