#pragma once
// RoBERTa, and what has its encoder with other vocabularies: XLM-R, CamemBERT.

#include "graft/encoder/families/family.hpp"

namespace graft::detail {

inline model_family roberta_family() {
  return {.name = "roberta",
          .types = {{"roberta", "Roberta"}, {"xlm-roberta", "XLMRoberta"}, {"camembert", "Camembert"}, {"distilroberta", "Roberta"}},
          .pad_token_id = 1,
          .positions_after_padding = true,
          .vocabulary = "roberta"};
}

}  // namespace graft::detail
