#pragma once
// Bodies of graft/heads/head_options.hpp.

#include "graft/core/compiled.hpp"
#include "graft/encoder/config.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/heads/head_options.hpp"

namespace graft {

GRAFT_INLINE head_options usual_head(const encoder_config& c) {
  return {.act = c.pooler_hidden_act.empty() ? family_of(c.model_type).head_act : parse_activation(c.pooler_hidden_act)};
}

GRAFT_INLINE head_options token_head(const encoder_config& c) {
  head_options o = usual_head(c);
  o.dense_layers = family_of(c.model_type).pre_norm ? 1 : 0;
  o.tokens = true;
  return o;
}

}  // namespace graft
