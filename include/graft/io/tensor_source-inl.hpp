#pragma once
// Bodies of graft/io/tensor_source.hpp.

#include <cmath>

#include "graft/core/compiled.hpp"
#include "graft/core/number_text.hpp"
#include "graft/io/tensor_source.hpp"

namespace graft {

GRAFT_INLINE index element_count(const std::vector<index>& shape) {
  index count = 1;
  for (const index dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(count, dimension, &count)) return -1;
  }
  return count;
}

GRAFT_INLINE index tensor_info::count() const { return element_count(shape); }

GRAFT_INLINE std::string element_text(const std::vector<index>& shape, std::size_t element) {
  std::vector<index> at(shape.size());
  for (std::size_t d = shape.size(); d-- > 0;) {
    at[d] = static_cast<index>(element % static_cast<std::size_t>(shape[d]));
    element /= static_cast<std::size_t>(shape[d]);
  }
  return shape_text(at);
}

GRAFT_INLINE std::string not_finite_text(dtype type, std::span<const std::byte> bytes, std::size_t element, const std::vector<index>& shape,
                                         dtype wanted) {
  const std::size_t unit = dtype_size(type);
  double number = 0;
  convert(type, bytes.subspan(element * unit, unit), dtype::f64, reinterpret_cast<std::byte*>(&number));
  const std::string at = " at " + element_text(shape, element);
  if (std::isfinite(number)) return number_text(number) + at + ", which is too large for " + std::string(dtype_name(wanted));
  return (std::isnan(number) ? "NaN" : number > 0 ? "infinity" : "-infinity") + at + ", a finite number was expected";
}

GRAFT_INLINE bool tensor_source::contains(const std::string& name) const { return tensors_.contains(name); }

GRAFT_INLINE const tensor_info* tensor_source::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

GRAFT_INLINE const tensor_info& tensor_source::at(const std::string& name) const {
  const auto* info = find(name);
  if (info == nullptr) throw format_error(path_, "has no tensor '" + name + "'");
  return *info;
}

GRAFT_INLINE void tensor_source::check_finite(const std::string& name) const {
  const auto& info = at(name);
  expect_numbers(name, info);
  if (const auto found = find_not_finite(info.type, info.bytes)) refuse_number(name, info, *found, info.type);
}

GRAFT_INLINE void tensor_source::release_pages(const std::string& name) const {
  const tensor_info& info = at(name);
  if (const auto file = file_of(info)) file->release_pages(info.bytes);
}

GRAFT_INLINE std::optional<mapped_numbers<std::byte>> tensor_source::bytes_in_file(const std::string& name, index count) const {
  const tensor_info* info = find(name);
  if (info == nullptr || info->type != dtype::u8 || info->shape != std::vector<index>{count}) return std::nullopt;
  const auto file = reinterpret_cast<std::uintptr_t>(info->bytes.data()) % 64 == 0 ? file_of(*info) : nullptr;
  if (file == nullptr) return std::nullopt;
  return mapped_numbers<std::byte>{file, info->bytes.data()};
}

GRAFT_INLINE std::shared_ptr<const mapped_file> tensor_source::file_of(const tensor_info& info) const {
  const auto found = std::find_if(files_.begin(), files_.end(), [&](const auto& file) { return file->holds(info.bytes); });
  return found == files_.end() ? nullptr : *found;
}

GRAFT_INLINE void tensor_source::expect(const std::map<std::string, std::vector<index>>& shapes) const {
  for (const auto& [name, shape] : shapes) {
    const auto* info = find(name);
    if (info == nullptr) throw format_error(path_, "has no tensor '" + name + "', one of shape " + shape_text(shape) + " was expected");
    if (info->shape != shape) {
      throw format_error(path_, "tensor '" + name + "' has shape " + shape_text(info->shape) + ", " + shape_text(shape) +
                                    " was expected (does the config belong to these weights?)");
    }
    expect_numbers(name, *info);
  }
}

GRAFT_INLINE void tensor_source::add(const std::string& name, tensor_info info) {
  if (!tensors_.emplace(name, std::move(info)).second) throw format_error(path_, "holds tensor '" + name + "' twice");
}

GRAFT_INLINE void tensor_source::keep_alive(std::shared_ptr<const mapped_file> file) { files_.push_back(std::move(file)); }

GRAFT_INLINE void tensor_source::keep_alive(std::shared_ptr<const void> memory) { owners_.push_back(std::move(memory)); }

GRAFT_INLINE void tensor_source::set_metadata(std::map<std::string, std::string> metadata) { metadata_ = std::move(metadata); }

GRAFT_INLINE void tensor_source::expect_numbers(const std::string& name, const tensor_info& info) const {
  if (is_floating_point(info.type)) return;
  throw format_error(path_, "tensor '" + name + "' holds " + std::string(dtype_name(info.type)) +
                                ", F64, F32, F16 or BF16 was expected (quantized weights, or another tensor under this name?)");
}

GRAFT_INLINE void tensor_source::refuse_number(const std::string& name, const tensor_info& info, std::size_t element, dtype wanted) const {
  throw format_error(path_, "tensor '" + name + "' holds " + not_finite_text(info.type, info.bytes, element, info.shape, wanted) +
                                " (a damaged file, or training had diverged when it was saved)");
}

}  // namespace graft
