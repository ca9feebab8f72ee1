#pragma once
// Bodies of graft/train/prefix_cache.hpp.

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <thread>
#include <tuple>
#include <unordered_set>

#include "graft/core/byte_sum.hpp"
#include "graft/core/compiled.hpp"
#include "graft/train/prefix_cache.hpp"
#include "graft/version.hpp"

namespace graft::detail {

GRAFT_INLINE std::string code_identity() {
  std::string text = std::to_string(GRAFT_VERSION_MAJOR) + "." + std::to_string(GRAFT_VERSION_MINOR) + "." +
                     std::to_string(GRAFT_VERSION_PATCH) + " " + __VERSION__ + " " + Eigen::SimdInstructionSetsInUse();
  return text + " " + first_that_runs(real_kernels<float>()).name;
}

/// The part of NUMBERS that is sequence I's of B.
GRAFT_INLINE std::span<const std::int32_t> of_sequence(const batch& b, index i, const std::vector<std::int32_t>& numbers) {
  const auto begin = static_cast<std::size_t>(b.offsets[static_cast<std::size_t>(i)]);
  return std::span(numbers).subspan(begin, static_cast<std::size_t>(b.offsets[static_cast<std::size_t>(i) + 1]) - begin);
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE prefix_cache::prefix_cache(const std::string& folder, const std::string& identity, index layers, index width, dtype type)
    : folder_(folder), identity_(identity), layers_(layers), width_(width), type_(type) {
  make_folder(folder, {"prefix_cache"});
  look_again();
}

GRAFT_INLINE std::uint64_t prefix_cache::hash_of(std::span<const std::int32_t> ids, std::span<const std::int32_t> types) {
  fnv1a hash;
  hash.add(std::as_bytes(ids));
  hash.add(std::as_bytes(types));
  return hash.value();
}

GRAFT_INLINE std::uint64_t prefix_cache::row::sum() const {
  const std::uint64_t parts[] = {byte_sum(std::as_bytes(ids)), byte_sum(std::as_bytes(types)), byte_sum(states)};
  return byte_sum(std::as_bytes(std::span(parts)));
}

GRAFT_INLINE const std::byte* prefix_cache::find(std::span<const std::int32_t> ids, std::span<const std::int32_t> types) const {
  auto [at, end] = stored_.equal_range(hash_of(ids, types));
  for (; at != end; ++at) {
    const stored_row& p = at->second;
    if (!std::ranges::equal(ids, p.ids) || !std::ranges::equal(types, p.types)) continue;
    if (!p.compared.load(std::memory_order_relaxed)) {
      if (p.sum() != p.sum_written) throw refused(*p.file_name, "what it holds of a row is not what was written");
      p.compared.store(true, std::memory_order_relaxed);
    }
    return p.states.data();
  }
  return nullptr;
}

GRAFT_INLINE batch prefix_cache::unknown(std::span<const features> rows) const {
  batch all, one;
  std::unordered_set<std::string> seen;
  for (const features& row : rows) {
    one.clear();
    one.add({.input_ids = row.input_ids, .token_type_ids = row.token_type_ids});
    if (find(one.input_ids, one.token_type_ids) != nullptr) continue;
    std::string content(reinterpret_cast<const char*>(one.input_ids.data()), one.input_ids.size() * sizeof(std::int32_t));
    content.append(reinterpret_cast<const char*>(one.token_type_ids.data()), one.token_type_ids.size() * sizeof(std::int32_t));
    if (seen.insert(std::move(content)).second)
      all.add({.input_ids = std::move(one.input_ids), .token_type_ids = std::move(one.token_type_ids)});
  }
  return all;
}

GRAFT_INLINE void prefix_cache::look_again() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(identity_ + "-") && name.ends_with(".safetensors") && !files_.contains(name)) names.insert(name);
  }
  for (const std::string& name : names) open(name);
}

GRAFT_INLINE format_error prefix_cache::refused(const std::string& name, const std::string& reason) const {
  return {folder_ + "/" + name, "is no whole file of a prefix cache: " + reason + "; remove it, and its rows are computed anew"};
}

