#pragma once
// What of an adapter stands behind the embeddings.

#include <optional>
#include <string>

#include "graft/adapters/general_options.hpp"
#include "graft/layers/coupling.hpp"
#include "graft/layers/tensor_names.hpp"

namespace graft {

/// Whether O has a part behind the embeddings.
inline bool is_invertible(const adapter_options& o) { return is_general(o) && parse_general_settings(o.settings).invertible; }

/// That part; nothing where there is none. Parameters PREFIX.{f,g}.*, MODEL_TYPE.embeddings.adapter.{f,g}.* of one adapter.
/// @throws config_error  its reduction factor leaves no width
template <class P>
std::optional<coupling<P>> make_invertible(const std::string& prefix, index hidden_size, const adapter_options& o) {
  if (!is_invertible(o)) return std::nullopt;
  return coupling<P>(prefix, hidden_size, parse_general_settings(o.settings).invertible_reduction, o.act);
}

/// That of the member A of a mix around such an encoder; a fusion's is its first adapter's.
template <class P>
std::optional<coupling<P>> make_mixed_invertible(const std::string& model_type, index hidden_size, const mixed_adapter& a) {
  const std::string member_prefix = model_type + ".embeddings" + tensor_names::member + a.name;
  if (a.kind == tuning_kind::adapter) return make_invertible<P>(member_prefix, hidden_size, a.adapter);
  if (a.kind != tuning_kind::fusion) return std::nullopt;
  return make_invertible<P>(member_prefix + ".adapter_dict." + a.fused.front().name, hidden_size, a.fused.front().adapter);
}

}  // namespace graft
