#pragma once
// Bodies of graft/exchange/mixed_member.hpp.

#include <memory>
#include <span>

#include "graft/core/compiled.hpp"
#include "graft/exchange/merge_adapter.hpp"
#include "graft/exchange/mixed_member.hpp"

namespace graft::detail {

/// Whether NAME is that of a LayerNorm at a site.
GRAFT_INLINE bool is_site_norm(const std::string& name) {
  return name.find(".layer.") != name.npos && name.find(".output.LayerNorm.") != name.npos;
}

/// Adds M to TO, as NAME of SHAPE.
GRAFT_INLINE void add_matrix(tensor_source& to, const std::string& name, const matrix<double>& m, const std::vector<index>& shape) {
  const auto memory = std::make_shared<matrix<double>>(m);
  to.add(name, {dtype::f64, shape, std::as_bytes(std::span(memory->data(), static_cast<std::size_t>(memory->size())))});
  to.keep_alive(memory);
}

/// The tensors of A, which is DoRA around TRUNK, as scales of rows and low-rank updates.
GRAFT_INLINE tensor_source scaled_updates(const adapter_file& a, const tensor_source& trunk) {
  tensor_source all(a.tensors.path());
  const std::string magnitude = tensor_names::lora_magnitude;
  for (const auto& [name, info] : a.tensors.tensors()) {
    if (!name.ends_with(magnitude) || name.find(".layer.") == name.npos) continue;
    const std::string layer = name.substr(0, name.size() - magnitude.size());
    const matrix<double> lora_a = matrix_of(a.tensors, layer + tensor_names::lora_a),
                         lora_b = matrix_of(a.tensors, layer + tensor_names::lora_b);
    const lora_options& lora = a.description.lora;
    const double s = lora.alpha_of(layer) / static_cast<double>(lora.rank_of(layer));
    const matrix<double> w = matrix_of(trunk, layer + ".weight") + (lora.dora_outputs ? 1 : s) * lora_b * lora_a;
    const matrix<double> g = matrix_of(a.tensors, name).array() / w.rowwise().norm().array();
    add_matrix(all, layer + tensor_names::lora_a, lora_a, {lora_a.rows(), lora_a.cols()});
    add_matrix(all, layer + tensor_names::lora_b, (lora_b.array().colwise() * g.col(0).array()).matrix(), {lora_b.rows(), lora_b.cols()});
    add_matrix(all, layer + ".lora_scale", g, {g.rows(), 1});
    if (!lora.bias) continue;
    const matrix<double> c = matrix_of(a.tensors, layer + tensor_names::lora_b_bias);
    add_matrix(all, layer + tensor_names::lora_b_bias, lora.dora_outputs ? matrix<double>(c.cwiseProduct(g)) : c, {c.rows()});
  }
  return all;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE mixed_member as_member(const std::string& name, const adapter_file& file, const tensor_source& trunk) {
  const model_description& d = file.description;
  const std::string& path = file.tensors.path();
  const bool fusion = d.kind == tuning_kind::multi_adapter && d.mix.mode == mixing_mode::fusion;
  if (d.kind == tuning_kind::multi_adapter && !fusion) {
    throw format_error(path, "is a mix itself, and a mix of mixes is one of all their members: name its own members in its place");
  }
  if (d.kind == tuning_kind::full || d.kind == tuning_kind::head) {
    throw format_error(path, "is of kind \"" + tuning_kind_name(d.kind) + "\", an adapter, low-rank update, prefix or fusion was expected");
  }
  mixed_member member{{name, d.adapter, d.kind, d.lora, d.ia3, d.prefix}, file.tensors, tensor_source(path)};
  member.is.adapter.dropout = member.is.lora.dropout = 0;
  if (d.kind == tuning_kind::adapter) {
    for (const auto& [one, info] : file.tensors.tensors()) {
      if (one.find(".layer.") == one.npos || one.find(".LayerNorm.") == one.npos || detail::is_site_norm(one)) continue;
      throw format_error(
          path,
          "was trained with LayerNorms of its own, which stand before the parts of a layer here, where no mix has a place for them: "
          "one that left them as they were was expected");
    }
    member.norms = d.layer_norms_trained ? file.tensors : trunk;
    return member;
  }
  const auto check_mixable = [&](const std::string& one) {
    const bool of_head = one.find(".layer.") == one.npos && one.find("embeddings.") == one.npos;
    if (of_head || detail::is_site_norm(one)) return;
    throw format_error(path, "was trained with the encoder's '" + one +
                                 "', for which a mix has no place: of the encoder LayerNorms at most were expected");
  };
  for (const std::string& one : d.modules_to_save) check_mixable(one);
  if (fusion) {
    member.is.kind = tuning_kind::fusion;
    member.is.fused = d.mix.adapters;
    for (mixed_adapter& one : member.is.fused) one.adapter.dropout = 0;
    member.is.fusion = d.mix.fusion;
    member.tensors = tensor_source(path);
    member.tensors.add_all(file.tensors, [&](const std::string& one) -> std::optional<std::string> {
      const std::size_t at = one.find(".multi_adapter.");
      if (at != one.npos) return one.substr(0, at) + ".adapter." + one.substr(at + std::string(".multi_adapter.").size());
      const bool tuned = trunk.contains(one) && file.tensors.values<double>(one) != trunk.values<double>(one);
      if (tuned) check_mixable(one);
      return std::nullopt;
    });
  }
  if (d.kind == tuning_kind::lora && d.lora.dora) member.tensors = detail::scaled_updates(file, trunk);
  member.norms.add_all(file.tensors, [](const std::string& one) { return detail::is_site_norm(one) ? std::optional(one) : std::nullopt; });
  tensor_source rest(trunk.path());
  rest.add_all(trunk, [&](const std::string& one) { return member.norms.contains(one) ? std::nullopt : std::optional(one); });
  member.norms.add_all(rest);
  return member;
}

}  // namespace graft
