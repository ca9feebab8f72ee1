#pragma once
// The pieces of a tokenizer and their ids, from vocab.json, vocab.txt or the part of a tokenizer.json.

#include <bit>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/text/utf8.hpp"

namespace graft {

namespace detail {

/// Strings -> ids >= 0 in one flat open-addressing table; made for a number of strings known beforehand. Lookups neither allocate nor lock.
class string_table {
 public:
  explicit string_table(std::size_t strings) : slots_(std::bit_ceil(2 * strings + 2)) {}

  /// False, and nothing is changed, when KEY is there already.
  bool insert(std::string_view key, std::int32_t id) {
    const auto hash = hash_of(key);
    slot& place = slots_[place_of(key, hash)];
    if (place.id >= 0) return false;
    place = {hash, static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(key.size()), id};
    bytes_ += key;
    return true;
  }

  /// -1 when KEY is absent.
  std::int32_t find(std::string_view key) const { return slots_[place_of(key, hash_of(key))].id; }

 private:
  struct slot {
    std::uint32_t hash = 0;
    std::uint32_t begin = 0;
    std::uint32_t length = 0;
    std::int32_t id = -1;
  };
  static std::uint32_t hash_of(std::string_view key) { return static_cast<std::uint32_t>(std::hash<std::string_view>()(key)); }

  std::size_t place_of(std::string_view key, std::uint32_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].id >= 0 && (slots_[at].hash != hash || std::string_view(bytes_).substr(slots_[at].begin, slots_[at].length) != key)) {
      at = (at + 1) & mask;
    }
    return at;
  }

  std::vector<slot> slots_;
  std::string bytes_;
};

/// Calls VISIT(line number from 1, line without its \n or \r\n).
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (std::uint64_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(number, line);
  }
}

}  // namespace detail

/// Pieces with ids 0 .. size() - 1, each id once.
class vocabulary {
 public:
  /// vocab.json: one object, piece -> id.
  /// @throws format_error  missing, not JSON, an id that is no integer, negative, used twice, or not below the number of pieces
  static vocabulary from_json(const std::string& path) { return from_json(read_json(path), path); }

  /// As above; OBJECT came from PATH.
  static vocabulary from_json(const json& object, const std::string& path) {
    if (!object.is_object()) throw format_error(path, "holds a JSON " + std::string(object.type_name()) + ", an object was expected");
    std::vector<std::string> pieces(object.size());
    std::vector<bool> taken(object.size());
    for (const auto& [piece, value] : object.items()) {
      const auto fail = [&, &name = piece, &number = value](const std::string& reason) {
        throw format_error(path, "\"" + name + "\" has id " + shown(number) + reason);
      };
      if (!value.is_number_integer()) fail(", an integer was expected");
      if (!value.is_number_unsigned()) fail(", ids cannot be negative");
      const auto id = value.template get<std::uint64_t>();
      if (id >= pieces.size()) fail(", but " + std::to_string(pieces.size()) + " pieces need the ids 0, 1, 2, ... without gaps");
      if (taken[id]) fail(", which \"" + pieces[id] + "\" has already");
      taken[id] = true;
      pieces[id] = piece;
    }
    return {path, std::move(pieces)};
  }

  /// vocab.txt: a piece a line, ids from 0.
  /// @throws format_error  missing, not UTF-8, or a piece stands on two lines
  static vocabulary from_lines(const std::string& path) {
    const mapped_file file(path);
    try {
      require_utf8(file.text());
    } catch (const encoding_error& failure) {
      throw format_error(path, failure.what());
    }
    std::vector<std::string> pieces;
    detail::for_each_line(file.text(), [&](std::uint64_t, std::string_view line) { pieces.emplace_back(line); });
    return {path, std::move(pieces)};
  }

  const std::string& path() const noexcept { return path_; }
  std::int32_t size() const noexcept { return static_cast<std::int32_t>(pieces_.size()); }

  /// @throws error  ID is not in 0 .. size() - 1
  const std::string& piece(std::int32_t id) const {
    if (id < 0 || id >= size()) {
      throw error("token id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(size()) + " (" + path_ + ")");
    }
    return pieces_[static_cast<std::size_t>(id)];
  }

  /// The id of PIECE, -1 when there is none.
  std::int32_t find(std::string_view piece) const { return ids_.find(piece); }

  /// @throws format_error  no such piece
  std::int32_t require(const std::string& piece) const {
    const auto id = find(piece);
    if (id < 0) throw format_error(path_, "has no \"" + piece + "\", which this kind of model needs: not its vocabulary?");
    return id;
  }

 private:
  vocabulary(const std::string& path, std::vector<std::string> pieces) : path_(path), pieces_(std::move(pieces)), ids_(pieces_.size()) {
    for (std::int32_t id = 0; id < size(); ++id) {
      const auto& piece = pieces_[static_cast<std::size_t>(id)];
      if (!ids_.insert(piece, id)) {
        throw format_error(path,
                           "\"" + piece + "\" stands there twice, with ids " + std::to_string(find(piece)) + " and " + std::to_string(id));
      }
    }
  }

  std::string path_;
  std::vector<std::string> pieces_;
  detail::string_table ids_;
};

}  // namespace graft
