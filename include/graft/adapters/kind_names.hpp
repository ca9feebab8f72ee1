#pragma once
// The kinds of adapters by name, and settings checked against them.

#include <string>
#include <vector>

#include "graft/adapters/adapter_options.hpp"

namespace graft {

/// The kinds of adapters there are (adapters/adapter_kinds.hpp), in order: "houlsby", "pfeiffer", ...
std::vector<std::string> adapter_kind_names();

/// KIND itself.
/// @throws config_error  it is none of adapter_kind_names()
std::string parse_adapter_kind(const std::string& kind);

/// @throws config_error  the kind of O is none, its size or scaling out of range, its settings none that its kind reads; WHOSE, such as
/// "adapter_" or "the mrpc adapter's ", comes
///                       before what is wrong. LAYERS, if not 0: sizes are not one a layer
void check_adapter(const adapter_options& o, const std::string& whose, index layers = 0);

/// @throws config_error  FUSED are not one or more adapters that all stand at the same sites
void check_fused(const std::vector<mixed_adapter>& fused);

/// @throws config_error  O fuses something else beside adapters, or as check_fused
void check_fusion(const multi_adapter_options& o);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/kind_names-inl.hpp"  // IWYU pragma: export
#endif
