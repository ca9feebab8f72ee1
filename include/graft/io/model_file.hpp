#pragma once
// The flat model file: a valid safetensors file with aligned tensors under canonical names, which carries its config. A plain Hugging
// Face file opens the same way.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/core/types.hpp"
#include "graft/io/dtype.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/tensor_source.hpp"
#include "graft/io/weights.hpp"

namespace graft {

inline constexpr std::string_view model_file_version = "1";

/// Writes every tensor of MODEL to PATH as a flat model file, as it is stored, each at a multiple of 64 bytes; those that a trunk does not
/// need, too, whatever they hold. The file's metadata:
///   "graft_format"  model_file_version       "config"  the config.json, as text       "source"  where the weights came from
///   "format"        "pt", without which Hugging Face's transformers do not open a file
/// @throws backend_error  as safetensors_writer::write
inline void write_model_file(const std::string& path, const tensor_source& model, const json& config, const std::string& source) {
  safetensors_writer writer(64);
  writer.metadata = {{"graft_format", std::string(model_file_version)}, {"config", config.dump()}, {"source", source}, {"format", "pt"}};
  for (const auto& [name, info] : model.tensors()) writer.copy(name, info);
  writer.write(path);
}

/// Opens the model at PATH, a flat model file or whatever open_weights takes, under canonical names.
/// @param model_type  "roberta" or "bert"
/// @throws format_error  as open_weights and name_prefix, or the file is of a version that this graft does not read
inline tensor_source open_model(const std::string& path, std::string_view model_type) {
  const tensor_source stored = open_weights(path);
  const auto version = stored.metadata().find("graft_format");
  if (version != stored.metadata().end() && version->second != model_file_version) {
    throw format_error(path, "is a flat model file of version " + version->second + ", version " + std::string(model_file_version) +
                                 " was expected: export the model again");
  }
  tensor_source model(stored.path());
  model.set_metadata(stored.metadata());
  const name_prefix prefix(stored.tensors(), model_type, path);
  model.add_all(stored, [&](const std::string& name) { return prefix.canonical(name); });
  return model;
}

/// The config.json that the flat model file PATH carries.
/// @throws format_error  it is a plain file, which carries none
inline json model_file_config(const std::string& path) {
  const tensor_source stored = open_weights(path);
  const auto config = stored.metadata().find("config");
  if (config == stored.metadata().end()) throw format_error(path, "carries no config: give its config.json as --model_config_path");
  return parse_json(config->second, path + " (\"config\")");
}

/// 64-bit FNV-1a, for telling things apart, not for keeping secrets.   Source: Fowler, Noll, Vo; RFC 9923.
class fnv1a {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const auto byte : bytes) value_ = (value_ ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3;
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  std::uint64_t value() const { return value_; }
  /// The same as 16 hexadecimal digits.
  std::string text() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (int shift = 60; shift >= 0; shift -= 4) text += digits[value_ >> shift & 15];
    return text;
  }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

/// 16 hexadecimal digits that tell one trunk from another: a hash over what of CONFIG changes the numbers computed, and over name, shape
/// and the first and last 1024 values (as F32) of each tensor of SHAPES. So a Hugging Face file and the flat file made from it have the
/// same fingerprint, at the cost of a few pages a tensor.
/// @param config  as to_json(encoder_config) gives it      @param shapes  as trunk_tensors(encoder_config) gives them
/// @throws format_error  a tensor is missing, or of another shape or an integer type
inline std::string fingerprint(const tensor_source& model, const json& config, const std::map<std::string, std::vector<index>>& shapes) {
  model.expect(shapes);
  fnv1a hash;
  for (const auto* field : {"model_type", "num_attention_heads", "layer_norm_eps", "pad_token_id"}) {
    hash.add(required<json>(config, field, model.path()).dump());
    hash.add("\n");
  }
  for (const auto& [name, shape] : shapes) {
    hash.add(name + shape_text(shape));
    const auto& info = model.at(name);
    const std::size_t unit = dtype_size(info.type);
    const std::size_t sample = std::min<std::size_t>(info.bytes.size(), 1024 * unit);
    std::vector<float> values(sample / unit);
    for (const auto part : {info.bytes.first(sample), info.bytes.last(sample)}) {
      convert(info.type, part, dtype::f32, reinterpret_cast<std::byte*>(values.data()));
      hash.add(std::as_bytes(std::span(values)));
    }
  }
  return hash.text();
}

}  // namespace graft
