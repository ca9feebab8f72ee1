#pragma once
// Named tensors as they lie in a weights file, whatever its format: the one interface that everything reads weights through.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/types.hpp"
#include "graft/io/dtype.hpp"

namespace graft {

/// Elements of a tensor of that shape; -1 when the count does not fit an index or a dimension is negative.
index element_count(const std::vector<index>& shape);

/// One stored tensor: row-major elements, little-endian, at any alignment.
struct tensor_info {
  dtype type = dtype::f32;
  std::vector<index> shape;
  std::span<const std::byte> bytes;  ///< stored_bytes(type, element_count(shape)) of them

  index count() const;
};

/// Where element NUMBER, counted row by row, of a tensor of SHAPE is: "(2, 0)".
std::string element_text(const std::vector<index>& shape, std::size_t element);

/// "NaN at (2, 0), a finite number was expected": element ELEMENT of the numbers BYTES, which the type WANTED cannot hold as a finite one.
std::string not_finite_text(dtype type, std::span<const std::byte> bytes, std::size_t element, const std::vector<index>& shape,
                            dtype wanted);

/// Named tensors and the memory (mapped files, copies) that they lie in. Copies share that memory.
class tensor_source {
 public:
  /// An empty source; PATH is the file or folder that errors name.
  explicit tensor_source(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  const std::map<std::string, tensor_info>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// Whether there is a tensor called NAME.
  bool contains(const std::string& name) const;

  /// The tensor called NAME, or nullptr.
  const tensor_info* find(const std::string& name) const;

  /// The tensor called NAME.
  /// @throws format_error  there is none
  const tensor_info& at(const std::string& name) const;

  /// Copies the tensor NAME to OUT. Into double or float from F64, F32, F16 or BF16; into an integer type from exactly that type.
  /// @throws format_error  no such tensor, another number of elements than OUT has, a type that is not converted, or one of the numbers is
  ///                       NaN, infinite, or too large for a T
  template <class T>
  void read(const std::string& name, std::span<T> out) const {
    const auto& info = at(name);
    if (info.count() != static_cast<index>(out.size())) {
      throw format_error(path_, "tensor '" + name + "' has shape " + shape_text(info.shape) + ", " + std::to_string(out.size()) +
                                    " elements were expected");
    }
    if constexpr (std::is_integral_v<T>) {
      if (info.type != dtype_of<T>()) {
        throw format_error(path_, "tensor '" + name + "' holds " + std::string(dtype_name(info.type)) + ", " +
                                      std::string(dtype_name(dtype_of<T>())) + " was expected");
      }
      if (!out.empty()) std::memcpy(out.data(), info.bytes.data(), info.bytes.size());
    } else {
      expect_numbers(name, info);
      constexpr std::size_t chunk = 4096;  // looked at while it is in cache
      const std::size_t unit = dtype_size(info.type);
      for (std::size_t begin = 0; begin < out.size(); begin += chunk) {
        const auto part = out.subspan(begin, std::min(chunk, out.size() - begin));
        convert(info.type, info.bytes.subspan(begin * unit, part.size() * unit), dtype_of<T>(), reinterpret_cast<std::byte*>(part.data()));
        if (const auto found = find_not_finite(dtype_of<T>(), std::as_bytes(part)))
          refuse_number(name, info, begin + *found, dtype_of<T>());
      }
    }
  }

  /// Checks that the numbers of the tensor NAME are finite, for those who read them where they lie or copy them on.
  /// @throws format_error  naming the tensor and the place of the first that is not, or it holds no floating-point numbers
  void check_finite(const std::string& name) const;

  /// The tensor NAME is not read for a while: where it lies in a mapped file, its pages leave this process until then.
  void release_pages(const std::string& name) const;

  /// The tensor NAME where it lies in a mapped file, its numbers being of type T and aligned as such are, and whatever they are; else
  /// nothing.
  template <class T>
  std::optional<mapped_numbers<T>> in_file(const std::string& name) const {
    const tensor_info& info = at(name);
    const bool aligned = reinterpret_cast<std::uintptr_t>(info.bytes.data()) % alignof(T) == 0;
    const auto file = info.type == dtype_of<T>() && aligned ? file_of(info) : nullptr;
    if (file == nullptr) return std::nullopt;
    return mapped_numbers<T>{file, reinterpret_cast<const T*>(info.bytes.data())};
  }
  /// The U8 tensor NAME of COUNT bytes where it lies in a mapped file, at a multiple of 64 bytes; else nothing.
  std::optional<mapped_numbers<std::byte>> bytes_in_file(const std::string& name, index count) const;

  /// The tensor NAME as a vector, row-major. Errors as `read`.
  template <class T>
  std::vector<T> values(const std::string& name) const {
    std::vector<T> out(static_cast<std::size_t>(at(name).count()));
    read(name, std::span<T>(out));
    return out;
  }

  /// Checks that every tensor of SHAPES is here, has its shape, and is of a type that weights have. Everything that reads weights begins
  /// so.
  /// @throws format_error  naming the first one that is missing or differs, and both shapes or the type
  void expect(const std::map<std::string, std::vector<index>>& shapes) const;

  /// Adds a tensor whose bytes lie in memory handed to `keep_alive`.
  /// @throws format_error  NAME is taken
  void add(const std::string& name, tensor_info info);
  void keep_alive(std::shared_ptr<const mapped_file> file);
  void keep_alive(std::shared_ptr<const void> memory);
  void set_metadata(std::map<std::string, std::string> metadata);

  /// Adds every tensor of OTHER.
  /// @throws format_error  two tensors get one name
  void add_all(const tensor_source& other) {
    add_all(other, [](const std::string& name) { return std::optional(name); });
  }
  /// The same under the name RENAME(old name), a std::optional<std::string>: nothing means leave it out.
  template <class Rename>
  void add_all(const tensor_source& other, Rename&& rename) {
    files_.insert(files_.end(), other.files_.begin(), other.files_.end());
    owners_.insert(owners_.end(), other.owners_.begin(), other.owners_.end());
    for (const auto& [name, info] : other.tensors_) {
      if (const auto renamed = rename(name)) add(*renamed, info);
    }
  }

 private:
  std::shared_ptr<const mapped_file> file_of(const tensor_info& info) const;  // null: it lies elsewhere
  void expect_numbers(const std::string& name, const tensor_info& info) const;
  /// The number at ELEMENT of the tensor NAME is none, or becomes none in the type WANTED.
  [[noreturn]] void refuse_number(const std::string& name, const tensor_info& info, std::size_t element, dtype wanted) const;

  std::string path_;
  std::map<std::string, tensor_info> tensors_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::shared_ptr<const mapped_file>> files_;
  std::vector<std::shared_ptr<const void>> owners_;  // of what lies elsewhere
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/tensor_source-inl.hpp"  // IWYU pragma: export
#endif
