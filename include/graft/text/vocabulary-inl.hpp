#pragma once
// Bodies of graft/text/vocabulary.hpp.

#include <algorithm>
#include <functional>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/text/json_walk.hpp"
#include "graft/text/utf8.hpp"
#include "graft/text/vocabulary.hpp"

namespace graft::detail {

GRAFT_INLINE bool string_table::insert(std::string_view key, std::int32_t id) {
  const auto hash = hash_of(key);
  slot& entry = slots_[slot_of(key, hash)];
  if (entry.id >= 0) return false;
  entry = {hash, static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(key.size()), id};
  bytes_ += key;
  return true;
}

GRAFT_INLINE std::int32_t string_table::find(std::string_view key) const { return slots_[slot_of(key, hash_of(key))].id; }

/// Takes the members of one object that all are ids, and ends at anything else.
class flat_object : public json_walk<flat_object> {
 public:
  std::vector<std::pair<std::string, std::int32_t>> members;

  bool number_unsigned(std::uint64_t id) {
    if (depth_ != 1 || id > largest) return false;
    members.back().second = static_cast<std::int32_t>(id);
    return true;
  }
  bool key(std::string& name) {
    if (name.empty()) return false;  // of which notes say less
    members.emplace_back(std::move(name), 0);
    return true;
  }
  bool start_object(std::size_t /*members*/) { return ++depth_ == 1; }
  bool end_object() { return true; }
  bool other() { return false; }
  bool string(std::string& /*text*/) { return false; }
  bool start_array(std::size_t /*elements*/) { return false; }
  bool end_array() { return false; }

 private:
  static constexpr std::uint64_t largest = 300'000;  // what vocabulary::from_json allows to the smallest
  int depth_ = 0;
};

GRAFT_INLINE std::uint32_t string_table::hash_of(std::string_view key) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>()(key));
}

GRAFT_INLINE std::size_t string_table::slot_of(std::string_view key, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].id >= 0 && (slots_[at].hash != hash || std::string_view(bytes_).substr(slots_[at].begin, slots_[at].length) != key)) {
    at = (at + 1) & mask;
  }
  return at;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE vocabulary vocabulary::from_json(const std::string& path) {
  const mapped_file file(path);
  detail::flat_object flat;
  if (json::sax_parse(file.text(), &flat)) {  // the usual case, which needs no tree
    std::vector<entry> entries;
    std::int32_t size = 0;
    for (auto& [piece, id] : flat.members) {
      entries.push_back({std::move(piece), id});
      size = std::max(size, id + 1);
    }
    vocabulary result(path, size, std::move(entries));
    if (result.notes().empty()) return result;
  }
  std::string twice;
  vocabulary result = from_json(parse_json(file.text(), path, 0, &twice), path);
  if (!twice.empty()) result.note(path + ": " + twice + " stands there twice: the last one counts");
  return result;
}

GRAFT_INLINE vocabulary vocabulary::from_json(const json& object, const std::string& path) {
  if (!object.is_object()) throw format_error(path, "holds a JSON " + std::string(object.type_name()) + ", an object was expected");
  const std::uint64_t most = 16 * static_cast<std::uint64_t>(object.size()) + 300'000;  // a vocabulary that was cut down has gaps
  std::vector<entry> entries;
  std::int32_t size = 0;
  for (const auto& [piece, value] : object.items()) {
    const auto fail = [&, &name = piece, &number = value](const std::string& reason) {
      throw format_error(path, "\"" + name + "\" has id " + shown(number) + reason);
    };
    if (!value.is_number_integer()) fail(", an integer was expected");
    if (!value.is_number_unsigned()) fail(", ids cannot be negative");
    const auto id = value.template get<std::uint64_t>();
    if (id >= most) fail(", which is far beyond a vocabulary of " + std::to_string(object.size()) + " pieces");
    entries.push_back({piece, static_cast<std::int32_t>(id)});
    size = std::max(size, static_cast<std::int32_t>(id) + 1);
  }
  return {path, size, std::move(entries)};
}

