#pragma once
// Named tensors as they lie in a weights file, whatever its format: the one interface that everything reads weights through.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/types.hpp"
#include "graft/io/dtype.hpp"

namespace graft {

/// Elements of a tensor of that shape; -1 when the count does not fit an index or a dimension is negative.
inline index element_count(const std::vector<index>& shape) {
  index count = 1;
  for (const index dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(count, dimension, &count)) return -1;
  }
  return count;
}

/// One stored tensor: row-major elements, little-endian, at any alignment.
struct tensor_info {
  dtype type = dtype::f32;
  std::vector<index> shape;
  std::span<const std::byte> bytes;  ///< element_count(shape) * dtype_size(type) bytes

  index count() const { return static_cast<index>(bytes.size() / dtype_size(type)); }
};

/// Named tensors and the memory (mapped files, copies) that they lie in. Copies share that memory.
class tensor_source {
 public:
  /// An empty source; PATH is the file or folder that errors name.
  explicit tensor_source(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  const std::map<std::string, tensor_info>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  bool contains(const std::string& name) const { return tensors_.contains(name); }

  /// The tensor called NAME, or nullptr.
  const tensor_info* find(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }

  /// The tensor called NAME.
  /// @throws format_error  there is none
  const tensor_info& at(const std::string& name) const {
    const auto* info = find(name);
    if (info == nullptr) throw format_error(path_, "has no tensor '" + name + "'");
    return *info;
  }

  std::span<const std::byte> bytes(const std::string& name) const { return at(name).bytes; }

  /// Copies the tensor NAME to OUT. Into double or float from F64, F32, F16 or BF16; into an integer type from exactly that type.
  /// @throws format_error  no such tensor, another number of elements than OUT has, or a type that is not converted
  template <class T>
  void read(const std::string& name, std::span<T> out) const {
    const auto& info = at(name);
    if (info.count() != static_cast<index>(out.size())) {
      throw format_error(path_, "tensor '" + name + "' has shape " + shape_text(info.shape) + ", " + std::to_string(out.size()) +
                                    " elements were expected");
    }
    if (std::is_integral_v<T> ? info.type != dtype_of<T>() : !is_floating_point(info.type)) {
      throw format_error(path_, "tensor '" + name + "' holds " + std::string(dtype_name(info.type)) + ", " +
                                    (std::is_integral_v<T> ? std::string(dtype_name(dtype_of<T>())) : "F64, F32, F16 or BF16") +
                                    " was expected");
    }
    convert(info.type, info.bytes, dtype_of<T>(), reinterpret_cast<std::byte*>(out.data()));
  }

  /// The tensor NAME where it lies in a mapped file, its numbers being of type T and aligned as such are; else nothing.
  template <class T>
  std::optional<mapped_numbers<T>> in_file(const std::string& name) const {
    const tensor_info& info = at(name);
    const bool aligned = reinterpret_cast<std::uintptr_t>(info.bytes.data()) % alignof(T) == 0;
    if (info.type != dtype_of<T>() || !aligned) return std::nullopt;
    for (const auto& file : files_) {
      if (file->holds(info.bytes)) return mapped_numbers<T>{file, reinterpret_cast<const T*>(info.bytes.data())};
    }
    return std::nullopt;
  }

  /// The tensor NAME as a vector, row-major. Errors as `read`.
  template <class T>
  std::vector<T> values(const std::string& name) const {
    std::vector<T> out(static_cast<std::size_t>(at(name).count()));
    read(name, std::span<T>(out));
    return out;
  }

  /// Checks that every tensor of SHAPES is here and has its shape.
  /// @throws format_error  naming the first one that is missing or differs, and both shapes
  void expect(const std::map<std::string, std::vector<index>>& shapes) const {
    for (const auto& [name, shape] : shapes) {
      const auto* info = find(name);
      if (info == nullptr) throw format_error(path_, "has no tensor '" + name + "', one of shape " + shape_text(shape) + " was expected");
      if (info->shape != shape) {
        throw format_error(path_, "tensor '" + name + "' has shape " + shape_text(info->shape) + ", " + shape_text(shape) +
                                      " was expected (does the config belong to these weights?)");
      }
    }
  }

  /// Adds a tensor whose bytes lie in memory handed to `keep`.
  /// @throws format_error  NAME is taken
  void add(const std::string& name, tensor_info info) {
    if (!tensors_.emplace(name, std::move(info)).second) throw format_error(path_, "holds tensor '" + name + "' twice");
  }
  void keep(std::shared_ptr<const mapped_file> file) { files_.push_back(std::move(file)); }
  void keep(std::shared_ptr<const void> memory) { owners_.push_back(std::move(memory)); }
  void set_metadata(std::map<std::string, std::string> metadata) { metadata_ = std::move(metadata); }

  /// Adds every tensor of OTHER under the name RENAME(old name), a std::optional<std::string>: nothing means leave it out.
  /// @throws format_error  two tensors get one name
  template <class Rename>
  void add_all(const tensor_source& other, Rename&& rename) {
    files_.insert(files_.end(), other.files_.begin(), other.files_.end());
    owners_.insert(owners_.end(), other.owners_.begin(), other.owners_.end());
    for (const auto& [name, info] : other.tensors_) {
      if (const auto renamed = rename(name)) add(*renamed, info);
    }
  }

 private:
  std::string path_;
  std::map<std::string, tensor_info> tensors_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::shared_ptr<const mapped_file>> files_;
  std::vector<std::shared_ptr<const void>> owners_;  // of what lies elsewhere
};

}  // namespace graft
