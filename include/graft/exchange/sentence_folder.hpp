#pragma once
// Folders of sentence-transformers: which modules make an embedding of a text, and with what.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/index.hpp"
#include "graft/heads/sentence_embedding.hpp"

namespace graft {

/// A SentenceTransformer, but for its encoder.
struct sentence_folder {
  std::vector<pooling> poolings;                 // their vectors stand side by side
  bool include_prompt = true;                    // in what is pooled
  std::vector<sentence_step> steps{};            // behind pooling
  std::optional<index> max_seq_length{};         // in tokens, where the files say it
  bool lower_case = false;                       // texts, before they are cut
  std::map<std::string, std::string> prompts{};  // what goes in front of a text, by name
  std::string default_prompt{};                  // the name of the one that does where nobody says; "": none
  bool has_modules = false;                      // modules.json was there; without, the mean of all tokens as it is
  std::vector<std::string> notes{};
};

/// Where the encoder of FOLDER lies: FOLDER itself, or the folder in it that its modules.json names first.
/// @throws format_error  modules.json is no list of modules, or names another folder than one inside
std::string sentence_encoder_folder(const std::string& folder);

/// What makes, beside FOLDER's encoder and vocabulary, one of sentence-transformers of them: names and contents of files, modules.json the
/// last, in which the encoder lies here, whatever folder it is in; none where there is no modules.json.
/// @throws format_error  as sentence_encoder_folder
std::vector<std::pair<std::string, std::string>> sentence_files(const std::string& folder);

/// FOLDER around an encoder of HIDDEN_SIZE: modules.json and the modules' configurations and weights, sentence_bert_config.json,
/// config_sentence_transformers.json; tokenizer_config.json for its model_max_length. What is not there is what sentence-transformers takes
/// where it is not there.
/// @throws format_error  naming file and field: a module, or a setting of one, that graft does not compute; sizes that do not fit
/// Source: sentence-transformers, base/model.py and the modules' load().   Tested: tests/exchange/sentence_folder_test.cpp
sentence_folder read_sentence_folder(const std::string& folder, index hidden_size);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/sentence_folder-inl.hpp"  // IWYU pragma: export
#endif
