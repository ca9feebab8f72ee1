#pragma once
// Bodies of graft/model/trunk_files.hpp.

#include <algorithm>
#include <filesystem>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/config.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/trunk_files.hpp"
#include "graft/text/tokenizer.hpp"

namespace graft {

GRAFT_INLINE encoder_config read_trunk_config(const trunk_files& f) {
  if (!f.config_path.empty()) return read_encoder_config(f.config_path);
  return parse_encoder_config(model_file_config(f.model_path), f.model_path);
}

GRAFT_INLINE trunk_files find_trunk_files(trunk_files f) {
  namespace fs = std::filesystem;
  const fs::path folder = is_folder(f.model_path) ? fs::path(f.model_path) : fs::path(f.model_path).parent_path();
  const std::string config = (folder / "config.json").string();
  const auto of_export = [](const json& object) { return object.contains("model_path"); };  // names the model and is none's
  if (f.config_path.empty() && is_there(config) && !of_export(read_json(config))) f.config_path = config;
  if (f.tokenizer_path.empty()) f.tokenizer_path = folder.string();
  return f;
}

GRAFT_INLINE known_ids known_ids_of(const encoder_config& c) {
  return {static_cast<std::int32_t>(c.vocab_size), c.pad_token_id, static_cast<std::int32_t>(std::max(index{1}, c.type_vocab_size))};
}

GRAFT_INLINE tokenizer read_vocabulary(const std::string& path, const encoder_config& c) {
  auto t = tokenizer::from_folder(path);
  const std::string family = t.family() == tokenizer_family::roberta ? "roberta" : "bert";
  const auto usual = family_of(c.model_type).vocabulary;
  if (!usual.empty() && family != usual && t.named_class().empty()) {
    throw config_error(path + ": the vocabulary is that of a " + family + " model, the model is a " + c.model_type +
                       ": they do not belong together (if they do, name the tokenizer_class in a tokenizer_config.json)");
  }
  const known_ids tables = known_ids_of(c);
  const auto rows = tables.count;
  for (const auto id : {t.cls_id(), t.sep_id()}) {
    if (id < rows) continue;
    throw config_error(path + ": \"" + t.token(id) + "\" has id " + std::to_string(id) + ", the model's table has " + std::to_string(rows) +
                       " rows: they do not belong together");
  }
  if (c.model_type == "bert" && tables.segments < 2 && t.layout().second_segment > 0) {
    t.note(path + ": is for two kinds of segments, the model has one (\"type_vocab_size\" is 1): both texts of a pair are segment 0");
  }
  t.fit(tables);
  for (auto id = t.size() - 1; id >= rows; --id) {
    if (t.token(id).empty()) continue;  // a blank line
    t.note(path + ": the vocabulary goes on to id " + std::to_string(id) + ", the model has rows for 0 to " + std::to_string(rows - 1) +
           ": a text that needs more is refused");
    break;
  }
  return t;
}

}  // namespace graft
