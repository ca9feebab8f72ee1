#pragma once
// Opens the weights of a model wherever Hugging Face puts them: one file or several, safetensors or PyTorch.

#include <string>

#include "graft/io/tensor_source.hpp"

namespace graft {

namespace detail {

/// The tensors of every file that the weight_map of a `*.index.json` names.
inline tensor_source open_shards(const std::string& index_path);

}  // namespace detail

/// Opens the weights at PATH: a safetensors or PyTorch file (told apart by their first bytes), the `*.index.json` of a model cut into
/// several files, or a folder that holds one of model.safetensors, model.safetensors.index.json, pytorch_model.bin,
/// pytorch_model.bin.index.json, or nlprunners' model.p (the first that is there).
/// @throws format_error  nothing of the kind is there, or as safetensors_file and torch_file
tensor_source open_weights(const std::string& path);

tensor_source detail::open_shards(const std::string& index_path);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/weights-inl.hpp"  // IWYU pragma: export
#endif
