#pragma once
// Tokens that stand beside a vocabulary or are looked for in a text before it is cut: special tokens, and those that a user added.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/text/utf8.hpp"
#include "graft/text/vocabulary.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft {

/// One mention of a token in a tokenizer's files. Several may be of the same token: then the later flags count.
struct added_token {
  std::string text;
  std::string where;     // the file and field, for errors
  std::int32_t id = -1;  // -1: that of another mention, or of the vocabulary
  bool special = false;
  std::optional<bool> lstrip{};      // the white space before it belongs to it
  std::optional<bool> rstrip{};      // the white space after it belongs to it
  bool single_word = false;          // it is not looked for inside words
  std::optional<bool> normalized{};  // it is normalized, and looked for in normalized text; unset: if not special
};

/// A token to look for, its id settled.
struct searched_token {
  std::string text;
  std::int32_t id;
  bool lstrip;
  bool rstrip;
  bool normalized;
  bool single_word = false;
};

/// Finds tokens in a text: from the left, the longest one where several start at the same place.
/// Tested: tests/text/added_tokens_test.cpp
class token_finder {
 public:
  /// IS_SPACE: which code points lstrip and rstrip remove.
  explicit token_finder(std::vector<searched_token> tokens = {}, bool (*is_space)(std::int32_t) = detail::is_white_space);

  bool empty() const noexcept { return lengths_.empty(); }

  /// Calls, in order, ON_TEXT(stretch, not empty) and ON_TOKEN(id, stretch) for all of TEXT, which is valid UTF-8. A token's stretch has
  /// the white space that belongs to it.
  template <class OnText, class OnToken>
  void split(std::string_view text, OnText on_text, OnToken on_token) const {
    std::size_t begin = 0;  // of the text since the last token
    for (std::size_t at = 0; !empty() && at < text.size();) {
      const searched_token* found = starts_[static_cast<unsigned char>(text[at])] ? find(text.substr(at)) : nullptr;
      if (found == nullptr) {
        ++at;
        continue;
      }
      const std::size_t end = at + found->text.size();
      if (!found->single_word || stands_alone(text, at, end)) {
        std::size_t first = at, last = end;
        if (found->lstrip) first = std::max(strip_right(text.substr(0, at), is_space_).size(), begin);
        if (found->rstrip) last = text.size() - strip_left(text.substr(end), is_space_).size();
        if (begin < first) on_text(text.substr(begin, first - begin));
        on_token(found->id, text.substr(first, last - first));
        begin = last;  // a token may start with the space before
      }
      at = end;
    }
    if (begin < text.size()) on_text(text.substr(begin));
  }

 private:
  const searched_token* find(std::string_view text) const;

  /// Whether neither the character before byte BEGIN nor the one at END is one of a word.
  static bool stands_alone(std::string_view text, std::size_t begin, std::size_t end);

  std::vector<searched_token> tokens_;
  detail::string_table indices_;
  std::array<bool, 256> starts_{};
  std::vector<std::size_t> lengths_;  // descending
  bool (*is_space_)(std::int32_t);
};

/// What the mentions of tokens come to.
struct settled_tokens {
  std::vector<searched_token> searched;
  std::vector<std::string> beyond;  // those that the vocabulary lacks: number I has the id `pieces.size()` + I
};

/// Gives every token of MENTIONS one id, that of PIECES or one beyond them; one without an id gets the next, in the order of the mentions.
/// STRIP: what lstrip and rstrip are where no mention says.
/// @throws format_error  a token with two ids, or with one that another has; ids beyond PIECES with a gap between
/// Tested: tests/text/added_tokens_test.cpp
settled_tokens settle(const vocabulary& pieces, const std::vector<added_token>& mentions, bool strip);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/added_tokens-inl.hpp"  // IWYU pragma: export
#endif
