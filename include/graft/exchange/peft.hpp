#pragma once
// Folders that PEFT saves of low-rank updates (LoRA, DoRA) and of IA3.

#include <string>
#include <string_view>

#include "graft/exchange/adapter_file.hpp"

namespace graft {

namespace detail {

constexpr std::string_view peft_prefix = "base_model.model.";

}  // namespace detail

/// Reads the low-rank updates or IA3 in FOLDER: adapter_config.json, adapter_model.safetensors or adapter_model.bin, with the head among
/// the saved modules, if there is one; the format has no labels: they are called 0, 1, ...
/// Which layers have an update, and of which rank, is what the tensors say, and so is what else was trained: biases, LayerNorms, ...
/// A scale of alpha / sqrt(r) (use_rslora) becomes the alpha that gives the same. Dropout within the updates, which counts in training
/// only, is left out.
/// @throws format_error  a file is missing or damaged; a field asks for what graft does not compute; a tensor is missing, of another shape
///                       (both are named), or unknown
/// Source: huggingface/peft, tuners/lora/config.py, utils/save_and_load.py.
adapter_file read_peft(const std::string& folder, const encoder_config& config);

/// Writes A into FOLDER, which is made if need be: adapter_config.json and adapter_model.safetensors.
/// @throws config_error  A is neither low-rank nor IA3       @throws backend_error  as write_file
void write_peft(const std::string& folder, const adapter_file& a, const encoder_config& config);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/peft-inl.hpp"  // IWYU pragma: export
#endif
