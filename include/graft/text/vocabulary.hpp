#pragma once
// The pieces of a tokenizer and their ids, from vocab.json, vocab.txt or the part of a tokenizer.json.

#include <algorithm>
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

/// Pieces with ids below size(). Some ids may have no piece ("").
class vocabulary {
 public:
  /// vocab.json: one object, piece -> id. Of two pieces with one id both have it; a piece that stands there twice has its last id; ids may
  /// leave gaps.
  /// @throws format_error  missing, not JSON, an id that is no integer, negative, or far above the number of pieces
  static vocabulary from_json(const std::string& path) {
    std::string twice;
    vocabulary result = from_json(parse_json(mapped_file(path).text(), path, 0, &twice), path);
    if (!twice.empty()) result.note(path + ": " + twice + " stands there twice: the last one counts");
    return result;
  }

  /// As above; OBJECT came from PATH.
  static vocabulary from_json(const json& object, const std::string& path) {
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

  /// vocab.txt: a piece a line, without the white space at its end; ids are the numbers of lines, from 0. A piece that stands there twice
  /// has its last id. A byte-order mark is no part of the first piece.
  /// @throws format_error  missing, or not UTF-8
  static vocabulary from_lines(const std::string& path) {
    const mapped_file file(path);
    try {
      require_utf8(file.text());
    } catch (const encoding_error& failure) {
      throw format_error(path, failure.what());
    }
    auto text = file.text();
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
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

  /// What its reader should know of: a line each.
  const std::vector<std::string>& notes() const noexcept { return notes_; }
  void note(std::string text) { notes_.push_back(std::move(text)); }

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
  struct entry {
    std::string piece;
    std::int32_t id;
  };

  vocabulary(const std::string& path, std::int32_t size, std::vector<entry> entries)
      : path_(path), pieces_(static_cast<std::size_t>(size)), ids_(entries.size()) {
    std::size_t twice = 0, shared = 0;
    std::string first_twice, first_shared;
    for (std::size_t i = entries.size(); i-- > 0;) {  // from the end: the last one counts
      auto& [piece, id] = entries[i];
      std::string& place = pieces_[static_cast<std::size_t>(id)];
      if (!ids_.insert(piece, id)) {
        if (!piece.empty() && ++twice == 1) {
          first_twice = "\"" + piece + "\" stands there twice, with ids " + std::to_string(id) + " and " + std::to_string(find(piece));
        }
      } else if (!place.empty() && ++shared == 1) {
        first_shared = "\"" + piece + "\" has id " + std::to_string(id) + ", as \"" + place + "\" has";
      }
      if (place.empty()) place = std::move(piece);
    }
    const auto so_on = [](std::size_t times) { return times > 1 ? " (and so on, " + std::to_string(times) + " times)" : std::string(); };
    if (twice > 0) note(path + ": " + first_twice + so_on(twice) + ": the last one counts");
    if (shared > 0) note(path + ": " + first_shared + so_on(shared) + ": the model cannot tell them apart");
  }

  std::string path_;
  std::vector<std::string> pieces_;
  detail::string_table ids_;
  std::vector<std::string> notes_;
};

}  // namespace graft
