#pragma once
// Bodies of graft/io/torch_file.hpp.

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/io/torch_file.hpp"
#include "graft/io/zip_archive.hpp"

namespace graft {

GRAFT_INLINE bool is_torch_file(const mapped_file& file) {
  if (file.text().substr(0, 9).ends_with('{')) return false;
  return file.text().starts_with("PK\3\4") || file.text().starts_with("\x80") || !file.path().ends_with(".safetensors");
}

GRAFT_INLINE torch_file::torch_file(const std::string& file_path) : torch_file(std::make_shared<const mapped_file>(file_path)) {}

GRAFT_INLINE torch_file::torch_file(std::shared_ptr<const mapped_file> file) : tensor_source(file->path()), file_(std::move(file)) {
  keep_alive(file_);
  if (file_->text().starts_with("PK\3\4")) {
    open_zip();
  } else if (file_->text().starts_with(legacy_magic_)) {
    open_legacy();
  } else {
    throw format_error(path(), "is not a file that torch.save wrote (nor a safetensors file)");
  }
}

GRAFT_INLINE void torch_file::open_zip() {
  const auto entries = zip_entries(*file_);
  const auto entry = [&](const std::string& name) -> std::optional<std::span<const std::byte>> {
    const auto found = entries.find(name);
    return found == entries.end() ? std::nullopt : std::optional(found->second);
  };
  for (const auto& [name, bytes] : entries) {
    if (!name.ends_with("/data.pkl")) continue;
    const std::string folder = name.substr(0, name.size() - std::string_view("data.pkl").size());
    const auto order = entry(folder + "byteorder");
    if (order && order->size() == 3 && std::memcmp(order->data(), "big", 3) == 0) throw format_error(path(), "holds big-endian numbers");
    byte_reader reader(bytes, path(), static_cast<std::uint64_t>(bytes.data() - file_->data()));
    detail::pickle_machine machine(reader);
    const value& dict = machine.run();
    expect_dict_of_tensors(dict);
    return add_tensors(dict, [&](const value& storage) {
      const auto found = entry(folder + "data/" + std::string(storage.string));
      if (!found) throw format_error(path(), "has no storage '" + std::string(storage.string) + "' (damaged?)");
      return *found;
    });
  }
  throw format_error(path(), "is a zip archive without a data.pkl, not one that torch.save wrote");
}

GRAFT_INLINE void torch_file::open_legacy() {
  byte_reader reader({file_->data(), file_->size()}, path());
  reader.seek(legacy_magic_.size());
  detail::pickle_machine protocol(reader);
  if (protocol.run().number != 1001) reader.fail("is of another protocol than 1001, the only one there is");
  detail::pickle_machine system_machine(reader);
  const value& system = system_machine.run();
  bool big_endian = false;
  for (std::size_t i = 0; system.kind == value::dictionary && i < system.items.size(); i += 2) {
    big_endian = big_endian || (system.items[i]->string == "little_endian" && system.items[i + 1]->number == 0);
  }
  if (big_endian) throw format_error(path(), "holds big-endian numbers");
  detail::pickle_machine machine(reader);
  const value& dict = machine.run();
  expect_dict_of_tensors(dict);
  detail::pickle_machine keys_machine(reader);
  const value& keys = keys_machine.run();
  std::map<std::string_view, std::size_t> element_sizes;
  for (const auto& v : machine.values()) {
    if (v.kind == value::storage) element_sizes[v.string] = dtype_size(type_of(v));
  }
  std::map<std::string_view, std::span<const std::byte>> storages;
  for (const auto* key : keys.items) {
    const auto size = element_sizes.find(key->string);
    if (size == element_sizes.end()) reader.fail("holds a storage '" + std::string(key->string) + "' that no tensor uses");
    const auto elements = reader.read<std::uint64_t>();
    if (elements > file_->size()) reader.fail("holds a storage of " + std::to_string(elements) + " elements (damaged?)");
    storages[key->string] = reader.bytes(elements * size->second);
  }
  add_tensors(dict, [&](const value& storage) {
    const auto found = storages.find(storage.string);
    if (found == storages.end()) throw format_error(path(), "has no storage '" + std::string(storage.string) + "' (damaged?)");
    return found->second;
  });
}

GRAFT_INLINE dtype torch_file::type_of(const value& storage) const {
  static constexpr std::pair<std::string_view, dtype> types[] = {
      {"torch.DoubleStorage", dtype::f64},    {"torch.FloatStorage", dtype::f32}, {"torch.HalfStorage", dtype::f16},
      {"torch.BFloat16Storage", dtype::bf16}, {"torch.LongStorage", dtype::i64},  {"torch.IntStorage", dtype::i32},
      {"torch.ShortStorage", dtype::i16},     {"torch.CharStorage", dtype::i8},   {"torch.ByteStorage", dtype::u8},
      {"torch.BoolStorage", dtype::boolean}};
  for (const auto& [name, type] : types) {
    if (storage.items[0]->string == name) return type;
  }
  throw format_error(path(),
                     "storage '" + std::string(storage.string) + "' is a " + std::string(storage.items[0]->string) + ", not a storage");
}

GRAFT_INLINE void torch_file::expect_dict_of_tensors(const value& dict) const {
  if (dict.kind != value::dictionary) {
    throw format_error(path(), std::string("holds ") + dict.kind_name() + ", a dict of tensors was expected");
  }
  for (std::size_t i = 0; i < dict.items.size(); i += 2) {
    if (dict.items[i]->kind == value::text && dict.items[i + 1]->kind == value::tensor) continue;
    throw format_error(path(), std::string("holds ") + dict.items[i + 1]->kind_name() + " under '" + std::string(dict.items[i]->string) +
                                   "', a dict of tensors was expected: save model.state_dict() alone");
  }
}

GRAFT_INLINE void torch_file::add_tensors(const value& dict, const storage_bytes& find_storage) {
  for (std::size_t i = 0; i < dict.items.size(); i += 2) {
    const std::string name(dict.items[i]->string);
    add(name, info_of(name, *dict.items[i + 1], find_storage));
  }
}

GRAFT_INLINE std::vector<index> torch_file::numbers(const std::string& name, const value& list) const {
  std::vector<index> result;
  if (list.items.size() > 64) throw format_error(path(), "tensor '" + name + "' has more than 64 dimensions");  // a list may be named often
  for (const auto* item : list.items) {
    if (item->kind != value::integer || item->number < 0)
      throw format_error(path(), "tensor '" + name + "' has a size or stride that is no whole number");
    result.push_back(item->number);
  }
  return result;
}

GRAFT_INLINE tensor_info torch_file::info_of(const std::string& name, const value& tensor, const storage_bytes& find_storage) {
  const value& storage = *tensor.items[0];
  tensor_info info{type_of(storage), numbers(name, *tensor.items[1]), {}};
  const auto strides = numbers(name, *tensor.items[2]);
  const auto bytes = find_storage(storage);
  const index unit = static_cast<index>(dtype_size(info.type));
  const index elements = static_cast<index>(bytes.size()) / unit;
  const index count = element_count(info.shape);
  if (count < 0 || strides.size() != info.shape.size()) {
    throw format_error(path(), "tensor '" + name + "' has an impossible shape or strides");
  }
  if (count == 0) return info;

  index last = tensor.number;  // the element of the storage that lies furthest
  index expected_stride = 1;
  bool contiguous = true;
  bool fits = last >= 0;
  for (std::size_t d = strides.size(); d-- > 0;) {
    index reach = 0;
    fits = fits && !__builtin_mul_overflow(info.shape[d] - 1, strides[d], &reach) && !__builtin_add_overflow(last, reach, &last);
    contiguous = contiguous && (info.shape[d] == 1 || strides[d] == expected_stride);
    expected_stride *= info.shape[d];
  }
  if (!fits || last >= elements) {
    throw format_error(path(), "tensor '" + name + "' of shape " + shape_text(info.shape) + " reaches outside its storage '" +
                                   std::string(storage.string) + "' of " + std::to_string(elements) + " elements");
  }
  const auto begin = bytes.subspan(static_cast<std::size_t>(tensor.number * unit));
  info.bytes = contiguous ? begin.first(static_cast<std::size_t>(count * unit)) : gather(name, begin, info, strides);
  return info;
}

GRAFT_INLINE std::span<const std::byte> torch_file::gather(const std::string& name, std::span<const std::byte> from,
                                                           const tensor_info& info, const std::vector<index>& strides) {
  const std::size_t unit = dtype_size(info.type);
  const auto count = static_cast<std::size_t>(element_count(info.shape));
  // Copies together are no larger than the file unless elements are used more than once, which no model does.
  if (count > (file_->size() - copied_) / unit) throw format_error(path(), "tensor '" + name + "' repeats its elements (a stride of 0?)");
  copied_ += count * unit;
  const auto copy = std::make_shared<std::vector<std::byte>>(count * unit);
  std::vector<index> at(info.shape.size());
  index source = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(copy->data() + i * unit, from.data() + static_cast<std::size_t>(source) * unit, unit);
    for (std::size_t d = at.size(); d-- > 0;) {
      if (info.shape[d] == 1) continue;  // its stride is never taken and may be anything
      source += strides[d];
      if (++at[d] < info.shape[d]) break;
      source -= strides[d] * info.shape[d];
      at[d] = 0;
    }
  }
  keep_alive(copy);
  return *copy;
}

}  // namespace graft
