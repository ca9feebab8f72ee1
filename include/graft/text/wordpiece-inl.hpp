#pragma once
// Bodies of graft/text/wordpiece.hpp.

#include <algorithm>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/utf8.hpp"
#include "graft/text/normalizer.hpp"
#include "graft/text/unicode_forms.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft::detail {

GRAFT_INLINE bool is_dropped(std::int32_t value, bool all) {
  if (value < 0x80) return (value < ' ' && value != '\t' && value != '\n' && value != '\r') || value == 0x7f;
  const auto category = utf8proc_category(value);
  if (category < UTF8PROC_CATEGORY_CC || category > UTF8PROC_CATEGORY_CO) return value == 0xfffd;
  return all || !is_in(late_format, value);
}

GRAFT_INLINE bool is_ideograph(std::int32_t value, bool all) {
  constexpr std::array<std::pair<std::int32_t, std::int32_t>, 8> blocks{{{0x4e00, 0x9fff},
                                                                         {0x3400, 0x4dbf},
                                                                         {0x20000, 0x2a6df},
                                                                         {0x2a700, 0x2b73f},
                                                                         {0x2b740, 0x2b81f},
                                                                         {0x2b820, 0x2ceaf},
                                                                         {0xf900, 0xfaff},
                                                                         {0x2f800, 0x2fa1f}}};
  if (!all && value >= 0x2b820 && value <= 0x2b91f) return false;
  return value >= 0x3400 && std::ranges::any_of(blocks, [=](auto block) { return value >= block.first && value <= block.second; });
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE wordpiece::wordpiece(vocabulary pieces, const wordpiece_settings& settings)
    : vocabulary_(std::move(pieces)),
      continuations_(static_cast<std::size_t>(vocabulary_.size())),
      unk_id_(vocabulary_.require(settings.unk_token)),
      settings_(settings),
      strip_accents_(settings.strip_accents.value_or(settings.lower_case)) {
  for (std::int32_t id = 0; id < vocabulary_.size(); ++id) {
    const std::string_view piece = vocabulary_.piece(id);
    longest_ = std::max(longest_, piece.size());
    if (piece.starts_with(settings.continuing_subword_prefix) && vocabulary_.find(piece) == id) {
      continuations_.insert(piece.substr(settings.continuing_subword_prefix.size()), id);
    }
  }
  for (std::int32_t value = 0; value < 128; ++value) {
    char& entry = ascii_[static_cast<std::size_t>(value)];
    entry = static_cast<char>(value);
    if (settings.lower_case) entry = lower_ascii(entry);
    if (settings.clean_text && detail::is_white_space(value)) entry = ' ';
    if (settings.clean_text && detail::is_dropped(value, true)) entry = dropped;
  }
}

GRAFT_INLINE std::string_view wordpiece::normalize(std::string_view text, std::string& buffer) const {
  buffer.clear();
  bool ordered = true;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && detail::is_ascii(text[end])) ++end;
    const std::size_t size = buffer.size();
    buffer.resize(size + (end - at));
    char* next = buffer.data() + size;
    for (; at < end; ++at) {
      *next = ascii_[static_cast<std::size_t>(text[at])];
      next += *next != dropped;
    }
    buffer.resize(static_cast<std::size_t>(next - buffer.data()));
    if (end == text.size()) break;
    const auto [value, bytes] = detail::code_point_at(text, at);
    at += bytes;
    normalize(value, buffer, ordered);
  }
  if (!ordered) {
    detail::aligned_text whole;
    whole.assign(text, 0, false);
    normalize(whole);
    buffer = std::move(whole.text);
  }
  return buffer;
}

GRAFT_INLINE void wordpiece::normalize(detail::aligned_text& text) const {
  auto steps = detail::bert_steps(settings_.clean_text, settings_.handle_chinese_chars, strip_accents_, settings_.lower_case);
  for (auto& step : steps) step.unassigned = settings_.drop_unassigned;
  detail::aligned_text spare;
  normalizer(std::move(steps)).apply(text, spare);
}

GRAFT_INLINE void wordpiece::encode(std::string_view text, detail::piece_list out) const {
  const auto cut_out = [&](std::size_t begin, std::size_t end) {
    cut(text.substr(begin, end - begin), {out.ids, out.ranges, out.word + begin});
  };
  std::size_t begin = 0;  // of the word
  for (std::size_t at = 0; at < text.size();) {
    auto kind = detail::ascii_kinds_of_bert[static_cast<unsigned char>(text[at]) & 0x7f];
    std::size_t end = at + 1;
    if (!detail::is_ascii(text[at])) {
      const auto [value, bytes] = detail::code_point_at(text, at);
      kind = detail::bert_kind_of(value);
      end = at + bytes;
    }
    if (kind != detail::bert_kind::word) {
      if (begin < at) cut_out(begin, at);
      if (kind == detail::bert_kind::punctuation) cut_out(at, end);
      begin = end;
    }
    at = end;
  }
  if (begin < text.size()) cut_out(begin, text.size());
}

GRAFT_INLINE void wordpiece::normalize(std::int32_t value, std::string& buffer, bool& ordered) const {
  if (settings_.clean_text && detail::is_dropped(value, settings_.drop_unassigned)) return;
  if (settings_.clean_text && settings_.drop_unassigned && utf8proc_category(value) == UTF8PROC_CATEGORY_CN) return;
  if (settings_.clean_text && detail::is_white_space(value)) {
    buffer += ' ';
    return;
  }
  const bool alone = settings_.handle_chinese_chars && detail::is_ideograph(value, settings_.drop_unassigned);
  if (alone) buffer += ' ';
  const auto add = [&](std::int32_t part) {
    detail::append_code_point(buffer, settings_.lower_case ? detail::lower_case_of(part) : part);
    if (settings_.lower_case && part == 0x130) detail::append_code_point(buffer, 0x307);  // the one letter that becomes two
  };
  if (!strip_accents_) {
    add(value);
  } else {
    detail::decompose(value, false, [&](std::int32_t part) {
      if (detail::is_nonspacing(part)) return;
      ordered &= detail::combining_class(part) == 0;
      add(part);
    });
  }
  if (alone) buffer += ' ';
}

GRAFT_INLINE void wordpiece::cut(std::string_view word, detail::piece_list out) const {
  const auto starts_character = [](char byte) { return !is_continuation_byte(byte); };
  const std::size_t before = out.ids.size();
  const std::size_t most = settings_.max_input_chars_per_word;
  bool known = word.size() <= most || static_cast<std::size_t>(std::ranges::count_if(word, starts_character)) <= most;
  for (std::size_t begin = 0; known && begin < word.size();) {
    std::int32_t id = -1;
    std::size_t length = std::min(longest_, word.size() - begin);
    for (; length > 0; --length) {
      if (begin + length < word.size() && !starts_character(word[begin + length])) continue;
      const auto piece = word.substr(begin, length);
      id = begin == 0 ? vocabulary_.find(piece) : continuations_.find(piece);
      if (id >= 0) break;
    }
    known = id >= 0;
    out.push(id, begin, begin + length);
    begin += length;
  }
  if (known) return;
  if (out.ranges != nullptr) out.ranges->resize(out.ranges->size() - (out.ids.size() - before));
  out.ids.resize(before);
  out.push(unk_id_, 0, word.size());
}

}  // namespace graft
