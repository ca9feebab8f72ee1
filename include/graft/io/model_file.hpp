#pragma once
// The flat model file: a valid safetensors file with aligned tensors, which carries its config. A plain Hugging
// Face file opens the same way.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/fnv1a.hpp"
#include "graft/core/json_fwd.hpp"
#include "graft/core/types.hpp"
#include "graft/io/tensor_source.hpp"

namespace graft {

/// The version of the flat model file that is written, and the only one that is read.
inline constexpr std::string_view model_file_version = "1";

/// The version of packed weights in such a file (model/packed_trunk.hpp), and the fields of its metadata that say which it is, and the
/// fingerprint of their encoder, and the byte_sum of each, a JSON object. Those of another version are not read.
inline constexpr const char* packed_version = "3";
inline constexpr const char* packed_version_field = "graft_packed";
inline constexpr const char* packed_print_field = "graft_packed_of";
inline constexpr const char* packed_sums_field = "graft_packed_sums";

/// The name in a file of the weight NAME as products of FORM read it.
inline std::string packed_name(std::string_view form, const std::string& name) { return "__packed." + std::string(form) + "." + name; }
inline bool is_packed_name(std::string_view name) { return name.starts_with("__packed."); }

/// Writes every tensor of MODEL, a model of the family that CONFIG says, to PATH as a flat model file, as it is stored and called in files,
/// each at a multiple of 64 bytes; those that a trunk does not
/// need, too, whatever they hold. The file's metadata:
///   "graft_format"  model_file_version       "config"  the config.json, as text       "source"  where the weights came from
///   "graft_packed", "graft_packed_of", "graft_packed_sums"  of MODEL, where it has packed weights
///   "format"        "pt", without which Hugging Face's transformers do not open a file
/// @throws backend_error  as safetensors_writer::write
void write_model_file(const std::string& path, const tensor_source& model, const json& config, const std::string& source);

/// Opens the model at PATH, a flat model file or whatever open_weights takes, under canonical names.
/// @param model_type  its family
/// @throws format_error  as open_weights and name_prefix, or the file is of a version that this graft does not read
tensor_source open_model(const std::string& path, std::string_view model_type);

/// The config.json that the flat model file PATH carries.
/// @throws format_error  it is a plain file, which carries none
json model_file_config(const std::string& path);

/// 16 hexadecimal digits that tell one trunk from another: a hash over what of CONFIG changes the numbers computed, and over name, shape
/// and the first and last 1024 values (as F32) of each tensor of SHAPES. So a Hugging Face file and the flat file made from it have the
/// same fingerprint, at the cost of a few pages a tensor.
/// @param config  as to_json(encoder_config) gives it      @param shapes  as trunk_tensors(encoder_config) gives them
/// @throws format_error  a tensor is missing, or of another shape or an integer type
std::string fingerprint(const tensor_source& model, const json& config, const std::map<std::string, std::vector<index>>& shapes);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/model_file-inl.hpp"  // IWYU pragma: export
#endif
