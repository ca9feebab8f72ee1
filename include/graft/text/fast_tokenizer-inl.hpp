#pragma once
// Bodies of graft/text/fast_tokenizer.hpp.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "graft/core/compiled.hpp"
#include "graft/text/fast_tokenizer.hpp"

namespace graft::detail {

/// Puts what CONFIG says of lower case, accents, ideographs and the space in front into a tokenizer.json, as transformers does.
GRAFT_INLINE void heed(const tokenizer_config& config, json& file) {
  const auto part = [&](const char* field, const char* type) -> json* {
    auto found = file.find(field);
    return found != file.end() && found->is_object() && found->value("type", json()) == type ? &*found : nullptr;
  };
  if (json* bert = part("normalizer", "BertNormalizer")) {
    if (config.tokenize_chinese_chars) (*bert)["handle_chinese_chars"] = *config.tokenize_chinese_chars;
    if (config.strip_accents) (*bert)["strip_accents"] = *config.strip_accents ? json(**config.strip_accents) : json();
    if (config.do_lower_case) (*bert)["lowercase"] = *config.do_lower_case;
  }
  if (json* bytes = part("pre_tokenizer", "ByteLevel"); bytes != nullptr && config.add_prefix_space) {
    (*bytes)["add_prefix_space"] = *config.add_prefix_space;
  }
}

/// VALUE as the tokenizers library reads it from a file: its decimal digits as one number, times or over a power of ten, both of which
/// round. Source: serde_json without its feature float_roundtrip.
GRAFT_INLINE double read_as_there(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), std::abs(value), std::chars_format::scientific).ptr;
  std::uint64_t digits = 0;
  int exponent = 0;
  const char* next = text.data();
  for (bool fraction = false; next != end && *next != 'e'; ++next) {
    if (*next == '.') {
      fraction = true;
      continue;
    }
    digits = digits * 10 + static_cast<std::uint64_t>(*next - '0');
    exponent -= fraction;
  }
  int written = 0;
  if (next != end) std::from_chars(next + 1 + (next[1] == '+'), end, written);
  exponent += written;
  if (exponent < -300 || exponent > 300) return value;
  const double power = std::pow(10.0, std::abs(exponent));
  const auto made = exponent < 0 ? static_cast<double>(digits) / power : static_cast<double>(digits) * power;
  return value < 0 ? -made : made;
}

GRAFT_INLINE unigram read_unigram(const json_section& model, std::string& unk_token, bool converted) {
  model.expect_only("Unigram", {"unk_id", "vocab", "byte_fallback"});
  const auto list = model.at("vocab");
  if (!list.value.is_array())
    throw format_error(list.where, "holds a JSON " + std::string(list.value.type_name()) + ", a list was expected");
  std::vector<std::string> pieces;
  std::vector<double> scores;
  for (const auto& entry : list.value) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      throw format_error(list.where,
                         "entry " + std::to_string(pieces.size()) + " is " + shown(entry) + ", a piece and its score were expected");
    }
    pieces.push_back(entry[0].get<std::string>());
    scores.push_back(converted ? entry[1].get<double>() : read_as_there(entry[1].get<double>()));
  }
  unigram_settings settings;
  settings.unk_id = graft::optional(model.value, "unk_id", model.where, -1);
  settings.byte_fallback = graft::optional(model.value, "byte_fallback", model.where, false);
  unigram made(vocabulary::from_list(std::move(pieces), list.where), std::move(scores), settings);
  if (settings.unk_id >= 0) unk_token = made.pieces().piece(settings.unk_id);
  return made;
}

/// The BPE of MODEL; a text of which CUTTER, where it is the one of GPT-2, is not cut before.
GRAFT_INLINE pipeline::word_model read_bpe(const json_section& model, vocabulary pieces, const json_section* cutter,
                                           const std::string& unk_token) {
  model.expect_only("BPE", {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
                            "ignore_merges", "vocab", "merges"});
  model.expect("dropout", {nullptr, 0});
  const auto merges = model.at("merges");
  const bool ignore_merges = graft::optional(model.value, "ignore_merges", model.where, false);
  if (cutter != nullptr) {
    cutter->expect_only("ByteLevel", {"add_prefix_space", "trim_offsets", "use_regex"});
    byte_level_settings settings;
    settings.add_prefix_space = cutter->get<bool>("add_prefix_space");
    settings.use_regex = graft::optional(cutter->value, "use_regex", cutter->where, true);
    settings.ignore_merges = ignore_merges;
    settings.unk_token = unk_token;
    return byte_level_bpe(std::move(pieces), merges.value, merges.where, settings);
  }
  bpe_settings settings;
  settings.unk_token = unk_token;
  settings.fuse_unk = graft::optional(model.value, "fuse_unk", model.where, false);
  settings.byte_fallback = graft::optional(model.value, "byte_fallback", model.where, false);
  settings.ignore_merges = ignore_merges;
  settings.continuing_subword_prefix = graft::optional(model.value, "continuing_subword_prefix", model.where, std::string());
  settings.end_of_word_suffix = graft::optional(model.value, "end_of_word_suffix", model.where, std::string());
  return bpe(std::move(pieces), merges.value, merges.where, settings);
}

