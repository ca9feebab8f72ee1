#pragma once
// A model's parameters into files.

#include <functional>
#include <map>
#include <span>
#include <string>

#include "graft/encoder/families/families.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/model/model.hpp"

namespace graft {

/// Writes the parameters p of MODEL with IS_SAVED(p) to PATH, a safetensors file, under their names, or what NAME_OF(that) is.
/// @throws backend_error  as safetensors_writer::write
template <class M, class IsSaved, class Name = std::identity>
void save_parameters(M& model, const std::string& path, const std::map<std::string, std::string>& metadata, IsSaved&& is_saved,
                     Name&& name_of = {}) {
  safetensors_writer writer;
  writer.metadata = metadata;
  model.for_each_parameter([&](const auto& p) {
    if (is_saved(p)) writer.add(name_of(p.name), p.shape(), std::span(p.value().data(), static_cast<std::size_t>(p.size())));
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

/// Everything, as transformers call it.
template <class M>
void save_everything(M& model, const std::string& path, const std::map<std::string, std::string>& metadata) {
  save_parameters(
      model, path, metadata, [](const auto&) { return true; },
      [&family = family_of(model.config.model_type), tokens = model.head.answers_for_words()](const std::string& name) {
        return name_in_files(family, name, tokens);
      });
}

}  // namespace graft
