#pragma once
// Numbers as text, the same on every machine and under every locale: printf, streams and std::to_string(double) write a decimal comma where
// the host program's locale has one.

#include <charconv>
#include <string>

namespace graft {

namespace detail {

template <class... Format>
std::string number_chars(double value, Format... format) {
  char text[400];  // the largest double has 309 digits before the point
  return {text, std::to_chars(text, text + sizeof text, value, format...).ptr};
}

}  // namespace detail

/// The shortest text that reads back as VALUE.
inline std::string number_text(double value) { return detail::number_chars(value); }

/// VALUE with exactly DECIMALS (up to 50) digits after the point ("-0.0" is written "0.0").
inline std::string fixed_text(double value, int decimals) {
  std::string out = detail::number_chars(value, std::chars_format::fixed, decimals);
  if (out.front() == '-' && out.find_first_not_of("-0.") == std::string::npos) out.erase(0, 1);
  return out;
}

/// 0.001 with two DECIMALS: "1.00e-03"
inline std::string scientific_text(double value, int decimals) {
  return detail::number_chars(value, std::chars_format::scientific, decimals);
}

}  // namespace graft
