// Parses the whole library, bodies too, where std::to_string takes whole numbers alone: of others it writes a decimal comma under some
// locales.

#include <utf8proc.h>

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>

namespace std {
template <std::integral T>
string text_of_whole(T number) {
  return to_string(number);
}
}  // namespace std

#undef GRAFT_COMPILED
#define to_string text_of_whole
#include "graft/graft.hpp"
