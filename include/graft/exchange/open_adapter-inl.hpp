#pragma once
// Bodies of graft/exchange/open_adapter.hpp.

#include <algorithm>
#include <filesystem>

#include "graft/core/compiled.hpp"
#include "graft/core/file.hpp"
#include "graft/core/text_list.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/adapterhub.hpp"
#include "graft/exchange/adapterhub_setup.hpp"
#include "graft/exchange/checkpoint.hpp"
#include "graft/exchange/nlprunners.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/exchange/peft.hpp"
#include "graft/io/weights.hpp"

namespace graft {

GRAFT_INLINE adapter_file read_graft(const tensor_source& file, const encoder_config& config) {
  tensor_source stored(file.path());  // whole models are written under the names of transformers
  stored.set_metadata(file.metadata());
  stored.add_all(
      file, [&, &family = family_of(config.model_type)](const std::string& name) { return std::optional(name_in_graft(family, name)); });
  const model_description d = parse_description(stored.metadata(), stored.path());
  tensor_shapes wanted = adapter_tensors(config, d, stored);
  tensor_source known(stored.path());
  for (const auto& [name, shape] : trunk_tensors(config)) {
    // A mix may have been trained with the encoder around it; where that stayed as it was, it is the trunk's.
    if (d.kind == tuning_kind::multi_adapter && stored.contains(name)) wanted[name] = shape;
  }
  known.add_all(stored, [&, trunk = trunk_tensors(config)](const std::string& name) -> std::optional<std::string> {
    if (trunk.contains(name) && !wanted.contains(name)) return std::nullopt;
    return name;
  });
  return {d, take_tensors(known, wanted)};
}

}  // namespace graft

namespace graft::detail {

/// The folders in FOLDER that hold something of AdapterHub's library, as its save_all_adapters leaves them: "rte, sst2".
GRAFT_INLINE std::string adapters_inside(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto holds = [&](const char* file) { return is_there(entry.path() / file); };
    const std::string name = entry.path().filename().string();
    if (holds("adapter_config.json")) names.push_back(name);
    if (holds("adapter_setup.json")) names.push_back(name + " (a set-up)");
    if (holds("adapter_fusion_config.json")) names.push_back(name + " (a fusion's matrices, without its adapters)");
  }
  std::sort(names.begin(), names.end());
  return listed(names);
}

GRAFT_INLINE std::string file_at(const std::string& path) {
  namespace fs = std::filesystem;
  if (!is_there(path)) throw format_error(path, "is not there");
  if (!is_folder(path)) {
    const std::string name = fs::path(path).filename().string();
    for (const char* part : {"adapter_model.safetensors", "adapter_model.bin", "adapter.safetensors", "pytorch_adapter.bin"}) {
      if (name == part && is_there(fs::absolute(path).parent_path() / "adapter_config.json"))
        throw format_error(path, "is part of an adapter of PEFT's or AdapterHub's: give the folder that it lies in");
    }
    return path;
  }
  for (const char* name : {"model.safetensors", "model.p"}) {
    const std::string file = (fs::path(path) / name).string();
    if (is_there(file)) return file;
  }
  if (const std::string inside = adapters_inside(path); !inside.empty()) {
    throw format_error(path, "holds several adapters: " + inside + "; give the folder of one of them");
  }
  throw format_error(path, "holds no adapter: none of adapter_config.json, model.safetensors, model.p is there");
}

/// FILE, whose texts transformers has framed.
GRAFT_INLINE adapter_file of_transformers(adapter_file file) {
  file.description.one_separator = true;
  return file;
}

GRAFT_INLINE std::optional<adapter_file> open_library_adapter(const std::string& path, const encoder_config& config) {
  const std::string about = (std::filesystem::path(path) / "adapter_config.json").string();
  if (!is_folder(path) || !is_there(about)) return std::nullopt;
  const json given = read_json(about);
  if (!given.is_object() || given.empty())
    throw format_error(about, "is " + shown(given) + ", no adapter's configuration: save the adapter again");
  for (const char* file : {"adapter_model.safetensors", "adapter_model.bin"}) {
    if (given.contains("peft_type") || given.contains("model_type") || !is_there((std::filesystem::path(path) / file).string())) continue;
    throw format_error(about,
                       std::string("has no \"peft_type\", and ") + file + " beside it is PEFT's: add \"peft_type\": \"LORA\" or \"IA3\"");
  }
  return of_transformers(given.contains("peft_type") ? read_peft(path, config) : read_adapterhub(path, config));
}

GRAFT_INLINE std::optional<adapter_file> open_known(const std::string& path, const encoder_config& config, tensor_source& stored) {
  namespace fs = std::filesystem;
  if (auto found = open_library_adapter(path, config)) return found;
  if (is_adapterhub_setup(path)) return of_transformers(read_adapterhub_setup(path, config));
  const bool folder = is_folder(path), may_be_model = !folder || is_there((fs::path(path) / "config.json").string());
  stored = open_weights(folder && may_be_model ? path : file_at(path));
  if (may_be_model) {
    if (auto found = read_checkpoint(stored, path, config)) return found;
    if (const std::string file = file_at(path); file != stored.path()) stored = open_weights(file);
  }
  if (has_description(stored.metadata())) return read_graft(stored, config);
  return std::nullopt;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE adapter_file open_tuned(const std::string& path, const encoder_config& config) {
  tensor_source stored(path);
  if (auto found = detail::open_known(path, config, stored)) return *found;
  return read_nlprunners(stored, config);
}

GRAFT_INLINE adapter_file open_adapter(const std::string& path, const encoder_config& config) {
  if (auto found = detail::open_library_adapter(path, config)) return *found;
  const tensor_source stored = open_weights(detail::file_at(path));
  if (!has_description(stored.metadata())) return read_nlprunners(stored, config);
  const model_description d = parse_description(stored.metadata(), stored.path());
  if (d.kind != tuning_kind::adapter && d.kind != tuning_kind::lora && d.kind != tuning_kind::ia3 && d.kind != tuning_kind::prefix)
    throw format_error(stored.path(),
                       "is of kind \"" + tuning_kind_name(d.kind) + "\", a single adapter, low-rank update or prefix was expected");
  return read_graft(stored, config);
}

}  // namespace graft
