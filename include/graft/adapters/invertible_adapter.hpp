#pragma once
// What of an adapter stands behind the embeddings.

#include <optional>
#include <string>

#include "graft/adapters/general_adapter.hpp"
#include "graft/adapters/general_options.hpp"
#include "graft/layers/coupling.hpp"

namespace graft {

/// Whether O has a part behind the embeddings.
inline bool is_invertible(const adapter_options& o) {
  return o.kind == general_adapter<f32>::name && parse_general_settings(o.settings).invertible;
}

/// That part in an encoder called MODEL_TYPE; nothing where there is none. Parameters MODEL_TYPE.embeddings.adapter.{f,g}.*
/// @throws config_error  its reduction factor leaves no width
template <class P>
std::optional<coupling<P>> make_invertible(const std::string& model_type, index hidden_size, const adapter_options& o) {
  if (!is_invertible(o)) return std::nullopt;
  return coupling<P>(model_type + ".embeddings.adapter", hidden_size, parse_general_settings(o.settings).invertible_reduction, o.act);
}

}  // namespace graft
