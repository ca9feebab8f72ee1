#pragma once
// Low-rank updates and IA3 in the files of AdapterHub's library.

#include <string>

#include "graft/core/json_fwd.hpp"
#include "graft/encoder/config.hpp"
#include "graft/exchange/adapter_file.hpp"

namespace graft::detail {

/// Whether ABOUT, an adapter_config.json, is that of a LoRAConfig, of which the library's IA3, DoRA and VeRA are forms.
bool is_adapterhub_lora(const json& about);

/// Kind "lora" or, of scales (`composition_mode` "scale"), "ia3".
/// @throws format_error  a field of ABOUT asks for what graft does not compute
model_description describe_adapterhub_lora(const json& about, const encoder_config& config, const std::string& path);

/// Graft's tensors of what D describes, called ADAPTER in STORED, whose names are canonical, and in ABOUT, the adapter_config.json.
/// @throws format_error  a tensor is missing, unknown or of another shape
tensor_source lora_from_adapterhub(const tensor_source& stored, const std::string& adapter, const encoder_config& config,
                                   const model_description& d, const json& about);

/// The library's name of graft's tensor NAME: "....loras.ADAPTER.lora_A".
std::string adapterhub_lora_name(const std::string& name, const std::string& adapter);

/// The fields of a LoRAConfig that are read back to what A describes.
/// @throws config_error  the library has no such setting: a rank, scale or choice of layers of each projection's own
ordered_json lora_configuration(const adapter_file& a, const encoder_config& config);

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/adapterhub_lora-inl.hpp"  // IWYU pragma: export
#endif
