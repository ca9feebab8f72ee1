#pragma once
// BERT: what the other families are compared with.

#include "graft/encoder/families/family.hpp"

namespace graft::detail {

inline model_family bert_family() {
  return {.name = "bert", .types = {{"bert", "Bert"}}, .trunk_pooler = true, .drops_head_input = false, .vocabulary = "bert"};
}

}  // namespace graft::detail
