#pragma once
// What a saved adapter, mix or model is, as it stands in its file's metadata.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graft/adapters/adapter_options.hpp"
#include "graft/data/tasks.hpp"
#include "graft/heads/head_options.hpp"

namespace graft {

/// Enough to build the model again around the same trunk, and to name its answers.
struct model_description {
  tuning_kind kind = tuning_kind::unknown;  // but for fusion, of which a mix alone has members; full: no adapters, everything trained
  std::string task_name;
  task_kind output = task_kind::classification;  // of several labels at once, too: see sigmoid; of tags for words as head.tokens
  std::vector<std::string> labels;               // in id order; empty for a regression of one number, and for what is tuned without a head
  bool labels_said = true;                       // if not, they are numbers that stand for whatever the file did not say
  std::optional<index> max_seq_length{};         // at which sequences were cut in training, where that is known
  bool one_separator = false;          // behind a single text, as transformers has it; if not, see featurize() in data/featurize.hpp
  std::string trunk_fingerprint{};     // see fingerprint() in io/model_file.hpp; "": unknown
  multi_adapter_options mix{};         // kind `multi_adapter`
  index num_weight_sets = 1;           // kind `multi_adapter`
  adapter_options adapter{.size = 0};  // kind `adapter`
  bool layer_norms_trained = true;     // kind `adapter`: if not, they are the trunk's, and not in the file
  lora_options lora{};                 // kind `lora`
  head_options head{};                 // what the head is made of, where there is one
  bool as_trained = false;             // of tags for words: texts are cut into words as in training, see featurize_words()
  bool sigmoid = false;                // behind each logit: several labels may hold at once, a regression's number is in (0, 1)
  prefix_options prefix{};             // kind `prefix`
  ia3_options ia3{};                   // kind `ia3`
  std::vector<std::string> modules_to_save{};  // kinds `lora`, `ia3`: tensors of the trunk that are in the file, too

  index num_labels() const;
};

/// What of KIND is tuned for TASK, as far as TASK tells.
model_description describe(tuning_kind kind, const task& t);

/// The metadata of a file that holds what D describes: one member, "graft", a JSON object as text.
std::map<std::string, std::string> to_metadata(const model_description& d);

/// Whether METADATA has the member "graft".
bool has_description(const std::map<std::string, std::string>& metadata);

/// @throws format_error  METADATA, of the file PATH, holds no description or one that is incomplete
model_description parse_description(const std::map<std::string, std::string>& metadata, const std::string& path);

/// @throws format_error  the file PATH was trained on another trunk than the one with FINGERPRINT
void check_trunk(const model_description& d, const std::string& fingerprint, const std::string& path);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/model/description-inl.hpp"  // IWYU pragma: export
#endif
