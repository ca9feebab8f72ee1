#pragma once
// Opens an adapter, or whatever else was tuned, whichever program saved it.

#include <optional>
#include <string>

#include "graft/exchange/adapter_file.hpp"

namespace graft {

/// What graft saved in STORED, of any kind. Of a file that holds the trunk, too, what was not tuned is left out.
/// @throws format_error  a tensor that the description promises is missing or has another shape, or one is not described
adapter_file read_graft(const tensor_source& stored, const encoder_config& config);

namespace detail {

/// The file that PATH is, or that the folder PATH holds.
/// @throws format_error  there is none
std::string file_at(const std::string& path);

/// The adapter in the folder PATH, if AdapterHub's library or PEFT saved one there.
std::optional<adapter_file> open_library_adapter(const std::string& path, const encoder_config& config);

/// What is at PATH if it says of itself what it is. Else STORED becomes the file, which is opened once.
std::optional<adapter_file> open_known(const std::string& path, const encoder_config& config, tensor_source& stored);

}  // namespace detail

/// Whatever was tuned around an encoder with CONFIG, at PATH. By what is there:
///   a folder with adapter_config.json                   PEFT's if it names a peft_type, else AdapterHub's
///   a folder with model.safetensors or model.p          that file
///   a safetensors file that says what it is             graft's: an adapter, a low-rank update, a mix, a whole tuned model or a head
///   an encoder with a head, and its config.json         a whole tuned model of Hugging Face's
///   another safetensors file, or one of torch.save      nlprunners'
/// @throws format_error  none of these, or as the reader of that format
adapter_file open_tuned(const std::string& path, const encoder_config& config);

/// As open_tuned, where a single adapter or low-rank update is needed.
/// @throws format_error  it is a mix or a whole model, or as open_tuned
adapter_file open_adapter(const std::string& path, const encoder_config& config);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/open_adapter-inl.hpp"  // IWYU pragma: export
#endif
