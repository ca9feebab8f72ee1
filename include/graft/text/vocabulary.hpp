#pragma once
// The pieces of a tokenizer and their ids, from vocab.json, vocab.txt or the part of a tokenizer.json.

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/json_fwd.hpp"

namespace graft {

namespace detail {

/// Strings -> ids >= 0 in one flat open-addressing table; made for a number of strings known beforehand. Lookups neither allocate nor lock.
class string_table {
 public:
  explicit string_table(std::size_t strings) : slots_(std::bit_ceil(2 * strings + 2)) {}

  /// False, and nothing is changed, when KEY is there already.
  bool insert(std::string_view key, std::int32_t id);

  /// -1 when KEY is absent.
  std::int32_t find(std::string_view key) const;

 private:
  struct slot {
    std::uint32_t hash = 0;
    std::uint32_t begin = 0;
    std::uint32_t length = 0;
    std::int32_t id = -1;
  };
  static std::uint32_t hash_of(std::string_view key);

  std::size_t slot_of(std::string_view key, std::uint32_t hash) const;

  std::vector<slot> slots_;
  std::string bytes_;
};

}  // namespace detail

/// Pieces with ids below size(). Some ids may have no piece ("").
class vocabulary {
 public:
  /// vocab.json: one object, piece -> id. Of two pieces with one id both have it; a piece that stands there twice has its last id; ids may
  /// leave gaps.
  /// @throws format_error  missing, not JSON, an id that is no integer, negative, or far above the number of pieces
  static vocabulary from_json(const std::string& path);

  /// As above; OBJECT came from PATH.
  static vocabulary from_json(const json& object, const std::string& path);

  /// Piece i has id i. PATH names them in errors.
  static vocabulary from_list(std::vector<std::string> pieces, const std::string& path);

  /// vocab.txt: a piece a line, without the white space at its end; ids are the numbers of lines, from 0. A piece that stands there twice
  /// has its last id. A byte-order mark is no part of the first piece.
  /// @throws format_error  missing, or not UTF-8
  static vocabulary from_lines(const std::string& path);

  /// What its reader should know of: a line each.
  const std::vector<std::string>& notes() const noexcept { return notes_; }
  void note(std::string text);

  const std::string& path() const noexcept { return path_; }
  std::int32_t size() const noexcept;

  /// @throws error  ID is not in 0 .. size() - 1
  const std::string& piece(std::int32_t id) const;

  /// All of them, in the order of their ids.
  const std::vector<std::string>& list() const noexcept { return pieces_; }

  /// The id of PIECE, -1 when there is none.
  std::int32_t find(std::string_view piece) const;

  /// @throws format_error  no such piece
  std::int32_t require(const std::string& piece) const;

 private:
  struct entry {
    std::string piece;
    std::int32_t id;
  };

  vocabulary(const std::string& path, std::int32_t size, std::vector<entry> entries);

  std::string path_;
  std::vector<std::string> pieces_;
  detail::string_table ids_;
  std::vector<std::string> notes_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/vocabulary-inl.hpp"  // IWYU pragma: export
#endif
