#pragma once
// The element types of stored tensors, and conversion between the floating-point ones.

#include <Eigen/Core>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "graft/core/error.hpp"

namespace graft {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian and are read in place");

/// Element type of a stored tensor, under the names of safetensors. Those behind `boolean` have no C++ type here: a tensor of such a type
/// is carried along as bytes, and never computed with.
enum class dtype : std::uint8_t {
  f64,
  f32,
  f16,
  bf16,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean,
  c64,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  f6_e2m3,
  f6_e3m2,
  f4
};

/// Stands for the C++ type of stored forms that have none here.
struct no_number {};

namespace detail {

struct dtype_row {
  dtype type;
  std::string_view name;
  std::size_t bits;  // an element
};

inline constexpr dtype_row dtype_table[] = {
    {dtype::f64, "F64", 64},
    {dtype::f32, "F32", 32},
    {dtype::f16, "F16", 16},
    {dtype::bf16, "BF16", 16},
    {dtype::i64, "I64", 64},
    {dtype::i32, "I32", 32},
    {dtype::i16, "I16", 16},
    {dtype::i8, "I8", 8},
    {dtype::u64, "U64", 64},
    {dtype::u32, "U32", 32},
    {dtype::u16, "U16", 16},
    {dtype::u8, "U8", 8},
    {dtype::boolean, "BOOL", 8},
    {dtype::c64, "C64", 64},
    {dtype::f8_e4m3, "F8_E4M3", 8},
    {dtype::f8_e5m2, "F8_E5M2", 8},
    {dtype::f8_e8m0, "F8_E8M0", 8},
    {dtype::f8_e4m3fnuz, "F8_E4M3FNUZ", 8},
    {dtype::f8_e5m2fnuz, "F8_E5M2FNUZ", 8},
    {dtype::f6_e2m3, "F6_E2M3", 6},
    {dtype::f6_e3m2, "F6_E3M2", 6},
    {dtype::f4, "F4", 4},
};

constexpr bool is_dtype_table_in_order() {
  for (std::size_t i = 0; i < std::size(dtype_table); ++i) {
    if (static_cast<std::size_t>(dtype_table[i].type) != i) return false;
  }
  return true;
}
static_assert(is_dtype_table_in_order());

}  // namespace detail

/// "F32", "BF16", ...
constexpr std::string_view dtype_name(dtype type) { return detail::dtype_table[static_cast<std::size_t>(type)].name; }

/// Bits an element.
constexpr std::size_t dtype_bits(dtype type) { return detail::dtype_table[static_cast<std::size_t>(type)].bits; }

/// Bytes an element, of a type that has whole ones.
constexpr std::size_t dtype_size(dtype type) { return dtype_bits(type) / 8; }

/// Bytes of COUNT elements; nothing when there is no such number: COUNT is negative, or they do not fill whole bytes or are too many.
constexpr std::optional<std::size_t> stored_bytes(dtype type, std::int64_t count) {
  std::int64_t bits = 0;
  const std::int64_t unit = static_cast<std::int64_t>(dtype_bits(type));
  if (count < 0) return std::nullopt;
  if (unit % 8 == 0) {
    if (__builtin_mul_overflow(count, unit / 8, &bits)) return std::nullopt;
    return static_cast<std::size_t>(bits);
  }
  if (__builtin_mul_overflow(count, unit, &bits) || bits % 8 != 0) return std::nullopt;
  return static_cast<std::size_t>(bits / 8);
}

/// F(std::type_identity<T>), T the C++ type that TYPE stands for, or no_number. The one place that tells stored types apart.
template <class F>
constexpr decltype(auto) visit_dtype(dtype type, F&& f) {
  switch (type) {
    case dtype::f64:
      return f(std::type_identity<double>());
    case dtype::f32:
      return f(std::type_identity<float>());
    case dtype::f16:
      return f(std::type_identity<Eigen::half>());
    case dtype::bf16:
      return f(std::type_identity<Eigen::bfloat16>());
    case dtype::i64:
      return f(std::type_identity<std::int64_t>());
    case dtype::i32:
      return f(std::type_identity<std::int32_t>());
    case dtype::i16:
      return f(std::type_identity<std::int16_t>());
    case dtype::i8:
      return f(std::type_identity<std::int8_t>());
    case dtype::u64:
      return f(std::type_identity<std::uint64_t>());
    case dtype::u32:
      return f(std::type_identity<std::uint32_t>());
    case dtype::u16:
      return f(std::type_identity<std::uint16_t>());
    case dtype::u8:
      return f(std::type_identity<std::uint8_t>());
    case dtype::boolean:
      return f(std::type_identity<bool>());
    case dtype::c64:
    case dtype::f8_e4m3:
    case dtype::f8_e5m2:
    case dtype::f8_e8m0:
    case dtype::f8_e4m3fnuz:
    case dtype::f8_e5m2fnuz:
    case dtype::f6_e2m3:
    case dtype::f6_e3m2:
    case dtype::f4:
      return f(std::type_identity<no_number>());
  }
  throw error("a tensor is of element type " + std::to_string(static_cast<int>(type)) + ", which there is not");
}

namespace detail {
template <class T>
inline constexpr bool is_stored_float = std::is_floating_point_v<T> || std::is_same_v<T, Eigen::half> || std::is_same_v<T, Eigen::bfloat16>;
}  // namespace detail

/// Whether weights may be of that type: F64, F32, F16 or BF16.
constexpr bool is_floating_point(dtype type) {
  return visit_dtype(type, []<class T>(std::type_identity<T>) { return detail::is_stored_float<T>; });
}

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

/// Calls F with a value of the C++ type that TYPE stands for.
/// @throws error  TYPE is none of F64, F32, F16 and BF16
template <class F>
void visit_floating_point(dtype type, F&& f) {
  visit_dtype(type, [&]<class T>(std::type_identity<T>) {
    if constexpr (detail::is_stored_float<T>) {
      f(T{});
    } else {
      throw error("numbers of type " + std::string(dtype_name(type)) + " are asked for as F64, F32, F16 or BF16");
    }
  });
}

/// The place of the first of the floating-point numbers BYTES (of type TYPE, at any alignment) that is NaN or infinite, or nothing.
/// Such are those whose exponent is all ones. Cost: one pass, at about the speed of memory, of more than a million on all threads.
std::optional<std::size_t> find_not_finite(dtype type, std::span<const std::byte> bytes);

/// Converts the floating-point elements FROM (of type FROM_TYPE, at any alignment) to TO_TYPE, rounding to nearest.
/// @param[out] to  room for as many elements of TO_TYPE
/// @throws error  one of the types is no floating-point type
void convert(dtype from_type, std::span<const std::byte> from, dtype to_type, std::byte* to);

/// VALUES as they come back from a file that holds them as TYPE.
template <class real>
std::vector<real> rounded_to(dtype type, std::span<const real> values) {
  std::vector<std::byte> stored(values.size() * dtype_size(type));
  convert(dtype_of<real>(), std::as_bytes(values), type, stored.data());
  std::vector<real> rounded(values.size());
  convert(type, stored, dtype_of<real>(), reinterpret_cast<std::byte*>(rounded.data()));
  return rounded;
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/dtype-inl.hpp"  // IWYU pragma: export
#endif
