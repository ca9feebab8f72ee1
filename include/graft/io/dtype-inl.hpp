#pragma once
// Bodies of graft/io/dtype.hpp.

#include <algorithm>
#include <cstring>

#include "graft/core/compiled.hpp"
#include "graft/io/dtype.hpp"

namespace graft {

namespace detail {
/// The first of COUNT numbers at FROM, aligned or not, whose bits of EXPONENT are all set; COUNT: none.
template <class Bits>
std::ptrdiff_t first_with(Bits exponent, const std::byte* from, std::ptrdiff_t count) {
  const auto is_bad = [exponent](const std::byte* at) {
    Bits number;
    std::memcpy(&number, at, sizeof number);
    return static_cast<Bits>(number & exponent) == exponent;
  };
  Bits any = 0;  // without a branch: as fast as memory is read
#pragma omp simd reduction(| : any)
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    any = static_cast<Bits>(any | (is_bad(from + i * static_cast<std::ptrdiff_t>(sizeof(Bits))) ? Bits{1} : Bits{0}));
  }
  std::ptrdiff_t i = any != 0 ? 0 : count;
  while (i < count && !is_bad(from + i * static_cast<std::ptrdiff_t>(sizeof(Bits)))) ++i;
  return i;
}
}  // namespace detail

GRAFT_INLINE std::optional<std::size_t> find_not_finite(dtype type, std::span<const std::byte> bytes) {
  std::optional<std::size_t> found;
  visit_floating_point(type, [&]<class T>(T) {
    using bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint16_t>>;
    constexpr bits exponent = std::is_same_v<T, double>        ? static_cast<bits>(0x7ff0'0000'0000'0000U)
                              : std::is_same_v<T, float>       ? static_cast<bits>(0x7f80'0000U)
                              : std::is_same_v<T, Eigen::half> ? bits{0x7c00U}
                                                               : bits{0x7f80U};
    constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(T));
    const auto count = static_cast<std::ptrdiff_t>(bytes.size()) / size;
    constexpr std::ptrdiff_t chunk = 2048 / size, many = std::ptrdiff_t{1} << 17;  // looked at together; worth several threads
    std::ptrdiff_t first = count;
#pragma omp parallel for schedule(static) reduction(min : first) if (count > many)
    for (std::ptrdiff_t begin = 0; begin < count; begin += chunk) {
      const std::ptrdiff_t ahead = std::min(chunk, count - begin - chunk);
      for (std::ptrdiff_t line = 0; line < ahead * size; line += 64) __builtin_prefetch(bytes.data() + (begin + chunk) * size + line);
      const std::ptrdiff_t n = std::min(chunk, count - begin), at = detail::first_with<bits>(exponent, bytes.data() + begin * size, n);
      if (at < n) first = std::min(first, begin + at);
    }
    if (first < count) found = static_cast<std::size_t>(first);
  });
  return found;
}

GRAFT_INLINE void convert(dtype from_type, std::span<const std::byte> from, dtype to_type, std::byte* to) {
  if (from_type == to_type) {
    if (!from.empty()) std::memcpy(to, from.data(), from.size());
    return;
  }
  visit_floating_point(from_type, [&]<class From>(From source) {
    visit_floating_point(to_type, [&]<class To>(To target) {
      using wide = std::conditional_t<std::is_same_v<From, double>, double, float>;
      for (std::size_t i = 0; i < from.size() / sizeof(From); ++i) {
        std::memcpy(&source, from.data() + i * sizeof(From), sizeof(From));
        target = static_cast<To>(static_cast<wide>(source));
        std::memcpy(to + i * sizeof(To), &target, sizeof(To));
      }
    });
  });
}

}  // namespace graft
