#pragma once
// Bodies of graft/text/added_tokens.hpp.

#include <functional>
#include <map>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/utf8.hpp"
#include "graft/text/added_tokens.hpp"
#include "graft/text/unicode_forms.hpp"

namespace graft {

GRAFT_INLINE token_finder::token_finder(std::vector<searched_token> tokens, bool (*is_space)(std::int32_t))
    : tokens_(std::move(tokens)), indices_(tokens_.size()), is_space_(is_space) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const auto& text = tokens_[i].text;
    if (text.empty() || !indices_.insert(text, static_cast<std::int32_t>(i))) continue;
    starts_[static_cast<unsigned char>(text[0])] = true;
    lengths_.push_back(text.size());
  }
  std::ranges::sort(lengths_, std::greater<>());
  lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());  // std::ranges::unique is too much for Clang 14
}

GRAFT_INLINE const searched_token* token_finder::find(std::string_view text) const {
  for (const auto length : lengths_) {
    const auto found = length <= text.size() ? indices_.find(text.substr(0, length)) : -1;
    if (found >= 0) return &tokens_[static_cast<std::size_t>(found)];
  }
  return nullptr;
}

GRAFT_INLINE bool token_finder::stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const auto in_word = [&](std::size_t at) { return detail::is_word_character(detail::code_point_at(text, at).value); };
  std::size_t before = begin;
  while (before > 0 && is_continuation_byte(text[--before])) continue;
  return (begin == 0 || !in_word(before)) && (end == text.size() || !in_word(end));
}

GRAFT_INLINE settled_tokens settle(const vocabulary& pieces, const std::vector<added_token>& mentions, bool strip) {
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
    all.single_word |= token.single_word;
    if (token.lstrip) all.lstrip = token.lstrip;
    if (token.rstrip) all.rstrip = token.rstrip;
    if (token.normalized) all.normalized = token.normalized;
    const auto known = ids.find(token.text);
    all.id = known != ids.end() ? known->second : pieces.find(token.text);
  }
  for (const auto& [text, token] : merged) {
    const bool normalized = token.normalized.value_or(!token.special);
    result.searched.push_back({text, token.id, token.lstrip.value_or(strip), token.rstrip.value_or(strip), normalized, token.single_word});
  }
  return result;
}

}  // namespace graft
