#include "plot/page.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "graft/core/number_text.hpp"
#include "graft/core/text_list.hpp"
#include "plot/axis.hpp"

namespace graft::program::detail {

namespace {

/// TEXT, cut at spaces into lines of WIDTH pixels where they allow it.
std::vector<std::string> cut_at_spaces(const std::string& text, double size, double width) {
  std::vector<std::string> lines(1);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!lines.back().empty() && text_width(lines.back() + " " + word, size) > width) lines.emplace_back();
    add_to_list(lines.back(), word, " ");
    begin = end + 1;
  }
  return lines;
}

constexpr double line_height = 16;

double below_titles(double width, const std::string& subtitle) {
  return 66 + line_height * static_cast<double>(cut_at_spaces(subtitle, 12, width - 2 * margin).size() - 1);
}

}  // namespace

titled_page::titled_page(double width, double height, const std::string& title, const std::string& subtitle)
    : svg(width, below_titles(width, subtitle) + height, title), top(below_titles(width, subtitle)) {
  text(margin, 28, title, "start", false, std::string("font-size=\"16\" ") + bold);
  double y = 48;
  for (const std::string& line : cut_at_spaces(subtitle, 12, width - 2 * margin)) {
    text(margin, y, line, "start", true);
    y += line_height;
  }
}

std::string plain(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fixed_text(value, 0);
  const int decimals = 3 - static_cast<int>(std::floor(std::log10(std::abs(value))));
  return fixed_text(value, std::clamp(decimals, 2, 9));
}

std::string scientific(double value) {
  std::string text = scientific_text(value, 2);  // "1.04e-05"
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
