#pragma once
// Bodies of graft/text/pre_tokenizer.hpp.

#include <algorithm>
#include <cstddef>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/json_section.hpp"
#include "graft/text/pre_tokenizer.hpp"
#include "graft/text/utf8.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft::detail {

/// Appends to WORDS what a match of TEXT[RANGE] or the text between two becomes. `add` is called for each of them, in their order.
class word_cutter {
 public:
  word_cutter(std::vector<byte_range>& words, split_behavior behavior) : words_(words), first_(words.size()), behavior_(behavior) {}

  void add(byte_range range, bool match) {
    const bool follows = words_.size() > first_;
    bool merge = false;
    switch (behavior_) {
      case split_behavior::removed:
        if (!match) words_.push_back(range);
        return;
      case split_behavior::isolated:
        break;
      case split_behavior::contiguous:
        merge = match == previous_;
        break;
      case split_behavior::merged_with_previous:
        merge = match && !previous_;
        break;
      case split_behavior::merged_with_next:
        merge = !match && previous_;
        break;
    }
    if (merge && follows) {
      words_.back().end = range.end;
    } else {
      words_.push_back(range);
    }
    previous_ = match;
  }

 private:
  std::vector<byte_range>& words_;
  std::size_t first_;
  split_behavior behavior_;
  bool previous_ = false;
};

/// Each code point for which MATCHES is true is a match.
template <class Matches>
void cut_at_characters(std::string_view text, byte_range word, word_cutter cutter, bool invert, Matches matches) {
  std::size_t begin = word.begin;
  for (std::size_t at = word.begin; at < word.end;) {
    const auto [value, bytes] = code_point_at(text, at);
    if (matches(value)) {
      if (begin < at) cutter.add({begin, at}, invert);
      cutter.add({at, at + bytes}, !invert);
      begin = at + bytes;
    }
    at += bytes;
  }
  if (begin < word.end) cutter.add({begin, word.end}, invert);
}

GRAFT_INLINE void cut_at_pattern(std::string_view text, byte_range word, word_cutter cutter, bool invert, const text_pattern& pattern) {
  for (std::size_t at = word.begin; at < word.end;) {
    // The pattern sees the word alone.
    const auto found = pattern.next(text.substr(word.begin, word.end - word.begin), at - word.begin, word.end - word.begin);
    const byte_range match{found.begin + word.begin, found.end + word.begin};
    if (at < match.begin) cutter.add({at, match.begin}, invert);
    if (match.begin < match.end) cutter.add(match, !invert);
    at = match.end;
  }
}

/// `\w+|[^\w\s]+`
GRAFT_INLINE void cut_into_words(std::string_view text, byte_range word, std::vector<byte_range>& words) {
  const auto kind_of = [](std::int32_t value) { return is_word_character(value) ? 'w' : is_white_space(value) ? ' ' : '.'; };
  char before = ' ';
  for (std::size_t at = word.begin; at < word.end;) {
    const auto [value, bytes] = code_point_at(text, at);
    const char kind = kind_of(value);
    if (kind != ' ' && kind == before) {
      words.back().end += bytes;
    } else if (kind != ' ') {
      words.push_back({at, at + bytes});
    }
    before = kind;
    at += bytes;
  }
}

GRAFT_INLINE void apply_metaspace(const pre_tokenizer_step& step, const word_list& in, word_list& out) {
  using prepend = pre_tokenizer_step::prepend;
  const std::string_view mark = step.replacement;
  for (const auto& word : in.words) {
    const auto text = std::string_view(in.text.text).substr(word.begin, word.end - word.begin);
    std::size_t begin = out.text.text.size();
    const auto cut = [&](std::size_t end) {
      if (begin < end) out.words.push_back({begin, end});
      begin = end;
    };
    const bool marked = text.starts_with(' ') || text.starts_with(mark);
    const bool wanted =
        step.prepend_scheme == prepend::always || (step.prepend_scheme == prepend::first && in.text.at(word.begin).begin == 0);
    if (!marked && wanted) out.text.append(mark, in.text.at(word.begin));
    for (std::size_t at = 0; at < text.size();) {
      const bool space = text[at] == ' ';
      if (space || text.substr(at).starts_with(mark)) {
        if (step.split && at > 0) cut(out.text.text.size());
        out.text.append(mark, in.text.at(word.begin + at));
        at += space ? 1 : mark.size();
      }
      std::size_t end = at;
      while (end < text.size() && text[end] != ' ' && (text[end] != mark[0] || !text.substr(end).starts_with(mark))) ++end;
      out.text.copy(in.text, word.begin + at, word.begin + end);
      at = end;
    }
    cut(out.text.text.size());
  }
}