GRAFT_INLINE wordpiece read_wordpiece(const json_section& model, vocabulary pieces, const json_section& normalizer, bool bert) {
  model.expect_only("WordPiece", {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"});
  wordpiece_settings settings;
  settings.unk_token = model.get<std::string>("unk_token");
  settings.continuing_subword_prefix = model.get<std::string>("continuing_subword_prefix");
  settings.max_input_chars_per_word = model.get<std::size_t>("max_input_chars_per_word");
  if (bert) {
    normalizer.expect_only("BertNormalizer", {"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
    settings.clean_text = normalizer.get<bool>("clean_text");
    settings.drop_unassigned = false;
    settings.handle_chinese_chars = normalizer.get<bool>("handle_chinese_chars");
    settings.strip_accents = stated<bool>(normalizer.value, "strip_accents", normalizer.where);
    settings.lower_case = normalizer.get<bool>("lowercase");
  }
  return wordpiece(std::move(pieces), settings);
}

/// How FILE, a tokenizer.json, or one CONVERTED from another file, cuts text.
GRAFT_INLINE tokenizer_model read_model(const json_section& file, std::string& unk_token, bool converted) {
  const auto model = file.at("model"), normalizing = file.at("normalizer"), cutting = file.at("pre_tokenizer");
  model.expect("type", {"BPE", "Unigram", "WordPiece", "WordLevel"});
  const auto type = model.type();
  const auto is = [](const json_section& part, const char* name) {
    return part.value.is_object() && part.value.value("type", json()) == name;
  };
  if (type == "Unigram") {
    auto made = read_unigram(model, unk_token, converted);
    return pipeline(normalizer(normalizing), pre_tokenizer(cutting), std::move(made), false);
  }
  unk_token = graft::optional(model.value, "unk_token", model.where, std::string());
  auto pieces = vocabulary::from_json(model.at("vocab").value, model.at("vocab").where);
  if (type == "WordLevel") {
    model.expect_only("WordLevel", {"unk_token", "vocab"});
    return pipeline(normalizer(normalizing), pre_tokenizer(cutting), word_level(std::move(pieces), unk_token), false);
  }
  if (type == "BPE") {
    const auto unset = [&](const char* field) {
      const auto found = model.at(field).value;
      return found.is_null() || found == "" || found == false;
    };
    const bool bytes = is(cutting, "ByteLevel") && unset("fuse_unk") && unset("byte_fallback") && unset("continuing_subword_prefix") &&
                       unset("end_of_word_suffix");
    auto made = read_bpe(model, std::move(pieces), bytes ? &cutting : nullptr, unk_token);
    if (bytes && normalizing.value.is_null()) return std::get<byte_level_bpe>(std::move(made));
    return pipeline(normalizer(normalizing), bytes ? pre_tokenizer() : pre_tokenizer(cutting), std::move(made), bytes);
  }
  const bool bert = is(normalizing, "BertNormalizer"), bert_words = is(cutting, "BertPreTokenizer");
  if (bert_words) cutting.expect_only("BertPreTokenizer", {});
  auto made = read_wordpiece(model, std::move(pieces), normalizing, bert);
  if (bert && bert_words) return made;
  return pipeline(normalizer(normalizing), bert_words ? pre_tokenizer() : pre_tokenizer(cutting), std::move(made), bert_words);
}

/// Calls VISIT(processor) for POST_PROCESSOR, or each of a sequence of them.
template <class Visit>
void for_each_processor(const json_section& post_processor, Visit visit) {
  const auto& value = post_processor.value;
  if (value.is_object() && value.value("type", json()) == "Sequence") {
    post_processor.for_each("processors", 0, visit);
  } else if (!value.is_null()) {
    visit(post_processor);
  }
}

GRAFT_INLINE span_trimming trimming_of(const json_section& post_processor) {
  span_trimming result;
  for_each_processor(post_processor, [&](const json_section& one) {
    const auto type = one.type();
    if (type != "RobertaProcessing" && type != "ByteLevel") return;
    result.trim |= graft::optional(one.value, "trim_offsets", one.where, true);
    result.add_prefix_space = graft::optional(one.value, "add_prefix_space", one.where, true);
  });
  return result;
}

/// What POST_PROCESSOR puts in front of a single text, and behind it; empty if it is of another form.
GRAFT_INLINE std::vector<std::string> tokens_around(const json& post_processor) {
  std::vector<std::string> around;
  if (!post_processor.is_object()) return around;
  for (const auto* field : {"cls", "sep"}) {
    const json pair = post_processor.value(field, json());
    if (pair.is_array() && !pair.empty() && pair[0].is_string()) around.push_back(pair[0].get<std::string>());
  }
  const json single = post_processor.value("single", json());
  for (const auto& item : single.is_array() ? single : json::array()) {
    const json special = item.is_object() ? item.value("SpecialToken", json()) : json();
    const json id = special.is_object() ? special.value("id", json()) : json();
    if (id.is_string()) around.push_back(id.get<std::string>());
  }
  if (around.size() != 2) around.clear();
  return around;
}

/// The same of it, or of one of a sequence.
GRAFT_INLINE std::vector<std::string> tokens_around(const json_section& section) {
  std::vector<std::string> around;
  for_each_processor(section, [&](const json_section& one) {
    if (auto found = tokens_around(one.value); !found.empty()) around = std::move(found);
  });
  return around;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE fast_tokenizer read_fast_tokenizer(json whole, const std::string& path, const tokenizer_config& config, bool converted) {
  if (!whole.contains("model") || !whole["model"].is_object()) throw format_error(path, "has no \"model\": not a tokenizer.json?");
  if (auto& type = whole["model"]["type"]; type.is_null()) {  // as early files
    type = whole["model"].contains("merges") ? "BPE" : whole["model"]["vocab"].is_array() ? "Unigram" : "WordPiece";
  }
  detail::heed(config, whole);
  const detail::json_section file{whole, path};
  file.expect("version", {nullptr, "1.0"});
  if (const auto truncation = file.at("truncation"); truncation.value.is_object()) truncation.expect("direction", {nullptr, "Right"});

  std::vector<added_token> mentions;
  const std::string where = path + ": \"added_tokens\"";
  for (const auto& value : graft::optional(file.value, "added_tokens", path, json::array())) {
    mentions.push_back(detail::parse_added_token(value, where, false));
    mentions.back().id = required<std::int32_t>(value, "id", where);
  }
  const auto post_processor = file.at("post_processor");
  std::string unk_token;
  auto model = detail::read_model(file, unk_token, converted);
  return {std::move(model),
          std::move(mentions),
          unk_token,
          post_processor.value,
          detail::tokens_around(post_processor),
          detail::trimming_of(post_processor)};
}

}  // namespace graft

namespace graft::detail {

/// The layout of PAIR, the template of two texts.
/// @throws format_error  neither of the two above
GRAFT_INLINE text_layout layout_of(const json& pair, const std::string& cls, const std::string& sep, const std::string& where) {
  std::string found;  // C: cls, S: sep, A, B: the texts
  std::int32_t second_segment = 0;
  for (const auto& item : pair.is_array() ? pair : json::array()) {
    const bool text = item.contains("Sequence");
    const json about = text ? item["Sequence"] : item.is_object() ? item.value("SpecialToken", json()) : json();
    const auto id = required<std::string>(about, "id", where);
    found += text ? id : id == cls ? "C" : id == sep ? "S" : "?";
    if (text && id == "B") second_segment = graft::optional(about, "type_id", where, 0);
  }
  const int separators = found == "CASBS" ? 1 : found == "CASSBS" ? 2 : 0;
  if (separators == 0 || second_segment < 0 || second_segment > 1) {
    throw format_error(where, "lays pairs out otherwise than graft can: " + cls + " A " + sep + " B " + sep + ", or with two " + sep +
                                  " between, and B in segment 0 or 1");
  }
  return {separators, second_segment};
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE text_layout check_post_processor(const json& post_processor, const std::string& path,
                                              const std::pair<std::string, std::int32_t>& cls,
                                              const std::pair<std::string, std::int32_t>& sep, const text_layout& usual) {
  const detail::json_section section{post_processor, path + ": \"post_processor\""};
  if (post_processor.is_null()) return usual;
  const auto refuse = [&](const std::string& found, std::int32_t id) {
    throw format_error(section.where, "puts \"" + found + "\" (id " + std::to_string(id) + ") around a text, graft puts \"" + cls.first +
                                          "\" (" + std::to_string(cls.second) + ") and \"" + sep.first + "\" (" +
                                          std::to_string(sep.second) + "): name them in tokenizer_config.json");
  };
  if (post_processor.is_object() && post_processor.value("type", json()) == "Sequence") {
    text_layout layout = usual;
    detail::for_each_processor(section, [&](const detail::json_section& one) {
      const auto found = check_post_processor(one.value, path, cls, sep, usual);
      if (one.type() != "ByteLevel") layout = found;
    });
    return layout;
  }
  section.expect("type", {"RobertaProcessing", "BertProcessing", "TemplateProcessing", "ByteLevel"});
  const auto type = section.type();
  using named_id = std::pair<std::string, std::int32_t>;
  if (type == "RobertaProcessing" || type == "BertProcessing") {
    if (const auto found = section.get<named_id>("cls"); found != cls) refuse(found.first, found.second);
    if (const auto found = section.get<named_id>("sep"); found != sep) refuse(found.first, found.second);
  }
  if (type == "TemplateProcessing") {
    const auto tokens = section.at("special_tokens");
    for (const auto& [text, token] : tokens.value.items()) {
      for (const auto id : required<std::vector<std::int32_t>>(token, "ids", tokens.where)) {
        if (named_id(text, id) != cls && named_id(text, id) != sep) refuse(text, id);
      }
    }
    if (post_processor.contains("pair"))
      return detail::layout_of(post_processor["pair"], cls.first, sep.first, section.where + ": \"pair\"");
  }
  return type == "RobertaProcessing" ? roberta_layout : type == "BertProcessing" ? bert_layout : usual;
}

}  // namespace graft
