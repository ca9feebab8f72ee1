#pragma once
// Bodies of graft/text/normalizer.hpp.

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/json_section.hpp"
#include "graft/text/normalizer.hpp"
#include "graft/text/utf8.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft::detail {

GRAFT_INLINE byte_range text_pattern::next(std::string_view text_, std::size_t begin, std::size_t end) const {
  const auto whole = text_.substr(0, end);
  switch (what) {
    case kind::string: {
      const auto at = text.empty() ? whole.npos : whole.find(text, begin);
      return at == whole.npos ? byte_range{end, end} : byte_range{at, at + text.size()};
    }
    case kind::spaces: {
      const auto at = std::min(whole.find("  ", begin), end);
      return {at, std::min(whole.find_first_not_of(' ', at), end)};
    }
    case kind::gpt2_words:
      return {begin, begin < end ? word_end(whole, begin) : end};
    case kind::white_space:
      break;
  }
  std::size_t first = end, at = begin;
  for (; at < end;) {
    const auto [value, bytes] = code_point_at(whole, at);
    const bool space = is_white_space(value);
    if (space && first == end) first = at;
    if (!space && first != end) break;
    at += bytes;
  }
  return {first, at};
}

GRAFT_INLINE text_pattern read_pattern(const json_section& section) {
  const auto& value = section.value;
  if (value.is_object() && value.size() == 1 && value.contains("String"))
    return {text_pattern::kind::string, section.get<std::string>("String")};
  const auto regex = section.get<std::string>("Regex");
  constexpr std::string_view gpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  constexpr std::string_view same = R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  if (regex == gpt2 || regex == same) return {text_pattern::kind::gpt2_words, {}};
  if (regex == " {2,}") return {text_pattern::kind::spaces, {}};
  if (regex == "\\s+") return {text_pattern::kind::white_space, {}};
  throw format_error(section.where, "\"Regex\" is " + shown(value["Regex"]) + ", graft takes GPT-2's words, \"\\s+\" and \" {2,}\" only");
}

/// Makes of IN what EACH(value, EMIT) emits of each code point.
template <class Each>
void each_code_point(const aligned_text& in, aligned_text& out, Each each) {
  std::size_t at = 0;
  for_each_code_point(in.text, [&](std::int32_t value, std::string_view bytes) {
    const auto span = in.at(at);
    each(value, [&](std::int32_t made) { out.append(made, span); });
    at += bytes.size();
  });
}

/// Lower case of one code point at a time, without context.
template <class Emit>
void lower(std::int32_t value, Emit emit) {
  emit(lower_case_of(value));
  if (value == 0x130) emit(0x307);  // the one letter that becomes two
}

/// What the Nmt normalizer makes of VALUE, -1: nothing.
GRAFT_INLINE std::int32_t nmt(std::int32_t value) {
  const auto within = [&](std::int32_t first, std::int32_t last) { return value >= first && value <= last; };
  if (within(1, 8) || value == 0xb || within(0xe, 0x1f) || value == 0x7f || value == 0x8f || value == 0x9f) return -1;
  constexpr std::array spaces{0x9, 0xa, 0xc, 0xd, 0x1680, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd};
  return within(0x200b, 0x200f) || std::ranges::find(spaces, value) != spaces.end() ? ' ' : value;
}

GRAFT_INLINE void replace_all(const aligned_text& in, aligned_text& out, const text_pattern& pattern, std::string_view content) {
  for (std::size_t at = 0; at < in.text.size();) {
    const auto found = pattern.next(in.text, at, in.text.size());
    out.copy(in, at, found.begin);
    if (found.begin < found.end) out.append(content, in.before(found.end));
    at = found.end;
  }
}

GRAFT_INLINE void apply_step(const normalizer_step& step, const aligned_text& in, aligned_text& out) {
  using kind = normalizer_step::kind;
  const auto filter = [&](auto is_wanted) {
    each_code_point(in, out, [&](std::int32_t value, auto emit) {
      if (is_wanted(value)) emit(value);
    });
  };
  switch (step.what) {
    case kind::form:
      return append_normal_form(in, step.form, out);
    case kind::map:
      return step.map->apply(in, out);
    case kind::replace:
      return replace_all(in, out, step.pattern, step.content);
    case kind::lower_case:
      return each_code_point(in, out, [](std::int32_t value, auto emit) { lower(value, emit); });
    case kind::strip_accents:
      return filter([](std::int32_t value) { return !is_mark(value); });
    case kind::drop_nonspacing:
      return filter([](std::int32_t value) { return !is_nonspacing(value); });
    case kind::clean:
      return each_code_point(in, out, [&](std::int32_t value, auto emit) {
        if (step.unassigned && utf8proc_category(value) == UTF8PROC_CATEGORY_CN) return;
        if (!is_dropped(value, step.unassigned)) emit(is_white_space(value) ? ' ' : value);
      });
    case kind::nmt:
      return each_code_point(in, out, [](std::int32_t value, auto emit) {
        if (const auto made = nmt(value); made >= 0) emit(made);
      });
    case kind::ideographs:
      return each_code_point(in, out, [&](std::int32_t value, auto emit) {
        const bool alone = is_ideograph(value, step.unassigned);
        if (alone) emit(' ');
        emit(value);
        if (alone) emit(' ');
      });
    case kind::strip: {
      std::string_view text = in.text;
      if (step.left) text = strip_left(text, is_white_space);
      const auto begin = in.text.size() - text.size();
      if (step.right) text = strip_right(text, is_white_space);
      return out.copy(in, begin, begin + text.size());
    }
    case kind::prepend:
      if (!in.text.empty()) out.append(step.content, in.at(0));
      return out.copy(in, 0, in.text.size());
  }
}