GRAFT_INLINE void apply_byte_level(const pre_tokenizer_step& step, const word_list& in, word_list& out) {
  for (const auto& word : in.words) {
    aligned_text spaced;
    spaced.restart(in.text);
    const bool wanted = step.prepend_scheme == pre_tokenizer_step::prepend::always && in.text.text[word.begin] != ' ';
    if (wanted) spaced.append(std::string_view(" "), in.text.at(word.begin));
    spaced.copy(in.text, word.begin, word.end);
    for (std::size_t at = 0; at < spaced.text.size();) {
      const std::size_t end = step.split ? word_end(spaced.text, at) : spaced.text.size();
      const std::size_t begin = out.text.text.size();
      for (; at < end; ++at) out.text.append(byte_alphabet[static_cast<unsigned char>(spaced.text[at])], spaced.at(at));
      out.words.push_back({begin, out.text.text.size()});
    }
  }
}

GRAFT_INLINE void apply_step(const pre_tokenizer_step& step, const word_list& in, word_list& out) {
  using kind = pre_tokenizer_step::kind;
  const std::string_view text = in.text.text;
  for (const auto& word : in.words) {
    const word_cutter cutter(out.words, step.behavior);
    switch (step.what) {
      case kind::white_space:
        cut_at_characters(text, word, cutter, step.invert, is_white_space);
        break;
      case kind::punctuation:
        cut_at_characters(text, word, cutter, step.invert, is_punctuation);
        break;
      case kind::digits:
        cut_at_characters(text, word, cutter, step.invert, is_numeric);
        break;
      case kind::pattern:
        cut_at_pattern(text, word, cutter, step.invert, step.pattern);
        break;
      case kind::words:
        cut_into_words(text, word, out.words);
        break;
      case kind::metaspace:
      case kind::byte_level:
        break;
    }
  }
}

GRAFT_INLINE split_behavior read_behavior(const json_section& section) {
  const auto name = section.get<std::string>("behavior");
  for (const auto& [known, behavior] :
       {std::pair{"Removed", split_behavior::removed}, std::pair{"Isolated", split_behavior::isolated},
        std::pair{"MergedWithPrevious", split_behavior::merged_with_previous},
        std::pair{"MergedWithNext", split_behavior::merged_with_next}, std::pair{"Contiguous", split_behavior::contiguous}}) {
    if (name == known) return behavior;
  }
  throw format_error(section.where, "\"behavior\" is " + shown(section.value["behavior"]) + ", which graft does not know");
}

