#pragma once
// Where a trunk and what belongs to it lie.

#include <string>

namespace graft {

struct encoder_config;
struct known_ids;
class tokenizer;

/// Where an encoder lies: its weights, configuration and vocabulary.
struct trunk_files {
  std::string model_path{};      // flat model file, safetensors, PyTorch file, or a folder with one
  std::string config_path{};     // config.json; "": the one that the flat model file carries
  std::string tokenizer_path{};  // folder; "": none, rows bring their ids
};

/// The config of the trunk F.
/// @throws format_error  as read_encoder_config, model_file_config
encoder_config read_trunk_config(const trunk_files& f);

/// F with what is not given looked for beside the model: its Hugging Face config.json, if there is one, and the vocabulary.
trunk_files find_trunk_files(trunk_files f);

/// The ids and segments that an encoder with C has.
known_ids known_ids_of(const encoder_config& c);

/// The vocabulary in the folder PATH, for the texts of an encoder with the configuration C. Its notes() say what the user should know of,
/// such as that the table has fewer rows than the vocabulary entries: a text that needs one is refused when it comes. Spare rows and
/// another padding id do not matter: texts are not padded.
/// @throws format_error  as tokenizer::from_folder      @throws config_error  it is that of the other family of encoders, and no file says
///                       that this is meant; or the special tokens have no rows
tokenizer read_vocabulary(const std::string& path, const encoder_config& c);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/model/trunk_files-inl.hpp"  // IWYU pragma: export
#endif
