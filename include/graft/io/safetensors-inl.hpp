#pragma once
// Bodies of graft/io/safetensors.hpp.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/io/safetensors.hpp"

namespace graft::detail {

GRAFT_INLINE std::vector<index> natural_numbers(const json& list, const std::string& what, const std::string& path) {
  std::vector<index> numbers;
  bool fine = list.is_array() && list.size() <= 64;  // no tensor has more dimensions
  if (fine) {
    for (const auto& item : list) {
      fine = fine && item.is_number_unsigned() && item.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<index>::max()};
      if (fine) numbers.push_back(item.get<index>());
    }
  }
  if (!fine) throw format_error(path, what + " is " + shown(list) + ", a list of whole numbers was expected");
  return numbers;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE safetensors_file::safetensors_file(const std::string& file_path)
    : safetensors_file(std::make_shared<const mapped_file>(file_path)) {}

GRAFT_INLINE safetensors_file::safetensors_file(std::shared_ptr<const mapped_file> file) : tensor_source(file->path()) {
  keep_alive(file);
  if (file->size() < 8) {
    throw format_error(path(), "holds " + std::to_string(file->size()) + " bytes, at least 8 (the header length) were expected");
  }
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, file->data(), 8);
  const std::uint64_t most = std::min<std::uint64_t>(file->size() - 8, 100'000'000);
  if (header_size > most) {
    throw format_error::at_byte(path(), 0,
                                "the header length is " + std::to_string(header_size) + ", at most " + std::to_string(most) +
                                    " was expected (not a safetensors file, or cut short?)");
  }
  const json header = parse_json(file->text().substr(8, header_size), path() + " (its header)");
  if (!header.is_object()) throw format_error::at_byte(path(), 8, "its header is not a JSON object");
  const std::span<const std::byte> data{file->data() + 8 + header_size, file->size() - 8 - header_size};
  std::vector<std::pair<std::span<const std::byte>, std::string>> order;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      read_metadata(entry);
      continue;
    }
    auto info = read_entry(name, entry, data);
    order.emplace_back(info.bytes, name);
    add(name, std::move(info));
  }
  check_order(order, data);
}

GRAFT_INLINE void safetensors_file::read_metadata(const json& entry) {
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!entry.is_object() || !value.is_string()) {
      throw format_error(path(), "\"__metadata__\" is not an object of strings");
    }
    metadata[key] = value.get<std::string>();
  }
  set_metadata(std::move(metadata));
}

GRAFT_INLINE tensor_info safetensors_file::read_entry(const std::string& name, const json& entry, std::span<const std::byte> data) const {
  const std::string who = "tensor '" + name + "'";
  const auto field = [&](const char* key) -> const json& {
    if (!entry.is_object() || !entry.contains(key)) throw format_error(path(), who + " has no \"" + key + "\"");
    return entry[key];
  };
  const json& type_name = field("dtype");
  const auto type = type_name.is_string() ? parse_dtype(type_name.get<std::string>()) : std::nullopt;
  if (!type) throw format_error(path(), who + " has dtype " + shown(type_name) + ", which graft does not know");
  tensor_info info{*type, detail::natural_numbers(field("shape"), who + ": \"shape\"", path()), {}};
  const auto offsets = detail::natural_numbers(field("data_offsets"), who + ": \"data_offsets\"", path());
  if (offsets.size() != 2 || offsets[0] > offsets[1] || static_cast<std::size_t>(offsets[1]) > data.size()) {
    throw format_error(path(), who + " has data_offsets " + shown(field("data_offsets")) + ", a range inside the " +
                                   std::to_string(data.size()) + " bytes of data was expected (cut short?)");
  }
  const index count = element_count(info.shape);
  const auto needed = stored_bytes(*type, count);
  if (!needed || static_cast<index>(*needed) != offsets[1] - offsets[0]) {
    throw format_error(path(), who + " of shape " + shape_text(info.shape) + " and dtype " + std::string(dtype_name(*type)) + " has " +
                                   std::to_string(offsets[1] - offsets[0]) + " bytes of data, which does not fit");
  }
  info.bytes = data.subspan(static_cast<std::size_t>(offsets[0]), *needed);
  return info;
}

