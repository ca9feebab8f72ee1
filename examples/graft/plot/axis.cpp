#include "plot/axis.hpp"

#include <algorithm>
#include <cmath>

#include "graft/core/number_text.hpp"

namespace graft::program {

double axis::pixel(double value, double from, double to) const { return from + (value - low) / (high - low) * (to - from); }

}  // namespace graft::program

namespace graft::program::detail {

/// The smallest of 1, 2, 5 x 10^k that is not below SIZE.
double round_step(double size) {
  const double power = std::pow(10.0, std::floor(std::log10(size)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= size * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

void set_ticks(axis& a, double step) {
  const double first = std::ceil(a.low / step - 1e-6);
  const double last = std::floor(a.high / step + 1e-6);
  for (double k = 0; k <= last - first; ++k) a.ticks.push_back((first + k) * step);
}

void set_labels(axis& a, double step, double scale, const std::string& suffix) {
  const int decimals = std::max(0, -static_cast<int>(std::floor(std::log10(step / scale) + 1e-9)));
  for (const double tick : a.ticks) {
    std::string label = fixed_text(tick / scale, decimals);
    if (!suffix.empty()) {
      if (decimals > 0) label.erase(label.find_last_not_of('0') + 1);
      if (label.back() == '.') label.pop_back();
      if (label != "0") label += suffix;
    }
    a.labels.push_back(label);
  }
}

std::string superscript(int number) {
  static const char* const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out;
  for (const char c : std::to_string(number)) out += c == '-' ? "⁻" : digits[c - '0'];
  return out;
}

}  // namespace graft::program::detail

namespace graft::program {

axis step_axis(extent data, int count) {
  if (data.empty()) data = {0, 1};
  if (data.low > 0 && data.low <= 0.25 * data.high) data.low = 0;
  if (data.low == data.high) {
    const double around = std::max(1.0, 1e-6 * std::abs(data.low));
    data = {data.low - around, data.high + around};
  }
  axis a;
  a.low = data.low;
  a.high = data.high;
  const double step = std::max(1.0, detail::round_step((a.high - a.low) / count));
  detail::set_ticks(a, step);
  const bool millions = a.high >= 1e6;
  const bool thousands = a.high >= 1e4;
  detail::set_labels(a, step, millions ? 1e6 : thousands ? 1e3 : 1, millions ? "M" : thousands ? "k" : "");
  return a;
}

axis value_axis(extent data, int count) {
  if (data.empty()) data = {0, 1};
  const double size = std::max(std::abs(data.low), std::abs(data.high));
  if (size < 1e-290) {
    data = {0, 1};
  } else if (data.high - data.low <= 1e-9 * size) {  // constant: put the line in the middle
    data = {data.low - 0.1 * size, data.high + 0.1 * size};
  }
  axis a;
  const double step = detail::round_step((data.high - data.low) / count);
  a.low = std::floor(data.low / step + 1e-6) * step;
  a.high = std::ceil(data.high / step - 1e-6) * step;
  detail::set_ticks(a, step);
  const double largest = std::max(std::abs(a.low), std::abs(a.high));
  const int exponent = static_cast<int>(std::floor(std::log10(largest) + 1e-9));
  const bool shared = exponent < -2 || exponent > 5;
  if (shared) a.unit = " (×10" + detail::superscript(exponent) + ")";
  detail::set_labels(a, step, shared ? std::pow(10.0, exponent) : 1, "");
  return a;
}

}  // namespace graft::program
