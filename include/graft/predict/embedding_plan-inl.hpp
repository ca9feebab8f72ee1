#pragma once
// Bodies of graft/predict/embedding_plan.hpp.

#include <algorithm>
#include <filesystem>

#include "graft/core/compiled.hpp"
#include "graft/core/file.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/data/tasks.hpp"
#include "graft/predict/embedding_plan.hpp"

namespace graft::detail {

/// Where what belongs to the model at PATH lies.
GRAFT_INLINE std::string folder_of_model(const std::string& path) {
  namespace fs = std::filesystem;
  const std::string folder = is_folder(path) ? path : fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

GRAFT_INLINE embedding_plan::embedding_plan(const embedding_options& o, const std::string& model_path, const encoder_config& config,
                                            std::optional<tokenizer>& texts)
    : model(read_sentence_folder(folder_of_model(o.folder.empty() ? model_path : o.folder), config.hidden_size)), normalize(o.normalize) {
  if (!o.poolings.empty()) {
    model.poolings = o.poolings;
    model.steps.clear();
    model.notes.clear();
  }
  if (model.max_seq_length) model.max_seq_length = std::min(*model.max_seq_length, config.max_sequence_length());
  const std::string name = o.prompt_name.empty() ? model.default_prompt : o.prompt_name;
  if (o.prompt) {
    prompt = *o.prompt;
  } else if (const auto found = model.prompts.find(name); found != model.prompts.end()) {
    prompt = found->second;
  } else if (!o.prompt_name.empty()) {
    const auto known = listed(model.prompts, [](const auto& one) { return in_quotes(one.first); });
    throw config_error("prompt_name is \"" + printable(name, 60) + "\", the model has " + (known.empty() ? "no prompts" : known));
  }
  if (!texts && !prompt.empty()) throw config_error("a prompt is to stand in front of texts, but rows bring their ids: ask for no prompt");
  if (texts && model.lower_case) texts->lower_case();
  if (texts && !model.include_prompt && !prompt.empty()) skipped = 1 + std::ssize(texts->encode(prompt));

  index size = config.hidden_size * std::ssize(model.poolings);
  for (const sentence_step& step : model.steps) size = step.what == sentence_step::kind::dense ? step.weight.rows() : size;
  if (o.dimensions < 0 || o.dimensions > size)
    throw config_error("dimensions is " + std::to_string(o.dimensions) + ", the model's embeddings have " + std::to_string(size));
  dimensions = o.dimensions > 0 ? o.dimensions : size;
}

GRAFT_INLINE features embedding_plan::featurize(const example& row, const tokenizer& texts, index max_seq_length,
                                                bool one_separator) const {
  if (prompt.empty()) return graft::featurize(row, texts, max_seq_length, one_separator, false);
  if (!row.input_ids.empty()) throw config_error("brings its ids, in front of which no prompt can stand: give texts, or ask for no prompt");
  example with_prompt;
  with_prompt.text_a = prompt + row.text_a;
  with_prompt.text_b = row.text_b;
  features made = graft::featurize(with_prompt, texts, max_seq_length, one_separator, false);
  if (std::ssize(made.input_ids) <= skipped) {
    throw config_error("is cut at " + std::to_string(max_seq_length) +
                       " tokens, which the prompt takes alone: nothing is left of the text");
  }
  return made;
}

GRAFT_INLINE std::vector<float> embedding_plan::embedding_of(Eigen::VectorXd x) const {
  apply_steps(model.steps, x);
  x.conservativeResize(dimensions);
  if (normalize) normalize_length(x);
  const Eigen::VectorXf numbers = x.cast<float>();
  return {numbers.begin(), numbers.end()};
}

}  // namespace graft::detail