GRAFT_INLINE pre_tokenizer_step read_metaspace(const json_section& section) {
  using prepend = pre_tokenizer_step::prepend;
  section.expect_only("Metaspace", {"replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"});
  section.expect("prepend_scheme", {nullptr, "always", "first", "never"});
  const auto scheme = graft::optional(section.value, "prepend_scheme", section.where, std::string("always"));
  pre_tokenizer_step step{.what = pre_tokenizer_step::kind::metaspace};
  step.replacement = section.get<std::string>("replacement");
  if (count_code_points(step.replacement) != 1) {
    throw format_error(section.where, "\"replacement\" is " + shown(section.value["replacement"]) + ", one character was expected");
  }
  step.prepend_scheme = scheme == "first" ? prepend::first : scheme == "never" ? prepend::never : prepend::always;
  if (!graft::optional(section.value, "add_prefix_space", section.where, true)) step.prepend_scheme = prepend::never;
  step.split = graft::optional(section.value, "split", section.where, true);
  return step;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE pre_tokenizer::pre_tokenizer(const detail::json_section& section) {
  if (!section.value.is_null()) read(section, 0);
}

GRAFT_INLINE void pre_tokenizer::read(const detail::json_section& section, int depth) {
  using kind = detail::pre_tokenizer_step::kind;
  using detail::split_behavior;
  const auto type = section.type();
  if (type == "Sequence") {
    section.expect_only(type, {"pretokenizers"});
    section.for_each("pretokenizers", depth, [&](const detail::json_section& one) { read(one, depth + 1); });
  } else if (type == "WhitespaceSplit" || type == "BertPreTokenizer") {
    section.expect_only(type, {});
    steps_.push_back({.what = kind::white_space});
    if (type == "BertPreTokenizer") steps_.push_back({.what = kind::punctuation, .behavior = split_behavior::isolated});
  } else if (type == "Whitespace") {
    section.expect_only(type, {});
    steps_.push_back({.what = kind::words});
  } else if (type == "Punctuation") {
    section.expect_only(type, {"behavior"});
    const auto behavior = section.value.contains("behavior") ? detail::read_behavior(section) : split_behavior::isolated;
    steps_.push_back({.what = kind::punctuation, .behavior = behavior});
  } else if (type == "Digits") {
    section.expect_only(type, {"individual_digits"});
    const bool alone = section.get<bool>("individual_digits");
    steps_.push_back({.what = kind::digits, .behavior = alone ? split_behavior::isolated : split_behavior::contiguous});
  } else if (type == "Split") {
    section.expect_only(type, {"pattern", "behavior", "invert"});
    steps_.push_back({.what = kind::pattern,
                      .behavior = detail::read_behavior(section),
                      .invert = section.get<bool>("invert"),
                      .pattern = detail::read_pattern(section.at("pattern"))});
  } else if (type == "Metaspace") {
    steps_.push_back(detail::read_metaspace(section));
  } else if (type == "ByteLevel") {
    section.expect_only(type, {"add_prefix_space", "trim_offsets", "use_regex"});
    using prepend = detail::pre_tokenizer_step::prepend;
    steps_.push_back({.what = kind::byte_level,
                      .prepend_scheme = section.get<bool>("add_prefix_space") ? prepend::always : prepend::never,
                      .split = graft::optional(section.value, "use_regex", section.where, true)});
  } else {
    throw format_error(section.where,
                       "\"type\" is " + shown(section.value["type"]) +
                           ", graft takes Sequence, Metaspace, ByteLevel, Split, Whitespace, WhitespaceSplit, BertPreTokenizer, "
                           "Punctuation and Digits only");
  }
}

GRAFT_INLINE void pre_tokenizer::apply(detail::word_list& words, detail::word_list& spare) const {
  using kind = detail::pre_tokenizer_step::kind;
  for (const auto& step : steps_) {
    spare.words.clear();
    if (step.what != kind::metaspace && step.what != kind::byte_level) {
      detail::apply_step(step, words, spare);
      std::swap(words.words, spare.words);  // the text stays
      continue;
    }
    spare.text.restart(words.text);
    step.what == kind::metaspace ? detail::apply_metaspace(step, words, spare) : detail::apply_byte_level(step, words, spare);
    std::swap(words, spare);
  }
}

GRAFT_INLINE bool pre_tokenizer::writes_spaces() const {
  return std::ranges::any_of(steps_, [](const auto& step) { return step.what == detail::pre_tokenizer_step::kind::byte_level; });
}

GRAFT_INLINE bool pre_tokenizer::needs_alignment() const {
  return std::ranges::any_of(steps_, [](const auto& step) { return step.prepend_scheme == detail::pre_tokenizer_step::prepend::first; });
}

}  // namespace graft
