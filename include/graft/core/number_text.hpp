#pragma once
// Numbers as text, the same on every machine and under every locale: printf, streams and std::to_string(double) write a decimal comma where
// the host program's locale has one.

#include <charconv>
#include <string>

namespace graft {

namespace detail {

template <class T, class... Format>
std::string number_chars(T value, Format... format) {
  char text[400];  // the largest double has 309 digits before the point
  return {text, std::to_chars(text, text + sizeof text, value, format...).ptr};
}

}  // namespace detail

/// The shortest text that reads back as VALUE.
std::string number_text(double value);

/// The shortest text that reads back as VALUE in F32.
std::string float_text(float value);

/// VALUE with exactly DECIMALS (up to 50) digits after the point ("-0.0" is written "0.0").
std::string fixed_text(double value, int decimals);

/// 0.001 with two DECIMALS: "1.00e-03"
std::string scientific_text(double value, int decimals);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/number_text-inl.hpp"  // IWYU pragma: export
#endif
