#pragma once
// Tokens that stand beside a vocabulary or are looked for in a text before it is cut: special tokens, and those that a user added.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/text/utf8.hpp"
#include "graft/text/vocabulary.hpp"

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
  explicit token_finder(std::vector<searched_token> tokens = {}, bool (*is_space)(std::int32_t) = detail::is_white_space)
      : tokens_(std::move(tokens)), places_(tokens_.size()), is_space_(is_space) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const auto& text = tokens_[i].text;
      if (text.empty() || !places_.insert(text, static_cast<std::int32_t>(i))) continue;
      starts_[static_cast<unsigned char>(text[0])] = true;
      lengths_.push_back(text.size());
    }
    std::ranges::sort(lengths_, std::greater<>());
    lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());  // std::ranges::unique is too much for Clang 14
  }

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
  const searched_token* find(std::string_view text) const {
    for (const auto length : lengths_) {
      const auto place = length <= text.size() ? places_.find(text.substr(0, length)) : -1;
      if (place >= 0) return &tokens_[static_cast<std::size_t>(place)];
    }
    return nullptr;
  }

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
inline settled_tokens settle(const vocabulary& pieces, const std::vector<added_token>& mentions, bool strip) {
  std::map<std::string, std::int32_t> ids;
  std::map<std::int32_t, const added_token*> beyond;
  for (const auto& token : mentions) {
    if (token.text.empty()) throw format_error(token.where, "an added token is empty");
    if (token.id < 0) continue;
    const auto piece = pieces.find(token.text);
    const auto id = ids.emplace(token.text, piece >= 0 ? piece : token.id).first->second;
    const auto fail = [&](const std::string& reason) {
      throw format_error(token.where, "\"" + token.text + "\" has id " + std::to_string(token.id) + reason);
    };
    if (id != token.id) fail(", but " + std::to_string(id) + " elsewhere");
    if (piece >= 0) continue;
    if (id < pieces.size()) {
      fail(pieces.piece(id).empty() ? ", which lies within the vocabulary and is no piece's"
                                    : ", which \"" + pieces.piece(id) + "\" has already");
    }
    const auto other = beyond.emplace(id, &token).first->second;
    if (other->text != token.text) fail(", which \"" + other->text + "\" has already");
  }
  settled_tokens result;
  for (const auto& [id, token] : beyond) {
    if (id != pieces.size() + std::ssize(result.beyond)) {
      throw format_error(token->where, "\"" + token->text + "\" has id " + std::to_string(id) + ", but the vocabulary has " +
                                           std::to_string(pieces.size()) + " pieces, and ids go on from there without gaps");
    }
    result.beyond.push_back(token->text);
  }
  for (const auto& token : mentions) {
    if (pieces.find(token.text) >= 0 || !ids.emplace(token.text, pieces.size() + std::ssize(result.beyond)).second) continue;
    result.beyond.push_back(token.text);
  }
  std::map<std::string, added_token> merged;
  for (const auto& token : mentions) {
    added_token& all = merged[token.text];
    all.special |= token.special;
    if (token.lstrip) all.lstrip = token.lstrip;
    if (token.rstrip) all.rstrip = token.rstrip;
    if (token.normalized) all.normalized = token.normalized;
    const auto known = ids.find(token.text);
    all.id = known != ids.end() ? known->second : pieces.find(token.text);
  }
  for (const auto& [text, token] : merged) {
    const bool normalized = token.normalized.value_or(!token.special);
    result.searched.push_back({text, token.id, token.lstrip.value_or(strip), token.rstrip.value_or(strip), normalized});
  }
  return result;
}

}  // namespace graft
