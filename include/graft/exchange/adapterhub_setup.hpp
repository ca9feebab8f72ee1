#pragma once
// Folders in which AdapterHub's library saves several adapters and how they are put together (save_adapter_setup): fusions.

#include <string>

#include "graft/exchange/adapter_file.hpp"

namespace graft {

/// Whether FOLDER is such a folder: it holds adapter_setup.json.
bool is_adapterhub_setup(const std::string& folder);

/// Reads the fusion in FOLDER, a mix in mode `fusion`: adapter_setup.json, a folder for each adapter, one for the fusion (called A,B:
/// adapter_fusion_config.json, pytorch_model_adapter_fusion.bin or model_adapter_fusion.safetensors), and one for the head.
/// @throws format_error  it is no fusion of single adapters, the fusion asks for what graft does not compute, or as read_adapterhub
/// Source: adapter-hub/adapters, composition.py, configuration/adapter_fusion_config.py, loading.py.
adapter_file read_adapterhub_setup(const std::string& folder, const encoder_config& config);

/// Writes A, such a mix, into FOLDER, its head into the last adapter's.
/// @throws config_error  A is another mix, or a name in it cannot be a folder's       @throws backend_error  as write_file
void write_adapterhub_setup(const std::string& folder, const adapter_file& a, const encoder_config& config);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/adapterhub_setup-inl.hpp"  // IWYU pragma: export
#endif
