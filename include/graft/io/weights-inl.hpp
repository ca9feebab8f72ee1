#pragma once
// Bodies of graft/io/weights.hpp.

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/text_list.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/torch_file.hpp"
#include "graft/io/weights.hpp"

namespace graft::detail {

/// ", but NAME" of what FOLDER holds in place of weights under a name that is looked for, if there is anything.
GRAFT_INLINE std::string instead_of_weights(const std::string& folder) {
  std::error_code none;
  std::string found;
  const auto ends = [](const std::string& name, std::initializer_list<const char*> which) {
    return std::any_of(which.begin(), which.end(), [&](const char* end) { return name.ends_with(end); });
  };
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (ends(name, {".incomplete", ".part", ".crdownload"})) return ", but " + name + ", a download that was broken off: start it again";
    if (ends(name, {".safetensors", ".bin", ".pt", ".pth"}))
      found = ", but " + name + ": give that file, or a copy of it under one of these names";
    if (found.empty() && ends(name, {".h5", ".msgpack", ".onnx", ".gguf"})) {
      found = ", but " + name + ", which graft does not read: save the model from transformers (save_pretrained)";
    }
  }
  if (found.empty() && is_folder(folder + "/model")) found = "; did you mean " + folder + "/model?";
  return found;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE tensor_source open_weights(const std::string& path) {
  if (is_folder(path)) {
    std::string tried;
    for (const auto* name :
         {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json", "model.p"}) {
      const std::string candidate = (std::filesystem::path(path) / name).string();
      if (is_there(candidate)) return open_weights(candidate);
      add_to_list(tried, name);
    }
    throw format_error(path, "holds no weights: none of " + tried + " is there" + detail::instead_of_weights(path));
  }
  if (path.ends_with(".index.json")) return detail::open_shards(path);
  const auto file = std::make_shared<const mapped_file>(path);
  if (is_torch_file(*file)) return torch_file(file);
  return safetensors_file(file);
}

GRAFT_INLINE tensor_source detail::open_shards(const std::string& index_path) {
  const auto names = required<std::map<std::string, std::string>>(read_json(index_path), "weight_map", index_path);
  std::set<std::string> files;
  for (const auto& [name, file] : names) files.insert(file);
  tensor_source all(index_path);
  for (const auto& file : files) {
    const std::filesystem::path relative(file);
    const auto shard = std::filesystem::path(index_path).parent_path() / relative;
    const bool outside = relative.is_absolute() || std::find(relative.begin(), relative.end(), "..") != relative.end();
    if (outside || file.ends_with(".index.json") || is_folder(shard)) {  // or it could name itself
      throw format_error(index_path, "names '" + file + "', a weights file beside it was expected");
    }
    all.add_all(open_weights(shard.string()), [&](const std::string& name) {
      const auto found = names.find(name);
      return found == names.end() || found->second == file ? std::optional(name) : std::nullopt;
    });
  }
  for (const auto& [name, file] : names) {
    if (!all.contains(name)) throw format_error(index_path, "promises tensor '" + name + "' in " + file + ", which does not hold it");
  }
  return all;
}

}  // namespace graft
