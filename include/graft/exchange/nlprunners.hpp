#pragma once
// The single adapters of nlprunners, in which they were first trained: a dict of tensors in a model.p, or any file with the same names.

#include <string>

#include "graft/exchange/adapter_file.hpp"

namespace graft {

/// Takes the adapter out of FILE. What it is comes from its tensors: size and place of the adapters, whether LayerNorms were trained, and
/// how many labels there are, which are called 0, 1, ...; its activation is taken to be GELU, the only one there. A head of which the last
/// layer was not saved, as some of its versions did, is left out, and so is RoBERTa's pooler.
/// @throws format_error  no adapter in it; a tensor that is missing, of another shape, or unknown
adapter_file read_nlprunners(const tensor_source& file, const encoder_config& config);
/// The same of the file PATH.
/// @throws format_error  as open_weights, too
adapter_file read_nlprunners(const std::string& path, const encoder_config& config);

/// Writes A to PATH as nlprunners saves an adapter, for torch.load; the folder is made if need be. Every LayerNorm belongs to it:
/// those that were not trained are taken from TRUNK.
/// @throws config_error  nlprunners cannot compute A: low-rank, behind the LayerNorm, not GELU; LayerNorms are needed and TRUNK is
/// nullptr
/// @throws backend_error  as torch_writer::write
void write_nlprunners(const std::string& path, const adapter_file& a, const encoder_config& config, const tensor_source* trunk);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/nlprunners-inl.hpp"  // IWYU pragma: export
#endif
