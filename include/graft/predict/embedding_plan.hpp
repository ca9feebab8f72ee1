#pragma once
// How a predictor makes embeddings of texts.

#include <optional>
#include <string>
#include <vector>

#include "graft/data/featurize.hpp"
#include "graft/encoder/config.hpp"
#include "graft/exchange/sentence_folder.hpp"
#include "graft/predict/embedding_options.hpp"
#include "graft/text/tokenizer.hpp"

namespace graft::detail {

/// What the model's folder says, as far as O does not say otherwise.
struct embedding_plan {
  /// Of the encoder with CONFIG in MODEL_PATH; TEXTS are cut from now on as the folder says.
  /// @throws format_error  as read_sentence_folder
  /// @throws config_error  there is no prompt of the name that O gives, or more dimensions are asked for than there are
  embedding_plan(const embedding_options& o, const std::string& model_path, const encoder_config& config, std::optional<tokenizer>& texts);

  /// ROW with the prompt in front. The rest as graft::featurize, but texts are taken as they stand.
  /// @throws config_error  a prompt is to stand in front of ready-made ids, or nothing is left of the text behind it
  features featurize(const example& row, const tokenizer& texts, index max_seq_length, bool one_separator) const;

  /// The embedding that becomes of the pooled vector X.
  std::vector<float> embedding_of(Eigen::VectorXd x) const;

  sentence_folder model;
  std::string prompt;
  index skipped = 0;     // of each text's first tokens, which are not pooled
  index dimensions = 0;  // kept
  bool normalize = false;
};

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/predict/embedding_plan-inl.hpp"  // IWYU pragma: export
#endif