GRAFT_INLINE void safetensors_file::check_order(std::vector<std::pair<std::span<const std::byte>, std::string>>& order,
                                                std::span<const std::byte> data) const {
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.data(), a.first.size()) < std::pair(b.first.data(), b.first.size());
  });
  const std::byte* expected = data.data();
  for (const auto& [bytes, name] : order) {
    if (bytes.data() != expected) {
      throw format_error(path(), "tensor '" + name + "' begins at data byte " + std::to_string(bytes.data() - data.data()) + ", " +
                                     std::to_string(expected - data.data()) + " was expected (tensors " +
                                     (bytes.data() < expected ? "overlap)" : "leave a hole)"));
    }
    expected += bytes.size();
  }
  if (expected != data.data() + data.size()) {
    throw format_error(
        path(), "holds " + std::to_string(data.size()) + " bytes of data, its tensors have " + std::to_string(expected - data.data()));
  }
}

GRAFT_INLINE void safetensors_writer::add(const std::string& name, const std::vector<index>& shape, dtype held,
                                          std::span<const std::byte> bytes, dtype stored) {
  if (stored_bytes(held, element_count(shape)) != bytes.size()) {
    throw shape_error("tensor '" + name + "' of shape " + shape_text(shape) + " and dtype " + std::string(dtype_name(held)) + " has " +
                      std::to_string(bytes.size()) + " bytes of data, which does not fit");
  }
  if (held != stored && !(is_floating_point(held) && is_floating_point(stored))) {
    throw error("tensor '" + name + "' holds " + std::string(dtype_name(held)) + ", which is not stored as " +
                std::string(dtype_name(stored)));
  }
  if (name == "__metadata__" || !names_.insert(name).second) throw error("tensor '" + name + "' cannot be added: the name is taken");
  entries_.push_back({name, shape, held, bytes, stored, is_floating_point(held)});
}

GRAFT_INLINE void safetensors_writer::copy(const std::string& name, const tensor_info& info) {
  add(name, info.shape, info.type, info.bytes, info.type);
  entries_.back().looked_at = false;
}

GRAFT_INLINE void safetensors_writer::write(const std::string& path) const {
  auto order = entries_;
  std::stable_sort(order.begin(), order.end(), [](const entry& a, const entry& b) { return dtype_bits(a.stored) > dtype_bits(b.stored); });
  if (alignment_ > 8) order = filled(order);

  ordered_json header = ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const auto& e : order) {
    const std::size_t end = offset + e.size();
    header[e.name] = {{"dtype", dtype_name(e.stored)}, {"shape", e.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  const std::size_t multiple = std::max<std::size_t>(alignment_, 8);
  text.append((multiple - (8 + text.size()) % multiple) % multiple, ' ');

  atomic_file file(path);
  const std::uint64_t header_size = text.size();
  file.write(&header_size, 8);
  file.write(text);
  for (const auto& e : order) write_values(file, e, path);
  file.commit();
}

GRAFT_INLINE std::size_t safetensors_writer::entry::size() const {
  return held == stored ? bytes.size() : bytes.size() / dtype_size(held) * dtype_size(stored);
}

GRAFT_INLINE std::vector<safetensors_writer::entry> safetensors_writer::filled(const std::vector<entry>& order) const {
  static constexpr std::array<std::byte, 4096> zeros{};
  std::vector<entry> result;
  std::size_t pads = 0;
  for (const auto& e : order) {
    result.push_back(e);
    const std::size_t gap = (alignment_ - e.size() % alignment_) % alignment_;
    if (gap == 0 || &e == &order.back()) continue;
    result.push_back({"__pad." + std::to_string(pads++), {static_cast<index>(gap)}, dtype::u8, {zeros.data(), gap}, dtype::u8, false});
  }
  return result;
}

GRAFT_INLINE void safetensors_writer::write_values(atomic_file& file, const entry& e, const std::string& path) {
  if (!e.looked_at) return file.write(e.bytes.data(), e.bytes.size());
  constexpr std::size_t chunk = 1 << 16;  // elements at a time: looked at while they are in cache, and no copy of a whole tensor is needed
  const std::size_t held = dtype_size(e.held), stored = dtype_size(e.stored);
  std::vector<std::byte> converted(e.held == e.stored ? 0 : chunk * stored);
  for (std::size_t at = 0; at < e.bytes.size(); at += chunk * held) {
    auto part = e.bytes.subspan(at, std::min(chunk * held, e.bytes.size() - at));
    if (e.held != e.stored) {
      convert(e.held, part, e.stored, converted.data());
      part = std::span(converted).first(part.size() / held * stored);
    }
    if (const auto found = find_not_finite(e.stored, part)) {
      throw error(path + ": is not written: tensor '" + e.name + "' would hold " +
                  not_finite_text(e.held, e.bytes, at / held + *found, e.shape, e.stored));
    }
    file.write(part.data(), part.size());
  }
}

}  // namespace graft
