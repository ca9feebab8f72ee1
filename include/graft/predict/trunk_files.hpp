#pragma once
// Where a trunk and what belongs to it lie.

#include <filesystem>
#include <string>

#include "graft/encoder/config.hpp"
#include "graft/io/model_file.hpp"
#include "graft/text/tokenizer.hpp"

namespace graft {

struct trunk_files {
  std::string model_path;      // flat model file, safetensors, PyTorch file, or a folder with one
  std::string config_path;     // config.json; "": the one that the flat model file carries
  std::string tokenizer_path;  // folder; "": none, rows bring their ids
};

/// The config of the trunk F.
/// @throws format_error  as read_encoder_config, model_file_config
inline encoder_config read_trunk_config(const trunk_files& f) {
  if (!f.config_path.empty()) return read_encoder_config(f.config_path);
  return parse_encoder_config(model_file_config(f.model_path), f.model_path);
}

/// F with what is not given looked for beside the model: its Hugging Face config.json, if there is one, and the vocabulary.
inline trunk_files beside_model(trunk_files f) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::is_directory(f.model_path) ? fs::path(f.model_path) : fs::path(f.model_path).parent_path();
  const std::string config = (folder / "config.json").string();
  if (f.config_path.empty() && is_there(config) && read_json(config).contains("hidden_size")) f.config_path = config;
  if (f.tokenizer_path.empty()) f.tokenizer_path = folder.string();
  return f;
}

/// @throws config_error  the vocabulary is larger than the trunk's table of word embeddings, or of the other family of encoders
inline void check_vocabulary(const tokenizer& t, const encoder_config& c, const std::string& tokenizer_path) {
  if (t.size() > c.vocab_size) {
    throw config_error(tokenizer_path + ": the vocabulary has " + std::to_string(t.size()) + " entries, the model only " +
                       std::to_string(c.vocab_size) + ": they do not belong together");
  }
  const std::string family = t.family() == tokenizer_family::roberta ? "roberta" : "bert";
  if (family != c.model_type) {
    throw config_error(tokenizer_path + ": the vocabulary is that of a " + family + " model, the model is a " + c.model_type +
                       ": they do not belong together");
  }
}

}  // namespace graft