GRAFT_INLINE vocabulary vocabulary::from_list(std::vector<std::string> pieces, const std::string& path) {
  std::vector<entry> entries;
  for (auto& piece : pieces) entries.push_back({std::move(piece), static_cast<std::int32_t>(entries.size())});
  const auto size = static_cast<std::int32_t>(entries.size());
  return {path, size, std::move(entries)};
}

GRAFT_INLINE vocabulary vocabulary::from_lines(const std::string& path) {
  const mapped_file file(path);
  try {
    require_utf8(file.text());
  } catch (const encoding_error& failure) {
    throw format_error(path, failure.what());
  }
  auto text = file.text();
  if (text.starts_with(detail::byte_order_mark)) text.remove_prefix(detail::byte_order_mark.size());
  std::vector<entry> entries;
  std::uint64_t blank = 0, last = 0;  // the first blank line, the last one that is not
  detail::for_each_line(text, [&](std::uint64_t number, std::string_view line) {
    const auto piece = strip_right(line, detail::is_white_space);
    entries.push_back({std::string(piece), static_cast<std::int32_t>(number - 1)});
    if (!piece.empty()) last = number;
    if (piece.empty() && blank == 0) blank = number;
  });
  const auto size = static_cast<std::int32_t>(entries.size());
  vocabulary result(path, size, std::move(entries));
  if (blank != 0 && blank < last) {
    result.note(path + ":" + std::to_string(blank) + ": is a blank line: it takes an id, and the pieces below it have theirs one higher");
  }
  return result;
}

GRAFT_INLINE void vocabulary::note(std::string text) { notes_.push_back(std::move(text)); }

GRAFT_INLINE std::int32_t vocabulary::size() const noexcept { return static_cast<std::int32_t>(pieces_.size()); }

GRAFT_INLINE const std::string& vocabulary::piece(std::int32_t id) const {
  if (id < 0 || id >= size()) {
    throw error("token id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(size()) + " (" + path_ + ")");
  }
  return pieces_[static_cast<std::size_t>(id)];
}

GRAFT_INLINE std::int32_t vocabulary::find(std::string_view piece) const { return ids_.find(piece); }

GRAFT_INLINE std::int32_t vocabulary::require(const std::string& piece) const {
  const auto id = find(piece);
  if (id < 0) throw format_error(path_, "has no \"" + piece + "\", which this kind of model needs: not its vocabulary?");
  return id;
}

GRAFT_INLINE vocabulary::vocabulary(const std::string& path, std::int32_t size, std::vector<entry> entries)
    : path_(path), pieces_(static_cast<std::size_t>(size)), ids_(entries.size()) {
  std::size_t twice = 0, shared = 0;
  std::string first_twice, first_shared;
  for (std::size_t i = entries.size(); i-- > 0;) {  // from the end: the last one counts
    auto& [piece, id] = entries[i];
    std::string& stored = pieces_[static_cast<std::size_t>(id)];
    if (!ids_.insert(piece, id)) {
      if (!piece.empty() && ++twice == 1) {
        first_twice = "\"" + piece + "\" stands there twice, with ids " + std::to_string(id) + " and " + std::to_string(find(piece));
      }
    } else if (!stored.empty() && ++shared == 1) {
      first_shared = "\"" + piece + "\" has id " + std::to_string(id) + ", as \"" + stored + "\" has";
    }
    if (stored.empty()) stored = std::move(piece);
  }
  const auto so_on = [](std::size_t times) { return times > 1 ? " (and so on, " + std::to_string(times) + " times)" : std::string(); };
  if (twice > 0) note(path + ": " + first_twice + so_on(twice) + ": the last one counts");
  if (shared > 0) note(path + ": " + first_shared + so_on(shared) + ": the model cannot tell them apart");
}

}  // namespace graft
