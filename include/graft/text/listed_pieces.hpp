#pragma once
// The pieces, merges and added tokens that a tokenizer.json lists, read without a tree of all that it holds.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graft::detail {

/// What a tokenizer.json lists, in its order.
struct listed_pieces {
  struct entry {
    std::string text;
    std::int64_t id = -1;  // -1: what stands there can be none
  };
  bool by_name = false;                                     // "vocab" of its model is an object
  std::vector<entry> pieces;                                // of that object
  std::vector<entry> added;                                 // "added_tokens"; text "": it has none
  bool has_merges = false;                                  // "merges" of its model is a list
  std::vector<std::pair<std::string, std::string>> merges;  // one of them "": it is none
};

/// What TEXT, a tokenizer.json, lists; nothing where it is not JSON, or so odd that it is to be read as a whole: a list is named twice, an
/// added token has no text or two, or it is nested too deeply.
/// Source: the tokenizers library's serialized form, version 1.0.   Tested: tests/text/tokenizer_test.cpp
std::optional<listed_pieces> list_pieces(std::string_view text);

/// The two of a merge that is written "a b".
std::pair<std::string, std::string> merge_parts(std::string_view merge);

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/text/listed_pieces-inl.hpp"  // IWYU pragma: export
#endif
