#pragma once
// The element types of stored tensors, and conversion between the floating-point ones.

#include <Eigen/Core>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace graft {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian and are read in place");

/// Element type of a stored tensor, under the names of safetensors.
enum class dtype { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

namespace detail {

struct dtype_row {
  dtype type;
  std::string_view name;
  std::size_t size;  // bytes an element
};

inline constexpr dtype_row dtype_table[] = {
    {dtype::f64, "F64", 8}, {dtype::f32, "F32", 4}, {dtype::f16, "F16", 2},      {dtype::bf16, "BF16", 2}, {dtype::i64, "I64", 8},
    {dtype::i32, "I32", 4}, {dtype::i16, "I16", 2}, {dtype::i8, "I8", 1},        {dtype::u64, "U64", 8},   {dtype::u32, "U32", 4},
    {dtype::u16, "U16", 2}, {dtype::u8, "U8", 1},   {dtype::boolean, "BOOL", 1},
};

}  // namespace detail

/// "F32", "BF16", ...
constexpr std::string_view dtype_name(dtype type) { return detail::dtype_table[static_cast<int>(type)].name; }

/// Bytes an element.
constexpr std::size_t dtype_size(dtype type) { return detail::dtype_table[static_cast<int>(type)].size; }

constexpr bool is_floating_point(dtype type) { return type <= dtype::bf16; }

/// The type called NAME, or nothing when graft does not know it.
constexpr std::optional<dtype> parse_dtype(std::string_view name) {
  for (const auto& row : detail::dtype_table) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

/// How a T is stored.
template <class T>
constexpr dtype dtype_of() {
  if constexpr (std::is_same_v<T, double>)
    return dtype::f64;
  else if constexpr (std::is_same_v<T, float>)
    return dtype::f32;
  else if constexpr (std::is_same_v<T, Eigen::half>)
    return dtype::f16;
  else if constexpr (std::is_same_v<T, Eigen::bfloat16>)
    return dtype::bf16;
  else if constexpr (std::is_same_v<T, bool>)
    return dtype::boolean;
  else {
    static_assert(std::integral<T>, "no stored form of this type");
    constexpr bool is_signed = std::is_signed_v<T>;
    if constexpr (sizeof(T) == 8)
      return is_signed ? dtype::i64 : dtype::u64;
    else if constexpr (sizeof(T) == 4)
      return is_signed ? dtype::i32 : dtype::u32;
    else if constexpr (sizeof(T) == 2)
      return is_signed ? dtype::i16 : dtype::u16;
    else
      return is_signed ? dtype::i8 : dtype::u8;
  }
}

/// Calls F with a value of the C++ type that TYPE, a floating-point type, stands for.
template <class F>
void visit_floating_point(dtype type, F&& f) {
  switch (type) {
    case dtype::f64:
      return f(double{});
    case dtype::f32:
      return f(float{});
    case dtype::f16:
      return f(Eigen::half{});
    default:
      return f(Eigen::bfloat16{});
  }
}

/// Converts the floating-point elements FROM (of type FROM_TYPE, at any alignment) to TO_TYPE, rounding to nearest.
/// @param[out] to  room for as many elements of TO_TYPE
inline void convert(dtype from_type, std::span<const std::byte> from, dtype to_type, std::byte* to) {
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
