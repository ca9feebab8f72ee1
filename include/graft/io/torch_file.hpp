#pragma once
// Reads the files that torch.save writes of a dict of tensors (pytorch_model.bin, .pt, .p), without running the code in them.

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/types.hpp"
#include "graft/io/dtype.hpp"
#include "graft/io/pickle.hpp"
#include "graft/io/tensor_source.hpp"

namespace graft {

/// Whether FILE is to be read as one of torch.save: it begins as a zip archive or a pickle does and not as safetensors do, of
/// which the ninth byte is a brace; or neither begins so, and its name does not say safetensors.
bool is_torch_file(const mapped_file& file);

/// A dict of tensors saved by torch.save: the zip archive of PyTorch 1.6 and later or the stream of pickles before it. Tensors lie in
/// the mapped file; those that are not contiguous, such as transposed ones, are copied into row-major order.
/// @throws format_error  neither of the two, cut short, big-endian, anything but a dict of tensors, or a tensor that does not fit its
///                       storage; never runs code, whatever the file asks for
/// Source: torch/serialization.py, _save and _legacy_save.   Tested: tests/io/torch_file_test.cpp
class torch_file : public tensor_source {
 public:
  explicit torch_file(const std::string& file_path);
  explicit torch_file(std::shared_ptr<const mapped_file> file);

 private:
  using value = detail::pickle_value;
  using storage_bytes = std::function<std::span<const std::byte>(const value& storage)>;

  void open_zip();

  /// Pickles of: magic number, protocol, system, the dict, the keys of its storages; then for each key its length and elements.
  void open_legacy();

  dtype type_of(const value& storage) const;

  void expect_dict_of_tensors(const value& dict) const;

  void add_tensors(const value& dict, const storage_bytes& find_storage);

  std::vector<index> numbers(const std::string& name, const value& list) const;

  tensor_info info_of(const std::string& name, const value& tensor, const storage_bytes& find_storage);

  /// The elements of a tensor with STRIDES, copied into row-major order.
  std::span<const std::byte> gather(const std::string& name, std::span<const std::byte> from, const tensor_info& info,
                                    const std::vector<index>& strides);

  static constexpr std::string_view legacy_magic_{"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15};
  std::shared_ptr<const mapped_file> file_;
  std::size_t copied_ = 0;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/torch_file-inl.hpp"  // IWYU pragma: export
#endif
