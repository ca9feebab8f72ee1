#pragma once
// Bodies of graft/text/tokenizer_config.hpp.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/text/tokenizer_config.hpp"

namespace graft::detail {

GRAFT_INLINE added_token parse_added_token(const json& value, const std::string& where, bool special) {
  added_token token{.text = {}, .where = where, .special = special};
  if (value.is_string()) {
    token.text = value.get<std::string>();
    return token;
  }
  token.text = required<std::string>(value, "content", where);
  token.special = graft::optional(value, "special", where, special);
  token.lstrip = graft::optional(value, "lstrip", where, false);
  token.rstrip = graft::optional(value, "rstrip", where, false);
  token.normalized = graft::optional(value, "normalized", where, !token.special);
  token.single_word = graft::optional(value, "single_word", where, false);
  return token;
}

/// The special tokens that OBJECT, a tokenizer_config.json or special_tokens_map.json, names. Where CONFIG has another name already,
/// OVERRULES says which counts.
GRAFT_INLINE void read_special_tokens(const json& object, const std::string& path, tokenizer_config& config, bool overrules) {
  const auto mention = [&](const json& value, const std::string& field) {
    return config.mentions.emplace_back(parse_added_token(value, path + ": \"" + field + "\"", true)).text;
  };
  const auto has = [&](const char* field) { return object.contains(field) && !object[field].is_null(); };
  for (std::size_t i = 0; i < special_token_names.size(); ++i) {
    const auto* field = special_token_names[i];
    if (!has(field)) continue;
    auto& known = config.special_tokens[i];
    const auto text = parse_added_token(object[field], path + ": \"" + field + "\"", true).text;
    if (!known.empty() && known != text) {
      config.notes.push_back(path + ": \"" + field + "\" is \"" + text + "\", but \"" + known +
                             "\" in special_tokens_map.json: " + (overrules ? "the first" : "the latter") + " counts, as in transformers");
      if (!overrules) continue;
      std::erase_if(config.mentions,
                    [&](const added_token& one) { return one.text == known && one.where.ends_with("\"" + std::string(field) + "\""); });
    }
    known = mention(object[field], field);
  }
  for (const auto* field : {"bos_token", "eos_token"}) {
    if (has(field)) mention(object[field], field);
  }
  for (const auto* field : {"additional_special_tokens", "extra_special_tokens"}) {
    if (!has(field)) continue;
    if (!object[field].is_structured()) throw format_error(path, "\"" + std::string(field) + "\" is no list of tokens");
    for (const auto& value : object[field]) mention(value, field);
  }
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE tokenizer_config read_tokenizer_config(const std::string& folder) {
  tokenizer_config config;
  const auto read = [&](const char* name, auto&& take) {
    const auto path = (std::filesystem::path(folder) / name).string();
    if (!is_there(path)) return;
    const json object = read_json(path);
    if (!object.is_object()) throw format_error(path, "holds a JSON " + std::string(object.type_name()) + ", an object was expected");
    take(object, path);
  };
  read("added_tokens.json", [&](const json& object, const std::string& path) {
    for (const auto& [text, id] : object.items()) {
      config.mentions.push_back({.text = text, .where = path, .id = required<std::int32_t>(object, text, path)});
    }
  });
  read("special_tokens_map.json",
       [&](const json& object, const std::string& path) { detail::read_special_tokens(object, path, config, false); });
  read("tokenizer_config.json", [&](const json& object, const std::string& path) {
    detail::read_special_tokens(object, path, config, object.contains("added_tokens_decoder"));
    const auto decoder = graft::optional(object, "added_tokens_decoder", path, json::object());
    for (const auto& [key, value] : decoder.items()) {
      const std::string where = path + ": \"added_tokens_decoder\"";
      auto token = detail::parse_added_token(value, where, false);
      const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), token.id);
      if (code != std::errc() || end != key.data() + key.size() || token.id < 0)
        throw format_error(where, "\"" + key + "\" is no token id");
      config.mentions.push_back(std::move(token));
    }
    config.tokenizer_class = graft::optional(object, "tokenizer_class", path, std::string());
    if (!config.tokenizer_class.empty()) config.named_in = path;
    for (const auto& [field, usual] : {std::pair{"word_tokenizer_type", "basic"}, std::pair{"subword_tokenizer_type", "wordpiece"}}) {
      const auto cutter = graft::optional(object, field, path, std::string(usual));
      if (cutter != usual)
        config.unsupported_cutter = '"' + std::string(field) + "\" is \"" + cutter + "\", graft has \"" + usual + "\" only";
    }
    const auto side = graft::optional(object, "truncation_side", path, std::string("right"));
    if (side != "right") throw format_error(path, "\"truncation_side\" is \"" + side + "\", graft cuts long texts on the right only");
    config.do_lower_case = detail::stated<bool>(object, "do_lower_case", path);
    config.tokenize_chinese_chars = detail::stated<bool>(object, "tokenize_chinese_chars", path);
    config.split_by_punct = graft::optional(object, "split_by_punct", path, false);
    config.add_prefix_space = detail::stated<bool>(object, "add_prefix_space", path);
    if (object.contains("strip_accents")) config.strip_accents = detail::stated<bool>(object, "strip_accents", path);
    if (!graft::optional(object, "do_basic_tokenize", path, true)) {
      config.notes.push_back(path + ": \"do_basic_tokenize\" is not heeded, as in transformers 5: text is cut at punctuation");
    }
    if (!graft::optional(object, "never_split", path, json::array()).empty()) {
      config.notes.push_back(path + ": \"never_split\" is not heeded, as in transformers 5: make its words added tokens");
    }
  });
  read("config.json", [&](const json& object, const std::string& path) {
    if (const auto type = object.find("model_type"); type != object.end() && type->is_string())
      config.model_type = type->get<std::string>();
    const auto found = object.find("tokenizer_class");
    if (!config.tokenizer_class.empty() || found == object.end() || !found->is_string()) return;
    config.tokenizer_class = found->get<std::string>();
    config.named_in = path;
  });
  if (config.tokenizer_class.ends_with("Fast")) config.tokenizer_class.resize(config.tokenizer_class.size() - 4);
  return config;
}

}  // namespace graft
