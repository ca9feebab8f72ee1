#pragma once
// Opens an adapter, whichever program saved it.

#include <filesystem>
#include <string>

#include "graft/exchange/adapter_file.hpp"
#include "graft/exchange/adapterhub.hpp"
#include "graft/exchange/original.hpp"
#include "graft/exchange/peft.hpp"

namespace graft {

/// Reads an adapter that graft saved as a model.safetensors.
/// @throws format_error  it is a mix or a whole model; a tensor is missing, of another shape, or unknown
inline adapter_file read_adapter(const std::string& path, const encoder_config& config) {
  const safetensors_file stored(path);
  const model_description d = parse_description(stored.metadata(), path);
  if (d.kind != "adapter" && d.kind != "lora")
    throw format_error(path, "is of kind \"" + d.kind + "\", a single adapter or low-rank update was expected");
  return {d, take_tensors(stored, adapter_tensors(config, d, stored), [](const std::string& name) { return name; })};
}

/// Reads the adapter at PATH for an encoder with CONFIG. By what is there:
///   a folder with adapter_config.json                   PEFT's if it names a peft_type, else AdapterHub's
///   a folder with model.safetensors or model.p          that file
///   a safetensors file that says what it is             graft's
///   another safetensors file, or one of torch.save      the original system's
/// @throws format_error  none of these, or as the reader of that format
inline adapter_file open_adapter(const std::string& path, const encoder_config& config) {
  namespace fs = std::filesystem;
  if (!fs::exists(path)) throw format_error(path, "is not there");
  if (!fs::is_directory(path)) {
    const bool ours = !is_torch_file(path) && has_description(safetensors_file(path).metadata());
    return ours ? read_adapter(path, config) : read_original(path, config);
  }
  const std::string about = (fs::path(path) / "adapter_config.json").string();
  if (fs::exists(about)) return read_json(about).contains("peft_type") ? read_peft(path, config) : read_adapterhub(path, config);
  for (const char* name : {"model.safetensors", "model.p"}) {
    const std::string file = (fs::path(path) / name).string();
    if (fs::exists(file)) return open_adapter(file, config);
  }
  throw format_error(path, "holds no adapter: none of adapter_config.json, model.safetensors, model.p is there");
}

}  // namespace graft
