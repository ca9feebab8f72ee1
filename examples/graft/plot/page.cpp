#include "plot/page.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "graft/core/number_text.hpp"
#include "plot/axis.hpp"

namespace graft::program::detail {

svg titled_page(double width, double height, const std::string& title, const std::string& subtitle) {
  svg page(width, height, title);
  page.text(margin, 28, title, "start", false, std::string("font-size=\"16\" ") + bold);
  page.text(margin, 48, subtitle, "start", true);
  return page;
}

std::string plain(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fixed_text(value, 0);
  const int decimals = 3 - static_cast<int>(std::floor(std::log10(std::abs(value))));
  return fixed_text(value, std::clamp(decimals, 2, 9));
}

std::string scientific(double value) {
  const std::string text = scientific_text(value, 2);  // "1.04e-05"
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return text;
  std::string mantissa = text.substr(0, text.find_last_not_of("0.", e - 1) + 1);
  if (mantissa.empty()) mantissa = "0";
  const bool negative = text[e + 1] == '-';
  int exponent = 0;
  std::from_chars(text.data() + e + 2, text.data() + text.size(), exponent);
  return mantissa + "×10" + superscript(negative ? -exponent : exponent);
}

extent extent_of(const std::vector<double>& values) {
  extent out;
  out.include(values);
  return out;
}

extent steps_of(const run_log& log) {
  extent steps;
  for (const auto* x : {&log.loss.x, &log.validation.x, &log.weight_steps}) steps.include(*x);
  return steps;
}

}  // namespace graft::program::detail
