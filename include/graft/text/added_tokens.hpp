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
  std::optional<bool> normalized{};  // it is normalized, and looked for in normalized text; unset: if not special
};

/// A token to look for, its id settled.
struct searched_token {
  std::string text;
  std::int32_t id;
  bool lstrip;
  bool rstrip;
  bool normalized;
};

/// Finds tokens in a text: from the left, the longest one where several start at the same place.
/// Tested: tests/text/added_tokens_test.cpp
class token_finder {
 public:
  /// IS_SPACE: which code points lstrip and rstrip remove.
  explicit token_finder(std::vector<searched_token> tokens = {}, bool (*is_space)(std::int32_t) = detail::is_white_space);

  bool empty() const noexcept { return lengths_.empty(); }

  /// Calls, in order, ON_TEXT(stretch, not empty) and ON_TOKEN(id) for all of TEXT, which is valid UTF-8.
  template <class OnText, class OnToken>
  void split(std::string_view text, OnText on_text, OnToken on_token) const {
    std::size_t begin = 0;  // of the text since the last token
    const auto flush = [&](std::size_t end, bool strip) {
      auto stretch = text.substr(begin, std::max(end, begin) - begin);
      if (strip) stretch = strip_right(stretch, is_space_);
      if (!stretch.empty()) on_text(stretch);
    };
    for (std::size_t at = 0; !empty() && at < text.size();) {
      const searched_token* found = starts_[static_cast<unsigned char>(text[at])] ? find(text.substr(at)) : nullptr;
      if (found == nullptr) {
        ++at;
        continue;
      }
      flush(at, found->lstrip);
      on_token(found->id);
      at += found->text.size();
      begin = found->rstrip ? text.size() - strip_left(text.substr(at), is_space_).size() : at;  // a token may start with the space before
    }
    flush(text.size(), false);
  }

 private:
  const searched_token* find(std::string_view text) const;

  std::vector<searched_token> tokens_;
  detail::string_table places_;
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
