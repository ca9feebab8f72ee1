#pragma once
// A model's parameters into files.

#include <map>
#include <span>
#include <string>

#include "graft/io/safetensors.hpp"
#include "graft/model/model.hpp"

namespace graft {

/// Writes the parameters p of MODEL with KEEP(p) to PATH, a safetensors file, under their names.
/// @throws backend_error  as safetensors_writer::write
template <class M, class Keep>
void save_parameters(M& model, const std::string& path, const std::map<std::string, std::string>& metadata, Keep&& keep) {
  safetensors_writer writer;
  writer.metadata = metadata;
  model.for_each_parameter([&](const auto& p) {
    if (keep(p)) writer.add(p.name, p.shape(), std::span(p.value().data(), static_cast<std::size_t>(p.size())));
  });
  writer.write(path);
}

/// Whether save_tuned keeps P.
template <class T>
bool is_tuned(const parameter<T>& p) {
  return p.is_trained() || p.name.find(".multi_adapter.") != std::string::npos;
}

/// What was trained, and of a mix also the adapters and LayerNorms in it: all that is needed beside the trunk.
template <class M>
void save_tuned(M& model, const std::string& path, const std::map<std::string, std::string>& metadata) {
  save_parameters(model, path, metadata, [](const auto& p) { return is_tuned(p); });
}

/// Everything.
template <class M>
void save_everything(M& model, const std::string& path, const std::map<std::string, std::string>& metadata) {
  save_parameters(model, path, metadata, [](const auto&) { return true; });
}

}  // namespace graft
