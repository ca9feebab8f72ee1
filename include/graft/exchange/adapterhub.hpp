#pragma once
// Folders that AdapterHub's library `adapters` (before it: adapter-transformers) saves of bottleneck adapters and their heads.

#include <string>

#include "graft/exchange/adapter_file.hpp"

namespace graft {

/// Reads the adapter in FOLDER: adapter_config.json, pytorch_adapter.bin or adapter.safetensors, and the head if there is one
/// (head_config.json, pytorch_model_head.bin or model_head.safetensors). Understood are the configurations double_seq_bn and seq_bn,
/// once called houlsby and pfeiffer, with any reduction factor, and the names of every version since the first. The trunk's LayerNorms
/// are not trained there; if graft wrote the folder they may lie beside, in layer_norms.safetensors.
/// @throws format_error  a file is missing or damaged; a field asks for what graft does not compute; a tensor is missing, of another shape
///                       (both are named), or unknown
/// Source: adapter-hub/adapters, configuration/adapter_config.py, methods/modeling.py, loading.py, heads/base.py.
adapter_file read_adapterhub(const std::string& folder, const encoder_config& config);

/// Writes A into FOLDER, which is made if need be, as an adapter called NAME: adapter_config.json, pytorch_adapter.bin, and its head, if it
/// has one. Files of an earlier adapter there are removed. The format has no place for trained LayerNorms.
/// @param layer_norms_beside  write them to layer_norms.safetensors, which graft reads but the library does not
/// @throws config_error  the format has no place for a part of A, or A has trained LayerNorms and LAYER_NORMS_BESIDE is false
/// @throws backend_error  as write_file
void write_adapterhub(const std::string& folder, const adapter_file& a, const encoder_config& config, const std::string& name,
                      bool layer_norms_beside);

namespace detail {

/// Adds labels to D, and to TENSORS the head in FOLDER.
void read_adapterhub_head(const std::string& folder, const encoder_config& config, model_description& d, tensor_source& tensors);

}  // namespace detail
}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/adapterhub-inl.hpp"  // IWYU pragma: export
#endif
