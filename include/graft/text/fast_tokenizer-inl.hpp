#pragma once
// Bodies of graft/text/fast_tokenizer.hpp.

#include <algorithm>
#include <cstddef>

#include "graft/core/compiled.hpp"
#include "graft/text/fast_tokenizer.hpp"

namespace graft::detail {

GRAFT_INLINE json_section json_section::at(const std::string& field) const {
  return {value.contains(field) ? value[field] : json(), where + ": \"" + field + "\""};
}

GRAFT_INLINE void json_section::expect(const std::string& field, const std::vector<json>& values) const {
  const json& found = at(field).value;
  if (std::ranges::find(values, found) != values.end()) return;
  std::string wanted;
  for (const auto& one : values) wanted += (wanted.empty() ? "" : " or ") + shown(one);
  // What may be long is named by its type.
  const std::string short_form = !found.is_structured()   ? shown(found)
                                 : found.contains("type") ? "of type " + shown(found["type"])
                                                          : "an " + std::string(found.type_name());
  throw format_error(where, "\"" + field + "\" is " + short_form + ", graft takes " + wanted + " only");
}

GRAFT_INLINE void json_section::expect_only(const std::string& type, const std::vector<std::string>& known) const {
  if (!value.is_object()) throw format_error(where, "is no object, graft takes one of type \"" + type + "\" only");
  expect("type", {type});
  for (const auto& [field, unused] : value.items()) {
    if (field != "type" && std::ranges::find(known, field) == known.end()) {
      throw format_error(where, "has a \"" + field + "\", which graft does not know");
    }
  }
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE fast_tokenizer read_fast_tokenizer(const std::string& path, const tokenizer_config& config) {
  json whole = read_json(path);
  if (!whole.contains("model") || !whole["model"].is_object()) throw format_error(path, "has no \"model\": not a tokenizer.json?");
  if (auto& type = whole["model"]["type"]; type.is_null())
    type = whole["model"].contains("merges") ? "BPE" : "WordPiece";  // as early files
  const detail::json_section file{whole, path};
  const auto model = file.at("model");
  file.expect("version", {nullptr, "1.0"});
  model.expect("type", {"BPE", "WordPiece"});
  if (const auto truncation = file.at("truncation"); truncation.value.is_object()) truncation.expect("direction", {nullptr, "Right"});
  auto pieces = vocabulary::from_json(model.at("vocab").value, model.at("vocab").where);
  const auto cutter = file.at("pre_tokenizer");
  const auto unk_token = graft::optional(model.value, "unk_token", model.where, std::string());

  std::vector<added_token> mentions;
  const std::string where = path + ": \"added_tokens\"";
  for (const auto& value : graft::optional(file.value, "added_tokens", path, json::array())) {
    mentions.push_back(detail::parse_added_token(value, where, false));
    mentions.back().id = required<std::int32_t>(value, "id", where);
  }
  const auto finish = [&](tokenizer_model made) {
    return fast_tokenizer{std::move(made), std::move(mentions), unk_token, file.at("post_processor").value};
  };

  if (model.value["type"] == "BPE") {
    model.expect_only("BPE", {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
                              "ignore_merges", "vocab", "merges"});
    model.expect("dropout", {nullptr, 0});
    model.expect("continuing_subword_prefix", {nullptr, ""});
    model.expect("end_of_word_suffix", {nullptr, ""});
    model.expect("fuse_unk", {nullptr, false});
    model.expect("byte_fallback", {nullptr, false});
    file.expect("normalizer", {nullptr});
    cutter.expect_only("ByteLevel", {"add_prefix_space", "trim_offsets", "use_regex"});
    byte_level_settings settings;
    settings.add_prefix_space = config.add_prefix_space.value_or(cutter.get<bool>("add_prefix_space"));
    settings.use_regex = graft::optional(cutter.value, "use_regex", cutter.where, true);
    settings.ignore_merges = graft::optional(model.value, "ignore_merges", model.where, false);
    settings.unk_token = unk_token;
    return finish(byte_level_bpe(std::move(pieces), model.at("merges").value, model.at("merges").where, settings));
  }
  model.expect_only("WordPiece", {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"});
  cutter.expect_only("BertPreTokenizer", {});
  const auto normalizer = file.at("normalizer");
  normalizer.expect_only("BertNormalizer", {"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
  wordpiece_settings settings;
  settings.clean_text = normalizer.get<bool>("clean_text");
  settings.drop_unassigned = false;
  settings.handle_chinese_chars = config.tokenize_chinese_chars.value_or(normalizer.get<bool>("handle_chinese_chars"));
  settings.strip_accents = config.strip_accents.value_or(detail::stated<bool>(normalizer.value, "strip_accents", normalizer.where));
  settings.lower_case = config.do_lower_case.value_or(normalizer.get<bool>("lowercase"));
  settings.unk_token = model.get<std::string>("unk_token");
  settings.continuing_subword_prefix = model.get<std::string>("continuing_subword_prefix");
  settings.max_input_chars_per_word = model.get<std::size_t>("max_input_chars_per_word");
  return finish(wordpiece(std::move(pieces), settings));
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
  section.expect("type", {"RobertaProcessing", "BertProcessing", "TemplateProcessing", "ByteLevel"});
  const auto type = section.get<std::string>("type");
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
