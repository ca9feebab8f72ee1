#pragma once
// Bodies of graft/exchange/merge_lora.hpp.

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "graft/core/compiled.hpp"
#include "graft/core/number_text.hpp"
#include "graft/exchange/merge_lora.hpp"

namespace graft {

GRAFT_INLINE tensor_source merge_lora(const tensor_source& trunk, const adapter_file& lora) {
  const model_description& d = lora.description;
  if (d.kind != "lora")
    throw config_error(lora.tensors.path() + ": is an adapter, which cannot become part of the weights; a low-rank update was expected");
  const auto read = [](const tensor_source& source, const std::string& name) {
    const auto& shape = source.at(name).shape;
    matrix<float> m(shape.at(0), shape.at(1));
    source.read(name, std::span(m.data(), static_cast<std::size_t>(m.size())));
    return m;
  };
  tensor_source merged(trunk.path());
  merged.set_metadata(trunk.metadata());
  merged.add_all(trunk, [&](const std::string& name) {
    const std::string layer = name.ends_with(".weight") ? name.substr(0, name.size() - std::string(".weight").size()) : "";
    return lora.tensors.contains(layer + ".lora_A.weight") ? std::nullopt : std::optional(name);
  });
  for (const auto& [name, info] : lora.tensors.tensors()) {
    if (!name.ends_with(".lora_A.weight")) continue;
    const std::string layer = name.substr(0, name.size() - std::string(".lora_A.weight").size());
    auto w = std::make_shared<matrix<float>>(read(trunk, layer + ".weight"));
    const auto scale = static_cast<float>(d.lora.alpha / static_cast<double>(d.lora.r));
    w->noalias() += scale * read(lora.tensors, layer + ".lora_B.weight") * read(lora.tensors, name);
    if (!w->allFinite()) {
      throw format_error(lora.tensors.path(), "makes '" + layer + ".weight' larger than F32 holds when it is merged (lora_alpha is " +
                                                  number_text(d.lora.alpha) + ")");
    }
    merged.add(layer + ".weight",
               {dtype::f32, {w->rows(), w->cols()}, std::as_bytes(std::span(w->data(), static_cast<std::size_t>(w->size())))});
    merged.keep_alive(w);
  }
  return merged;
}

}  // namespace graft
