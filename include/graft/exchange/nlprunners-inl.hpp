#pragma once
// Bodies of graft/exchange/nlprunners.hpp.

#include <optional>

#include "graft/adapters/houlsby_adapter.hpp"
#include "graft/adapters/pfeiffer_adapter.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/range.hpp"
#include "graft/exchange/nlprunners.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/torch_writer.hpp"
#include "graft/io/weights.hpp"

namespace graft {

GRAFT_INLINE adapter_file read_nlprunners(const std::string& path, const encoder_config& config) {
  return read_nlprunners(open_weights(path), config);
}

GRAFT_INLINE adapter_file read_nlprunners(const tensor_source& file, const encoder_config& config) {
  const std::string& path = file.path();
  const head_names head(config);
  const name_prefix prefix(file.tensors(), config.model_type, path);
  tensor_source all(path), stored(path);
  all.add_all(file, [&](const std::string& name) { return prefix.canonical(name); });
  const bool half_head = !all.contains(head.out_proj + ".weight");
  stored.add_all(
      all, [&](const std::string& name) { return half_head && name.starts_with(head.dense + ".") ? std::nullopt : std::optional(name); });
  model_description d;
  d.kind = tuning_kind::adapter;
  d.adapter.kind = pfeiffer_adapter<f32>::name;
  d.layer_norms_trained = false;
  for (const auto& [name, info] : stored.tensors()) {
    if (name.ends_with(".adapter.down_project.weight") && !info.shape.empty()) d.adapter.size = info.shape[0];
    if (name.find(".attention.output.adapter.") != name.npos) d.adapter.kind = houlsby_adapter<f32>::name;
    if (name.find(".LayerNorm.") != name.npos) d.layer_norms_trained = true;
  }
  if (d.adapter.size != 0 && !ranges::adapter_size.contains(static_cast<double>(d.adapter.size))) {
    throw format_error(path,
                       "holds adapters of size " + std::to_string(d.adapter.size) + ", " + ranges::adapter_size.text() + " was expected");
  }
  if (d.adapter.size == 0) throw format_error(path, "holds no adapter: a tensor named ....adapter.down_project.weight was expected");
  if (const index rows = head_rows(stored, config); rows != 0) number_labels(d, rows, path);
  return {d, take_tensors(stored, adapter_tensors(config, d, stored))};
}

GRAFT_INLINE void write_nlprunners(const std::string& path, const adapter_file& a, const encoder_config& config,
                                   const tensor_source* trunk) {
  const model_description& d = a.description;
  const auto refuse = [&](const std::string& message, const remedy& help = {}) {
    throw config_error(a.tensors.path() + ": " + message, help);
  };
  if (d.kind != tuning_kind::adapter)
    refuse(std::string(d.kind == tuning_kind::prefix ? "is a prefix"
                       : d.kind == tuning_kind::lora ? "is low-rank"
                       : d.kind == tuning_kind::ia3  ? "is IA3"
                                                     : "is a mix") +
           ", nlprunners has adapters only");
  if (d.adapter.kind != houlsby_adapter<f32>::name || d.adapter.scaling != 1 || !d.adapter.leave_out.empty())
    refuse("is " + adapter_text(d.adapter) + ", nlprunners' are houlsby, unscaled, in all layers");
  if (a.has_head() && (d.head != head_options() || d.sigmoid)) refuse("has a head of another form than nlprunners'");
  if (d.adapter.act != activation::gelu) refuse("has activation " + activation_name(d.adapter.act) + ", nlprunners' is gelu");
  if (!d.layer_norms_trained && trunk == nullptr)
    refuse("has the encoder's LayerNorms, which nlprunners keeps with the adapter, and no encoder to take them from", {"trunk"});
  torch_writer writer;
  for (const auto& [name, info] : a.tensors.tensors()) writer.add(name, info.shape, info.type, info.bytes);
  if (!d.layer_norms_trained) {
    const tensor_shapes norms = layer_norm_tensors(config);
    trunk->expect(norms);
    for (const auto& [name, shape] : norms) writer.add(name, shape, trunk->at(name).type, trunk->at(name).bytes);
  }
  detail::make_folder_of(path);
  writer.write(path);
}

}  // namespace graft