GRAFT_INLINE void prefix_cache::open(const std::string& name) {
  const std::string path = folder_ + "/" + name;
  const auto refused = [&](const std::string& reason) { return this->refused(name, reason); };
  const safetensors_file file = [&] {
    try {
      return safetensors_file(path);
    } catch (const format_error& failure) {
      throw refused(std::string(failure.what()).substr(path.size() + 2));
    }
  }();
  const auto of = file.metadata().find("graft_prefix_cache");
  if (of == file.metadata().end() || of->second != identity_) throw refused("it does not say that it is one of " + identity_);
  const auto part = [&](const char* tensor, dtype type, index columns) -> const tensor_info& {
    const tensor_info* found = file.find(tensor);
    const bool fits = found != nullptr && found->type == type && found->shape.size() == (columns == 0 ? 1U : 2U) &&
                      (columns == 0 || found->shape[1] == columns) &&
                      reinterpret_cast<std::uintptr_t>(found->bytes.data()) % dtype_size(type) == 0;
    if (!fits) {
      throw refused("it has no \"" + std::string(tensor) + "\" as it should be");
    }
    return *found;
  };
  const tensor_info &ids = part("input_ids", dtype::i32, 0), &types = part("token_type_ids", dtype::i32, 0),
                    &offsets = part("offsets", dtype::i64, 0), &states = part("states", type_, width_), &sums = part("sums", dtype::i64, 0);
  const auto* begin = reinterpret_cast<const std::int64_t*>(offsets.bytes.data());
  const std::span rows(begin, static_cast<std::size_t>(offsets.shape[0]));
  const index tokens = ids.shape[0];
  if (rows.empty() || rows.front() != 0 || rows.back() != tokens || !std::ranges::is_sorted(rows) || types.shape[0] != tokens ||
      states.shape[0] != tokens || sums.shape[0] + 1 != offsets.shape[0]) {
    throw refused("its rows do not fit together");
  }
  const std::string& file_name = files_.emplace(name, file).first->first;
  const auto numbers = [](const tensor_info& t) {
    return std::span(reinterpret_cast<const std::int32_t*>(t.bytes.data()), static_cast<std::size_t>(t.count()));
  };
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    const auto first = static_cast<std::size_t>(rows[i]), count = static_cast<std::size_t>(rows[i + 1]) - first;
    const row one{numbers(ids).subspan(first, count), numbers(types).subspan(first, count),
                  states.bytes.subspan(first * token_bytes(), count * token_bytes())};
    std::uint64_t written = 0;
    std::memcpy(&written, sums.bytes.data() + i * sizeof written, sizeof written);
    const auto key = hash_of(one.ids, one.types);
    if (find(one.ids, one.types) == nullptr) {
      stored_.emplace(std::piecewise_construct, std::tuple(key), std::forward_as_tuple(one, written, file_name));
    }
  }
}

GRAFT_INLINE void prefix_cache::add(const batch& b, std::span<const std::byte> states) {
  const index tokens = b.rows();
  fnv1a hash;
  hash.add(std::as_bytes(std::span(b.offsets)));
  hash.add(std::as_bytes(std::span(b.input_ids)));
  hash.add(std::as_bytes(std::span(b.token_type_ids)));
  const std::string name = identity_ + "-" + hash.text() + ".safetensors";
  std::vector<std::int64_t> sums;
  for (index i = 0; i < b.size(); ++i) {
    const auto first = static_cast<std::size_t>(b.offsets[static_cast<std::size_t>(i)]);
    const auto ids = detail::of_sequence(b, i, b.input_ids), types = detail::of_sequence(b, i, b.token_type_ids);
    const row one{ids, types, states.subspan(first * token_bytes(), ids.size() * token_bytes())};
    sums.push_back(static_cast<std::int64_t>(one.sum()));
  }
  safetensors_writer writer;
  writer.metadata = {{"graft_prefix_cache", identity_}, {"layers", std::to_string(layers_)}};
  writer.add("offsets", {std::ssize(b.offsets)}, std::span<const index>(b.offsets));
  writer.add("sums", {b.size()}, std::span<const std::int64_t>(sums));
  writer.add("input_ids", {tokens}, std::span<const std::int32_t>(b.input_ids));
  writer.add("token_type_ids", {tokens}, std::span<const std::int32_t>(b.token_type_ids));
  writer.add("states", {tokens, width_}, type_, states, type_);
  writer.write(folder_ + "/" + name);
  open(name);
}

GRAFT_INLINE void prefix_cache::require_disk_space(index tokens) const {
  const double bytes = static_cast<double>(tokens) * static_cast<double>(token_bytes() + 2 * sizeof(std::int32_t));
  std::error_code none;
  const auto space = std::filesystem::space(folder_, none);
  if (none || static_cast<double>(space.available) > bytes) return;
  throw backend_error(folder_ + ": has no room for the " + std::to_string(static_cast<std::int64_t>(bytes / 1e6) + 1) +
                          " MB that the prefix cache still takes; make room, or choose another folder",
                      remedy{"prefix_cache"});
}

GRAFT_INLINE prefix_cache::turn::turn(const prefix_cache& cache, const std::function<void()>& waits, const std::atomic<bool>* stop)
    : lock_(::open(cache.folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  int taken = -1;
  for (bool first = true; lock_; first = false) {
    taken = ::flock(lock_.number(), LOCK_EX | LOCK_NB);
    if (taken == 0 || (errno != EWOULDBLOCK && errno != EINTR)) break;  // not every file system has locks
    if (first && waits) waits();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (stop != nullptr && stop->load()) mine_ = false;
    if (!mine_) return;
  }
  if (taken != 0) return;
  for (const auto& entry : std::filesystem::directory_iterator(cache.folder_)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("." + cache.identity_ + "-") && name.ends_with(".tmp")) ::unlink(entry.path().c_str());
  }
}

}  // namespace graft
