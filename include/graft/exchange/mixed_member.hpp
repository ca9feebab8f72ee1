#pragma once
// A single adapter, low-rank update or what else was tuned as a member of a mix.

#include <string>

#include "graft/exchange/adapter_file.hpp"

namespace graft {

/// What a mix takes of one of its members: load_mixed_adapter's arguments, and what the description of the mix says of it.
struct mixed_member {
  mixed_adapter is;
  tensor_source tensors;  // its own
  tensor_source norms;    // the LayerNorms at the sites
};

/// FILE, which was tuned around TRUNK, an encoder with CONFIG, as the member NAME. Its head stays out, and LayerNorms that it does not hold
/// are the encoder's. DoRA, whose rows  m / |W + s B A| (W + s B A)  depend on W, becomes  g W + s (g B) A,   g = m / |W + s B A|: the
/// same numbers, lora_B being g B and lora_scale g; AdapterHub's (merge_adapter.hpp) likewise, its outputs times g.
/// @throws format_error  it is another mix than a fusion, or a whole model, or was trained with something of the encoder beside it that a
/// mix has no place for
mixed_member as_member(const std::string& name, const adapter_file& file, const tensor_source& trunk);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/mixed_member-inl.hpp"  // IWYU pragma: export
#endif
