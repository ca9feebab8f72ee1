#pragma once
// Bodies of graft/heads/head_names.hpp.

#include "graft/core/compiled.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/heads/head_names.hpp"

namespace graft {

GRAFT_INLINE head_names::head_names(const encoder_config& config)
    : dense(family_of(config.model_type).trunk_pooler ? config.model_type + ".pooler.dense" : "classifier.dense"),
      out_proj(family_of(config.model_type).trunk_pooler ? "classifier" : "classifier.out_proj") {}

GRAFT_INLINE std::string head_names::dense_layer(index i) const { return i == 0 ? dense : "classifier.dense_" + std::to_string(i + 1); }
GRAFT_INLINE bool head_names::is_last(const std::string& tensor) const {
  return tensor == out_proj + ".weight" || tensor == out_proj + ".bias";
}
GRAFT_INLINE bool head_names::is_head(const std::string& tensor) const {
  return is_last(tensor) || tensor.starts_with(dense + ".") || is_pooler(tensor) || tensor.starts_with("classifier.dense_");
}

}  // namespace graft
