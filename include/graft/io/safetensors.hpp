#pragma once
// Reads and writes safetensors files: 8 bytes of header length, a JSON header, raw little-endian tensors.

#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/json_fwd.hpp"
#include "graft/core/types.hpp"
#include "graft/io/dtype.hpp"
#include "graft/io/tensor_source.hpp"

namespace graft {

/// A safetensors file, mapped into memory and checked completely before anything is read from it.
/// @throws format_error  the header is longer than the file or 100 MB, not JSON, names a tensor twice or an unknown dtype; a tensor's
///                       offsets lie outside the file, overlap others, leave a hole, or do not fit its shape
/// Source: github.com/huggingface/safetensors, README "Format".   Tested: tests/io/safetensors_test.cpp
class safetensors_file : public tensor_source {
 public:
  explicit safetensors_file(const std::string& file_path);
  explicit safetensors_file(std::shared_ptr<const mapped_file> file);

 private:
  void read_metadata(const json& entry);

  tensor_info read_entry(const std::string& name, const json& entry, std::span<const std::byte> data) const;

  void check_order(std::vector<std::pair<std::span<const std::byte>, std::string>>& order, std::span<const std::byte> data) const;
};

/// Collects tensors and writes them as one safetensors file. The values are not copied: they must live until `write` returns.
///
/// The format allows no holes between tensors, so alignment comes from order and filling. Tensors are written in the order in which
/// they were added, those of larger elements first: each is aligned to its own element. A larger `alignment` is reached with small
/// U8 tensors named "__pad.0", "__pad.1", ... where they are needed, which every reader opens and nobody asks for by name.
class safetensors_writer {
 public:
  /// @param alignment  bytes, a power of two: each tensor begins at a multiple of it in the file; up to 8 nothing is filled in
  explicit safetensors_writer(std::size_t alignment = 8) : alignment_(alignment) {}

  /// The `__metadata__` of the file.
  std::map<std::string, std::string> metadata;

  /// Adds BYTES, elements of type HELD, to be stored as STORED (another type than HELD only between floating-point types).
  /// @throws shape_error  SHAPE does not fit the number of bytes      @throws error  NAME was added before
  void add(const std::string& name, const std::vector<index>& shape, dtype held, std::span<const std::byte> bytes, dtype stored);

  /// Adds the tensor INFO as it is, whatever it holds.
  void copy(const std::string& name, const tensor_info& info);

  /// Adds VALUES, row-major, to be stored as STORED.
  template <class T>
  void add(const std::string& name, const std::vector<index>& shape, std::span<const T> values, dtype stored = dtype_of<T>()) {
    add(name, shape, dtype_of<T>(), std::as_bytes(values), stored);
  }

  /// Writes the file in one step: PATH holds all of it or what it held before.
  /// @throws backend_error  the folder is not writable, or the disk is full
  /// @throws error  a number that was added is NaN, infinite, or too large for the type that it is to be stored as
  void write(const std::string& path) const;

 private:
  struct entry {
    std::string name;
    std::vector<index> shape;
    dtype held;
    std::span<const std::byte> bytes;
    dtype stored;
    bool looked_at;  // its numbers are to be finite
    std::size_t size() const;
  };

  std::vector<entry> filled(const std::vector<entry>& order) const;

  static void write_values(atomic_file& file, const entry& e, const std::string& path);

  std::size_t alignment_;
  std::set<std::string> names_;
  std::vector<entry> entries_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/safetensors-inl.hpp"  // IWYU pragma: export
#endif
