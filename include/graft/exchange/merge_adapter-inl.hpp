#pragma once
// Bodies of graft/exchange/merge_adapter.hpp.

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/number_text.hpp"
#include "graft/exchange/merge_adapter.hpp"

namespace graft::detail {

inline constexpr const char* update_parts[] = {tensor_names::lora_a, tensor_names::lora_b, tensor_names::lora_b_bias,
                                               tensor_names::lora_magnitude, tensor_names::ia3};

inline constexpr const char* gates_remain = ": has gates, which depend on a text, and so cannot become part of the weights";

GRAFT_INLINE matrix<double> matrix_of(const tensor_source& source, const std::string& name) {
  const auto& shape = source.at(name).shape;
  matrix<double> m(shape.at(0), shape.size() > 1 ? shape[1] : 1);
  source.read(name, std::span(m.data(), static_cast<std::size_t>(m.size())));
  return m;
}

/// W and b of LAYER as the update in A makes them.
GRAFT_INLINE void apply_update(const adapter_file& a, const std::string& layer, matrix<double>& w, matrix<double>& b) {
  const auto part = [&](const char* name) { return matrix_of(a.tensors, layer + name); };
  if (a.description.kind == tuning_kind::ia3) {
    const matrix<double> l = part(tensor_names::ia3);
    if (is_any_target(layer, a.description.ia3.feed_forward)) {
      w.array().rowwise() *= l.row(0).array();
    } else {
      w.array().colwise() *= l.col(0).array();
      b.array() *= l.array();
    }
    return;
  }
  const lora_options& lora = a.description.lora;
  const double scale = lora.alpha_of(layer) / static_cast<double>(lora.rank_of(layer));
  const matrix<double> update = part(tensor_names::lora_b) * part(tensor_names::lora_a);
  Eigen::ArrayXd lengths = (w + (lora.dora_outputs ? 1 : scale) * update).rowwise().norm().array();
  w += scale * update;
  if (lora.bias) b += scale * part(tensor_names::lora_b_bias);
  if (!lora.dora) return;
  lengths = part(tensor_names::lora_magnitude).col(0).array() / lengths;
  w.array().colwise() *= lengths;
  if (lora.dora_outputs) b.array().col(0) *= lengths;
}

/// Adds M to TO as NAME, of type T.
template <class T>
void add_as(tensor_source& to, const std::string& name, const std::vector<index>& shape, const matrix<double>& m, const adapter_file& a) {
  const auto memory = std::make_shared<matrix<T>>(m.template cast<T>());
  if (!memory->allFinite()) {
    const auto& d = a.description;
    throw format_error(a.tensors.path(), "makes '" + name + "' larger than " + std::string(dtype_name(dtype_of<T>())) +
                                             " holds when it is merged" +
                                             (d.kind == tuning_kind::lora ? " (lora_alpha is " + number_text(d.lora.alpha) + ")" : ""));
  }
  to.add(name, {dtype_of<T>(), shape, std::as_bytes(std::span(memory->data(), static_cast<std::size_t>(memory->size())))});
  to.keep_alive(memory);
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE bool needs_merging(const model_description& d) {
  return d.kind == tuning_kind::ia3 || (d.kind == tuning_kind::lora && (d.lora.dora || d.lora.bias));
}

GRAFT_INLINE adapter_file merged_tensors(const tensor_source& base, const adapter_file& a) {
  if (a.description.kind != tuning_kind::lora && a.description.kind != tuning_kind::ia3)
    throw config_error(a.tensors.path() +
                       ": is an adapter, which cannot become part of the weights; a low-rank update or IA3 was expected");
  if (a.description.lora.gates) throw config_error(a.tensors.path() + detail::gates_remain);
  adapter_file merged{a.description, tensor_source(a.tensors.path()), a.of_trunk, a.notes};
  if (!a.description.ia3.gates) merged.description.kind = tuning_kind::full;
  merged.description.lora = {};
  if (!a.description.ia3.gates) merged.description.ia3 = {};
  merged.description.modules_to_save = {};
  std::vector<std::string> done;
  const auto add = [&](const std::string& name, const tensor_source& from, const matrix<double>& m) {
    const tensor_info& was = from.at(name);
    was.type == dtype::f64 ? detail::add_as<double>(merged.tensors, name, was.shape, m, a)
                           : detail::add_as<float>(merged.tensors, name, was.shape, m, a);
  };
  for (const auto& [name, info] : a.tensors.tensors()) {
    const std::string suffix = name.ends_with(tensor_names::ia3) ? tensor_names::ia3 : tensor_names::lora_a;
    if (!name.ends_with(suffix)) continue;
    const std::string layer = name.substr(0, name.size() - suffix.size());
    const auto source = [&](const std::string& tensor) -> const tensor_source& { return a.tensors.contains(tensor) ? a.tensors : base; };
    const std::string weight = layer + ".weight", bias = layer + ".bias";
    matrix<double> w = detail::matrix_of(source(weight), weight);
    const bool biased = source(bias).contains(bias);
    matrix<double> b = biased ? detail::matrix_of(source(bias), bias) : matrix<double>(matrix<double>::Zero(w.rows(), 1));
    const matrix<double> before = b;
    detail::apply_update(a, layer, w, b);
    add(weight, source(weight), w);
    if (b != before && !biased) {
      throw config_error(a.tensors.path() + ": gives '" + layer + "' a bias, which it does not have in this encoder");
    }
    if (b != before) add(bias, source(bias), b);
  }
  merged.tensors.add_all(a.tensors, [&](const std::string& name) -> std::optional<std::string> {
    for (const std::string part : detail::update_parts) {
      if (name.ends_with(part)) return std::nullopt;
    }
    return merged.tensors.contains(name) ? std::nullopt : std::optional(name);
  });
  return merged;
}

GRAFT_INLINE tensor_source merge_adapter(const tensor_source& trunk, const adapter_file& merged) {
  if (merged.description.ia3.gates) throw config_error(merged.tensors.path() + detail::gates_remain);
  const auto replaced = [&](const std::string& name) { return merged.tensors.contains(name) && name.find(".pooler.") == name.npos; };
  tensor_source all(trunk.path());
  all.set_metadata(trunk.metadata());
  all.add_all(trunk, [&](const std::string& name) { return replaced(name) ? std::nullopt : std::optional(name); });
  all.add_all(merged.tensors,
              [&](const std::string& name) { return trunk.contains(name) && replaced(name) ? std::optional(name) : std::nullopt; });
  return all;
}

}  // namespace graft
