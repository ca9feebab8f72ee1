#pragma once
// Bodies of graft/io/torch_writer.hpp.

#include <array>
#include <limits>
#include <string_view>

#include "graft/core/compiled.hpp"
#include "graft/io/tensor_source.hpp"
#include "graft/io/torch_writer.hpp"

namespace graft {

GRAFT_INLINE std::uint32_t crc32(std::span<const std::byte> bytes) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0xedb88320 : 0);
    }
    return t;
  }();
  std::uint32_t crc = 0xffffffff;
  for (const std::byte b : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<std::uint8_t>(b)) & 255];
  return ~crc;
}

GRAFT_INLINE void torch_writer::add(const std::string& name, const std::vector<index>& shape, dtype type,
                                    std::span<const std::byte> bytes) {
  if (stored_bytes(type, element_count(shape)) != bytes.size()) {
    throw shape_error("tensor '" + name + "' of shape " + shape_text(shape) + " and dtype " + std::string(dtype_name(type)) + " has " +
                      std::to_string(bytes.size()) + " bytes of data, which does not fit");
  }
  if (!is_floating_point(type)) throw error("tensor '" + name + "' holds " + std::string(dtype_name(type)) + ", which is not written");
  if (!names_.insert(name).second) throw error("tensor '" + name + "' cannot be added: the name is taken");
  entries_.push_back({name, shape, type, bytes});
}

GRAFT_INLINE void torch_writer::write(const std::string& path) const {
  for (const entry& e : entries_) {
    if (const auto found = find_not_finite(e.type, e.bytes)) {
      throw error(path + ": is not written: tensor '" + e.name + "' would hold " +
                  not_finite_text(e.type, e.bytes, *found, e.shape, e.type));
    }
  }
  archive out(path);
  const std::string text = pickle();
  out.add("archive/data.pkl", std::as_bytes(std::span(text)));
  for (std::size_t i = 0; i < entries_.size(); ++i) out.add("archive/data/" + std::to_string(i), entries_[i].bytes);
  constexpr std::string_view version = "3\n";
  out.add("archive/version", std::as_bytes(std::span(version)));
  out.finish();
}

GRAFT_INLINE void torch_writer::archive::add(const std::string& name, std::span<const std::byte> bytes) {
  const std::uint64_t end = at_ + 30 + name.size() + 4 + 63 + bytes.size();
  if (end > std::numeric_limits<std::uint32_t>::max() - (1 << 20))
    throw backend_error(path_ + ": would be 4 GB or larger, which is not written");
  // An extra field (its id, FB, is PyTorch's) moves the elements to a multiple of 64 bytes.
  const std::size_t unpadded = at_ + 30 + name.size() + 4;
  const std::string extra = "FB" + raw(static_cast<std::uint16_t>((64 - unpadded % 64) % 64)) + std::string((64 - unpadded % 64) % 64, 'Z');
  const auto size = static_cast<std::uint32_t>(bytes.size());
  const std::string common = raw<std::uint16_t>(0) + raw<std::uint16_t>(0) + raw<std::uint16_t>(0) +
                             raw<std::uint16_t>(0x21) +  // 1 January 1980
                             raw(crc32(bytes)) + raw(size) + raw(size) + raw(static_cast<std::uint16_t>(name.size()));
  directory_ += "PK\1\2" + raw<std::uint16_t>(10) + raw<std::uint16_t>(10) + common + std::string(12, '\0') +
                raw(static_cast<std::uint32_t>(at_)) + name;
  ++count_;
  put("PK\3\4" + raw<std::uint16_t>(10) + common + raw(static_cast<std::uint16_t>(extra.size())) + name + extra);
  file_.write(bytes.data(), bytes.size());
  at_ += bytes.size();
}

GRAFT_INLINE void torch_writer::archive::finish() {
  if (count_ > 0xfffe) throw backend_error(path_ + ": would hold " + std::to_string(count_) + " entries, which is not written");
  const auto count = static_cast<std::uint16_t>(count_);
  const std::string end = std::string("PK\5\6") + std::string(4, '\0') + raw(count) + raw(count) +
                          raw(static_cast<std::uint32_t>(directory_.size())) + raw(static_cast<std::uint32_t>(at_)) + std::string(2, '\0');
  put(directory_ + end);
  file_.commit();
}

GRAFT_INLINE void torch_writer::archive::put(const std::string& text) {
  file_.write(text);
  at_ += text.size();
}

GRAFT_INLINE std::string torch_writer::text(const std::string& s) { return "X" + raw(static_cast<std::uint32_t>(s.size())) + s; }

GRAFT_INLINE std::string torch_writer::number(index n) {
  return n <= std::numeric_limits<std::int32_t>::max() ? "J" + raw(static_cast<std::int32_t>(n)) : "\x8a\x08" + raw(n);
}

GRAFT_INLINE std::string torch_writer::tuple(const std::vector<index>& items) {
  std::string all = "(";
  for (const index item : items) all += number(item);
  return all + "t";
}

GRAFT_INLINE std::string torch_writer::storage_class(dtype type) {
  const std::string name = type == dtype::f64 ? "Double" : type == dtype::f32 ? "Float" : type == dtype::f16 ? "Half" : "BFloat16";
  return "ctorch\n" + name + "Storage\n";
}

GRAFT_INLINE std::string torch_writer::pickle() const {
  const std::string empty_dict = "ccollections\nOrderedDict\n)R";
  std::string all = "\x80\x02" + empty_dict + "(";
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const entry& e = entries_[i];
    std::vector<index> strides(e.shape.size(), 1);
    for (std::size_t d = strides.size(); d-- > 1;) strides[d - 1] = strides[d] * e.shape[d];
    // _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)
    all += text(e.name) + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + storage_class(e.type) + text(std::to_string(i)) +
           text("cpu") + number(element_count(e.shape)) + "tQ" + number(0) + tuple(e.shape) + tuple(strides) + "\x89" + empty_dict + "tR";
  }
  return all + "u.";
}

}  // namespace graft