GRAFT_INLINE std::vector<normalizer_step> bert_steps(bool clean_text, bool handle_chinese_chars, bool strip_accents, bool lower_case) {
  using kind = normalizer_step::kind;
  std::vector<normalizer_step> steps;
  if (clean_text) steps.push_back({.what = kind::clean});
  if (handle_chinese_chars) steps.push_back({.what = kind::ideographs});
  if (strip_accents) {
    steps.push_back({.what = kind::form, .form = normal_form::nfd});
    steps.push_back({.what = kind::drop_nonspacing});
  }
  if (lower_case) steps.push_back({.what = kind::lower_case});
  return steps;
}

/// The bytes that TEXT stands for in base64.
/// @throws format_error  it is not base64; WHERE names it
GRAFT_INLINE std::string from_base64(std::string_view text, const std::string& where) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::int8_t, 256> value;
  value.fill(-1);
  for (std::size_t i = 0; i < digits.size(); ++i) value[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  const auto end = std::min(text.find('='), text.size());
  for (const char digit : text.substr(0, end)) {
    const auto six = value[static_cast<unsigned char>(digit)];
    if (six < 0) throw format_error(where, "is not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(six);
    if ((held += 6) < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xff);
  }
  if (text.size() % 4 != 0 || text.size() - end > 2 || text.find_first_not_of('=', end) != text.npos)
    throw format_error(where, "is not base64");
  return bytes;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE normalizer::normalizer(const detail::json_section& section) {
  if (!section.value.is_null()) read(section, 0);
}

GRAFT_INLINE normalizer::normalizer(std::vector<detail::normalizer_step> steps) : steps_(std::move(steps)) {}

GRAFT_INLINE void normalizer::read(const detail::json_section& section, int depth) {
  using kind = detail::normalizer_step::kind;
  const auto type = section.type();
  const auto only = [&](const std::vector<std::string>& fields) { section.expect_only(type, fields); };
  for (const auto& [name, form] : {std::pair{"NFC", detail::normal_form::nfc}, std::pair{"NFD", detail::normal_form::nfd},
                                   std::pair{"NFKC", detail::normal_form::nfkc}, std::pair{"NFKD", detail::normal_form::nfkd}}) {
    if (type != name) continue;
    only({});
    steps_.push_back({.what = kind::form, .form = form});
    return;
  }
  if (type == "Sequence") {
    only({"normalizers"});
    section.for_each("normalizers", depth, [&](const detail::json_section& one) { read(one, depth + 1); });
  } else if (type == "Lowercase" || type == "StripAccents" || type == "Nmt") {
    only({});
    steps_.push_back({.what = type == "Nmt" ? kind::nmt : type == "Lowercase" ? kind::lower_case : kind::strip_accents});
  } else if (type == "Replace") {
    only({"pattern", "content"});
    const auto content = section.get<std::string>("content");
    const auto pattern = detail::read_pattern(section.at("pattern"));
    if (pattern.what != detail::text_pattern::kind::string && content.find('$') != content.npos) {
      throw format_error(section.where,
                         "\"content\" is " + shown(section.value["content"]) + ", graft takes it without groups of the match only");
    }
    if (pattern.what == detail::text_pattern::kind::string && pattern.text.empty())
      throw format_error(section.where, "\"pattern\" is empty");
    steps_.push_back({.what = kind::replace, .pattern = pattern, .content = content});
  } else if (type == "Strip") {
    only({"strip_left", "strip_right"});
    steps_.push_back({.what = kind::strip, .left = section.get<bool>("strip_left"), .right = section.get<bool>("strip_right")});
  } else if (type == "Prepend") {
    only({"prepend"});
    steps_.push_back({.what = kind::prepend, .content = section.get<std::string>("prepend")});
  } else if (type == "Precompiled") {
    only({"precompiled_charsmap"});
    const auto where = section.at("precompiled_charsmap").where;
    const auto bytes = detail::from_base64(section.get<std::string>("precompiled_charsmap"), where);
    steps_.push_back({.what = kind::map, .map = std::make_shared<character_map>(bytes, where)});
  } else if (type == "BertNormalizer") {
    only({"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
    const bool lower_case = section.get<bool>("lowercase");
    const bool strip_accents = graft::optional(section.value, "strip_accents", section.where, lower_case);
    for (auto& step :
         detail::bert_steps(section.get<bool>("clean_text"), section.get<bool>("handle_chinese_chars"), strip_accents, lower_case)) {
      steps_.push_back(std::move(step));
    }
  } else {
    throw format_error(section.where,
                       "\"type\" is " + shown(section.value["type"]) +
                           ", graft takes Sequence, Precompiled, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Replace, Strip, "
                           "Prepend, Nmt and BertNormalizer only");
  }
}

GRAFT_INLINE void normalizer::apply(detail::aligned_text& text, detail::aligned_text& spare) const {
  for (const auto& step : steps_) {
    spare.restart(text);
    detail::apply_step(step, text, spare);
    std::swap(text, spare);
  }
}

}  // namespace graft
