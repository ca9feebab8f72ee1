#pragma once
// What numbers a setting may have: the same for a flag, for the library's options, and in a file that says with what something was trained.

#include <string>

namespace graft {

/// The numbers from LEAST to MOST, either of them perhaps left out.
struct range {
  double least, most;
  bool above = false;  // LEAST itself is left out
  bool below = false;  // MOST itself is left out

  /// NaN is in no range.
  bool contains(double value) const;
  /// "1 to 65536", "above 0 to 1", "0 to less than 1"
  std::string text() const;
};

/// @throws config_error  "NAME is VALUE, RANGE was expected"
void check_range(const char* name, double value, const range& allowed);

/// Ranges of settings. Products of two counts fit 64 bits, rates and deviations an F32.
namespace ranges {
inline constexpr range count{1, 1e9};            // batch sizes, batches a step, rows
inline constexpr range count_or_none{0, 1e9};    // steps, epochs, tokens at once
inline constexpr range adapter_size{1, 65'536};  // of flex adapters, too
inline constexpr range adapter_scaling{-1e9, 1e9};
inline constexpr range lora_r{1, 65'536};
inline constexpr range lora_alpha{-1e9, 1e9};  // of what is read: with 0 an update changes nothing
inline constexpr range trained_lora_alpha{0, 1e9, true};
inline constexpr range prefix_length{1, 65'536};
inline constexpr range prefix_bottleneck{0, 65'536};
inline constexpr range prefix_gates{0, 2};
inline constexpr range max_seq_length{1, 1'048'576};
inline constexpr range classes{1, 100'000};
inline constexpr range dense_layers{0, 100};  // of a head
inline constexpr range weight_sets{-1, 1'000};
inline constexpr range dropout{0, 1, false, true};
inline constexpr range rate{0, 1e38};  // learning rates, gradient norms
inline constexpr range proportion{0, 1};
inline constexpr range part{0, 1, true};  // of something of which some is to be left
inline constexpr range class_weight{0, 1e9, true};
inline constexpr range epsilon{0, 1, true};
inline constexpr range deviation{0, 1'000};
}  // namespace ranges

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/range-inl.hpp"  // IWYU pragma: export
#endif
