#pragma once
// Prefix tuning in the files of AdapterHub's library.

#include <string>

#include "graft/core/json_fwd.hpp"
#include "graft/encoder/config.hpp"
#include "graft/exchange/adapter_file.hpp"

namespace graft::detail {

/// Whether ABOUT, an adapter_config.json, is that of a prefix.
bool is_adapterhub_prefix(const json& about);

/// @throws format_error  a field of ABOUT asks for what graft does not compute
model_description describe_adapterhub_prefix(const json& about, const encoder_config& config, const std::string& path);

/// The fields of a PrefixTuningConfig that are read back to O.
ordered_json prefix_configuration(const prefix_options& o);

/// Graft's tensors of the prefix called ADAPTER in STORED, whose names are canonical. There the prefixes of all layers are one tensor,
/// which every layer repeats.
/// @throws format_error  a tensor is missing, unknown or of another shape, or a layer repeats something else
tensor_source prefix_from_adapterhub(const tensor_source& stored, const std::string& adapter, const encoder_config& config,
                                     const prefix_options& o);

/// The way back: OURS holds graft's tensors, and perhaps others.
tensor_source prefix_to_adapterhub(const tensor_source& ours, const std::string& adapter, const encoder_config& config,
                                   const prefix_options& o);

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/adapterhub_prefix-inl.hpp"  // IWYU pragma: export
#endif
