#pragma once
// What tokenizer_config.json, special_tokens_map.json and added_tokens.json say about a tokenizer.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/json.hpp"
#include "graft/text/added_tokens.hpp"

namespace graft {

/// The five tokens that a tokenizer has names for, in the order in which graft lists them.
inline constexpr std::array special_token_names{"cls_token", "sep_token", "pad_token", "unk_token", "mask_token"};

/// What is unset or empty, the files do not say.
struct tokenizer_config {
  std::string tokenizer_class;                // without "Fast" at its end
  std::string named_in;                       // the file that names it
  std::string model_type;                     // of config.json
  std::string unsupported_cutter;             // a setting of BertJapaneseTokenizer that graft lacks: "\"word_tokenizer_type\" is ..."
  std::array<std::string, 5> special_tokens;  // as special_token_names
  std::vector<added_token> mentions;
  std::optional<bool> do_lower_case;
  std::optional<std::optional<bool>> strip_accents;  // null: as do_lower_case
  std::optional<bool> tokenize_chinese_chars;
  std::optional<bool> add_prefix_space;
  bool split_by_punct = false;
  std::vector<std::string> notes;  // what is not heeded, a line each
};

namespace detail {

/// VALUE is a string, or an object with "content" and flags.
added_token parse_added_token(const json& value, const std::string& where, bool special);

template <class T>
std::optional<T> stated(const json& object, const char* field, const std::string& path) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return required<T>(object, field, path);
}

}  // namespace detail

/// Reads what FOLDER has of the three files; a class that they do not name is the one in the model's config.json, if that lies there. Of
/// tokenizer_config.json, `added_tokens_decoder` has the last word on a token's flags. Of two names for a special token
/// special_tokens_map.json's counts, unless there is an `added_tokens_decoder`. `do_basic_tokenize` and `never_split` are not heeded, as in
/// transformers 5. All that is noted.
/// @throws format_error  a file is broken, or a setting changes ids in a way that graft lacks
/// Tested: tests/text/tokenizer_config_test.cpp
tokenizer_config read_tokenizer_config(const std::string& folder);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/tokenizer_config-inl.hpp"  // IWYU pragma: export
#endif
