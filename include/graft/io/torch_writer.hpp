#pragma once
// Writes dicts of tensors as torch.save does, so that torch.load opens them.

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/types.hpp"
#include "graft/io/dtype.hpp"

namespace graft {

/// CRC-32 as zip files use it (reflected polynomial 0xedb88320).
std::uint32_t crc32(std::span<const std::byte> bytes);

/// Collects tensors and writes them as one file of torch.save: a zip archive that holds data.pkl, a pickle (protocol 2) of an OrderedDict
/// of tensors, and their elements in stored entries data/0, data/1, ..., each at a multiple of 64 bytes. The values are not copied: they
/// must live until `write` returns. Source: torch/serialization.py, _save; caffe2/serialize/inline_container.cc; PKWARE APPNOTE.TXT 6.3.10,
/// section 4.3. Tested: tests/io/torch_writer_test.cpp
class torch_writer {
 public:
  /// Adds BYTES, row-major elements of the floating-point type TYPE.
  /// @throws shape_error  SHAPE does not fit the number of bytes      @throws error  NAME was added before, or another type
  void add(const std::string& name, const std::vector<index>& shape, dtype type, std::span<const std::byte> bytes);

  /// The same from numbers.
  template <class T>
  void add(const std::string& name, const std::vector<index>& shape, std::span<const T> values) {
    add(name, shape, dtype_of<T>(), std::as_bytes(values));
  }

  /// @throws backend_error  as atomic_file; 4 GB or more, for which this form of zip has no room
  /// @throws error  a number is NaN or infinite
  void write(const std::string& path) const;

 private:
  struct entry {
    std::string name;
    std::vector<index> shape;
    dtype type;
    std::span<const std::byte> bytes;
  };

  template <class T>
  static std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(T)};
  }

  /// Stored entries one after the other, then their directory.
  class archive {
   public:
    explicit archive(const std::string& path) : path_(path), file_(path) {}

    void add(const std::string& name, std::span<const std::byte> bytes);

    void finish();

   private:
    void put(const std::string& text);

    std::string path_;
    atomic_file file_;
    std::uint64_t at_ = 0;
    std::string directory_;
    std::size_t count_ = 0;
  };

  static std::string text(const std::string& s);
  static std::string number(index n);
  static std::string tuple(const std::vector<index>& items);
  static std::string storage_class(dtype type);

  std::string pickle() const;

  std::set<std::string> names_;
  std::vector<entry> entries_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/torch_writer-inl.hpp"  // IWYU pragma: export
#endif
