#pragma once
// Opens the weights of a model wherever Hugging Face puts them: one file or several, safetensors or PyTorch.

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/tensor_source.hpp"
#include "graft/io/torch_file.hpp"

namespace graft {

namespace detail {

/// ", but PATH" of a download in FOLDER that was broken off, if there is one.
inline std::string broken_download(const std::string& folder) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".incomplete") || name.ends_with(".part") || name.ends_with(".crdownload")) {
      return ", but " + name + ", a download that was broken off: start it again";
    }
  }
  return "";
}

/// The tensors of every file that the weight_map of a `*.index.json` names.
inline tensor_source open_shards(const std::string& index_path);

}  // namespace detail

/// Opens the weights at PATH: a safetensors or PyTorch file (told apart by their first bytes), the `*.index.json` of a model cut into
/// several files, or a folder that holds one of model.safetensors, model.safetensors.index.json, pytorch_model.bin,
/// pytorch_model.bin.index.json, or the original system's model.p (the first that is there).
/// @throws format_error  nothing of the kind is there, or as safetensors_file and torch_file
inline tensor_source open_weights(const std::string& path) {
  if (std::filesystem::is_directory(path)) {
    std::string tried;
    for (const auto* name :
         {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json", "model.p"}) {
      const std::string candidate = (std::filesystem::path(path) / name).string();
      if (is_there(candidate)) return open_weights(candidate);
      tried += (tried.empty() ? "" : ", ") + std::string(name);
    }
    throw format_error(path, "holds no weights: none of " + tried + " is there" + detail::broken_download(path));
  }
  if (path.ends_with(".index.json")) return detail::open_shards(path);
  if (is_torch_file(path)) return torch_file(path);
  return safetensors_file(path);
}

inline tensor_source detail::open_shards(const std::string& index_path) {
  const auto names = required<std::map<std::string, std::string>>(read_json(index_path), "weight_map", index_path);
  std::set<std::string> files;
  for (const auto& [name, file] : names) files.insert(file);
  tensor_source all(index_path);
  for (const auto& file : files) {
    const auto shard = std::filesystem::path(index_path).parent_path() / file;
    if (shard.filename() != file || file.ends_with(".index.json") || std::filesystem::is_directory(shard)) {  // or it could name itself
      throw format_error(index_path, "names '" + file + "', a weights file beside it was expected");
    }
    all.add_all(open_weights(shard.string()), [](const std::string& name) { return std::optional(name); });
  }
  for (const auto& [name, file] : names) {
    if (!all.contains(name)) throw format_error(index_path, "promises tensor '" + name + "' in " + file + ", which does not hold it");
  }
  return all;
}

}  // namespace graft
