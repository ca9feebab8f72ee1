#pragma once
// Bodies of graft/exchange/combine_adapters.hpp.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/combine_adapters.hpp"

namespace graft::detail {

/// Adds VALUES to TO as NAME.
template <class T>
void add_values(tensor_source& to, const std::string& name, const std::vector<index>& shape, std::vector<T> values) {
  const auto memory = std::make_shared<const std::vector<T>>(std::move(values));
  to.add(name, {dtype_of<T>(), shape, std::as_bytes(std::span(*memory))});
  to.keep_alive(memory);
  to.check_finite(name);
}

/// SUM += W * VALUES, with the product rounded before it is added, as PyTorch does: no fused multiplication and addition.
template <class T>
void add_scaled(std::vector<T>& sum, double w, std::vector<T> values) {
  for (T& v : values) v *= static_cast<T>(w);
  if (sum.empty()) {
    sum = std::move(values);
    return;
  }
  T* volatile const products = values.data();  // where the compiler does not see what was computed
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += products[i];
}

/// The weighted sum of the tensors NAME of ADAPTERS.
template <class T>
std::vector<T> weighted_values(const std::vector<adapter_file>& adapters, const std::vector<double>& weights, const std::string& name) {
  std::vector<T> sum;
  for (const adapter_file& one : adapters) one.tensors.expect({{name, adapters.front().tensors.at(name).shape}});
  for (std::size_t k = 0; k < adapters.size(); ++k) add_scaled<T>(sum, weights[k], adapters[k].tensors.values<T>(name));
  return sum;
}

GRAFT_INLINE bool all_double(const std::vector<adapter_file>& adapters) {
  return std::all_of(adapters.begin(), adapters.end(), [](const adapter_file& a) {
    const auto& all = a.tensors.tensors();
    return std::all_of(all.begin(), all.end(), [](const auto& one) { return one.second.type == dtype::f64; });
  });
}

/// D without its task and head: what is left is the adapter alone.
GRAFT_INLINE model_description of_no_task(model_description d) {
  const model_description none;
  d.task_name = none.task_name;
  d.output = none.output;
  d.labels = none.labels;
  d.labels_said = none.labels_said;
  d.head = none.head;
  d.sigmoid = none.sigmoid;
  return d;
}

/// What adapters of one shape have in common, so that whatever a description says of an adapter counts; with ITS_RANKS also how large
/// updates are.
GRAFT_INLINE std::map<std::string, std::string> shape_of(const model_description& d, bool its_ranks) {
  model_description shape = of_no_task(d);
  shape.max_seq_length = std::nullopt;
  shape.one_separator = false;
  shape.trunk_fingerprint.clear();
  if (!its_ranks) {
    shape.lora.r = 1;
    shape.lora.alpha = 1;
    shape.lora.ranks.clear();
    shape.lora.alphas.clear();
  }
  return to_metadata(shape);
}

/// A and B of all ADAPTERS behind one another, B with what scales it: alpha becomes the rank.
template <class T>
void concatenate(adapter_file& combined, const std::vector<adapter_file>& adapters, const std::vector<double>& weights,
                 const std::string& layer) {
  const std::string a_name = layer + tensor_names::lora_a, b_name = layer + tensor_names::lora_b;
  index r = 0;
  for (const adapter_file& one : adapters) r += one.description.lora.rank_of(layer);
  const index in = adapters[0].tensors.at(a_name).shape[1], out = adapters[0].tensors.at(b_name).shape[0];
  matrix<T> a(r, in), b(out, r);
  index at = 0;
  for (std::size_t k = 0; k < adapters.size(); ++k) {
    const lora_options& lora = adapters[k].description.lora;
    const index rank = lora.rank_of(layer);
    const auto av = adapters[k].tensors.values<T>(a_name), bv = adapters[k].tensors.values<T>(b_name);
    const double scale = weights[k] * lora.alpha_of(layer) / static_cast<double>(rank);
    for (index i = 0; i < rank; ++i) {
      for (index c = 0; c < in; ++c) a(at + i, c) = av[static_cast<std::size_t>(i * in + c)];
      for (index o = 0; o < out; ++o)
        b(o, at + i) = static_cast<T>(scale * static_cast<double>(bv[static_cast<std::size_t>(o * rank + i)]));
    }
    at += rank;
  }
  add_values<T>(combined.tensors, a_name, {r, in}, std::vector<T>(a.data(), a.data() + a.size()));
  add_values<T>(combined.tensors, b_name, {out, r}, std::vector<T>(b.data(), b.data() + b.size()));
  combined.description.lora.ranks[layer] = r;
  combined.description.lora.alphas[layer] = static_cast<double>(r);
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE combination parse_combination(const std::string& text) {
  if (text == "linear") return combination::linear;
  if (text == "lora_linear_only_negate_b") return combination::only_negate_b;
  if (text == "cat") return combination::cat;
  throw config_error("combine is \"" + text + "\", one of linear, lora_linear_only_negate_b, cat was expected");
}

GRAFT_INLINE adapter_file combine_adapters(const std::vector<adapter_file>& adapters, const std::vector<double>& weights, combination how,
                                           const encoder_config& config, const tensor_source* trunk) {
  if (adapters.empty() || adapters.size() != weights.size()) {
    throw config_error(std::to_string(weights.size()) + " weights for " + std::to_string(adapters.size()) +
                       " adapters: one each was expected");
  }
  const adapter_file& first = adapters[0];
  const lora_options& lora = first.description.lora;
  const bool plain_lora = first.description.kind == tuning_kind::lora && !lora.dora && !lora.bias && !lora.gates;
  if (how != combination::linear && !plain_lora)
    throw config_error(first.tensors.path() + ": is no plain low-rank update, the only kind that is combined so (linear fits all)",
                       {"combine", "linear"});
  for (const adapter_file& one : adapters) {
    if (detail::shape_of(one.description, how != combination::cat) == detail::shape_of(first.description, how != combination::cat))
      continue;
    throw config_error(one.tensors.path() + ": is not of the shape of " + first.tensors.path() +
                       ": adapters of one kind, size and place were expected" +
                       (plain_lora ? " (cat takes low-rank updates of different ranks)" : ""));
  }
  adapter_file combined{detail::of_no_task(first.description), tensor_source("the combination")};
  model_description& d = combined.description;
  for (const adapter_file& one : adapters) {
    const model_description& about = one.description;
    if (about.trunk_fingerprint != d.trunk_fingerprint) {
      if (!about.trunk_fingerprint.empty() && !d.trunk_fingerprint.empty())
        throw config_error(one.tensors.path() + ": was trained on another trunk than " + first.tensors.path(), {"trunk"});
      if (d.trunk_fingerprint.empty()) d.trunk_fingerprint = about.trunk_fingerprint;
    }
    if (about.max_seq_length != d.max_seq_length) d.max_seq_length = std::nullopt;
    d.one_separator = d.one_separator && about.one_separator;
  }
  const bool wide = detail::all_double(adapters);
  if (how == combination::cat) {
    d.lora.ranks.clear();
    d.lora.alphas.clear();
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<double> positive;
  for (const double w : weights) positive.push_back(std::abs(w));
  const auto of_encoder = trunk_tensors(config);
  for (const auto& wanted : adapter_tensors(config, d, first.tensors)) {
    const std::string& name = wanted.first;
    if (how == combination::cat && name.ends_with(tensor_names::lora_b)) continue;
    if (how == combination::cat && name.ends_with(tensor_names::lora_a)) {
      const std::string layer = name.substr(0, name.size() - std::string_view(tensor_names::lora_a).size());
      wide ? detail::concatenate<double>(combined, adapters, weights, layer)
           : detail::concatenate<float>(combined, adapters, weights, layer);
      continue;
    }
    const bool whole = of_encoder.contains(name) && std::abs(sum - 1) > 1e-12;
    if (whole && trunk == nullptr) {
      throw config_error(first.tensors.path() + ": holds tensors of the encoder ('" + name +
                             "'), and the weights do not sum up to 1: the encoder's own are needed",
                         {"trunk"});
    }
    const auto& factors = how == combination::only_negate_b && name.ends_with(tensor_names::lora_a) ? positive : weights;
    const auto add = [&]<class T>(T) {
      auto values = detail::weighted_values<T>(adapters, factors, name);
      if (whole) detail::add_scaled<T>(values, 1 - sum, trunk->values<T>(name));
      detail::add_values<T>(combined.tensors, name, wanted.second, std::move(values));
    };
    wide ? add(double()) : add(float());
  }
  if (how == combination::cat && !d.lora.ranks.empty()) {
    d.lora.r = d.lora.ranks.begin()->second;
    d.lora.alpha = d.lora.alphas.begin()->second;
    std::erase_if(d.lora.ranks, [&](const auto& one) { return one.second == d.lora.r; });
    std::erase_if(d.lora.alphas, [&](const auto& one) { return one.second == d.lora.alpha; });
  }
  return combined;
}

GRAFT_INLINE void combine_heads(adapter_file& combined, const std::vector<adapter_file>& adapters, const std::vector<double>& weights,
                                const encoder_config& config) {
  const adapter_file& first = adapters.at(0);
  const model_description& like = first.description;
  tensor_shapes head = head_tensors(config, std::max<index>(like.num_labels(), 1), like.head);
  std::erase_if(head, [&](const auto& one) { return !first.tensors.contains(one.first); });
  for (const adapter_file& one : adapters) {
    const model_description& d = one.description;
    const bool same = d.output == like.output && d.labels == like.labels && d.sigmoid == like.sigmoid && d.head == like.head &&
                      d.labels_said == like.labels_said;
    const bool there = std::all_of(head.begin(), head.end(), [&](const auto& tensor) { return one.tensors.contains(tensor.first); });
    if (!one.has_head() || !same || !there)
      throw config_error(
          one.tensors.path() + ": has no head over the labels of " + first.tensors.path() + ": heads of one task are combined",
          {"head_of", "none"});
  }
  model_description& d = combined.description;
  d.output = like.output;
  d.labels = like.labels;
  d.labels_said = like.labels_said;
  d.head = like.head;
  d.sigmoid = like.sigmoid;
  d.as_trained = like.as_trained;
  d.task_name = like.task_name;
  const bool wide = detail::all_double(adapters);
  for (const auto& [name, shape] : head) {
    wide ? detail::add_values<double>(combined.tensors, name, shape, detail::weighted_values<double>(adapters, weights, name))
         : detail::add_values<float>(combined.tensors, name, shape, detail::weighted_values<float>(adapters, weights, name));
  }
}

}  // namespace graft
