#pragma once
// Bodies of graft/core/tuning_options.hpp.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/range.hpp"
#include "graft/core/tuning_options.hpp"

namespace graft {

namespace detail {

inline constexpr const char* activation_names[] = {"gelu",    "relu",       "swish", "gelu_new", "gelu_10", "quick_gelu", "tanh",
                                                   "sigmoid", "leaky_relu", "relu2", "relu6",    "mish",    "laplace",    "linear"};
inline constexpr const char* tuning_kind_names[] = {"", "adapter", "lora", "ia3", "prefix", "fusion", "multi_adapter", "full", "head"};
inline constexpr std::pair<const char*, activation> other_activation_names[] = {
    {"silu", activation::swish},         {"gelu_python", activation::gelu},       {"gelu_pytorch_tanh", activation::gelu_new},
    {"gelu_fast", activation::gelu_new}, {"gelu_accurate", activation::gelu_new}, {"leakyrelu", activation::leaky_relu}};

}  // namespace detail

GRAFT_INLINE std::string activation_name(activation a) { return detail::activation_names[static_cast<std::size_t>(a)]; }

GRAFT_INLINE activation parse_activation(const std::string& text, const std::string& name) {
  std::string known;
  for (std::size_t i = 0; i < std::size(detail::activation_names); ++i) {
    if (text == detail::activation_names[i]) return static_cast<activation>(i);
    known += (i == 0 ? "" : ", ") + std::string(detail::activation_names[i]);
  }
  for (const auto& [other, a] : detail::other_activation_names) {
    if (text == other) return a;
  }
  throw config_error(name + " is \"" + text + "\", one of " + known + " was expected");
}

GRAFT_INLINE std::string tuning_kind_name(tuning_kind kind) { return detail::tuning_kind_names[static_cast<std::size_t>(kind)]; }

GRAFT_INLINE std::string mixing_mode_name(mixing_mode mode) {
  return mode == mixing_mode::softmax   ? "softmax"
         : mode == mixing_mode::gates   ? "gates"
         : mode == mixing_mode::weights ? "weights"
                                        : "fusion";
}

GRAFT_INLINE mixing_mode parse_mixing_mode(const std::string& text) {
  for (const mixing_mode mode : {mixing_mode::softmax, mixing_mode::gates, mixing_mode::weights, mixing_mode::fusion}) {
    if (text == mixing_mode_name(mode)) return mode;
  }
  throw config_error("adapter_weight_mode is \"" + text + "\", one of softmax, gates, weights, fusion was expected");
}

GRAFT_INLINE multi_adapter_ft_mode parse_ft_mode(const std::string& text) {
  if (text == "base") return multi_adapter_ft_mode::base;
  if (text == "flex") return multi_adapter_ft_mode::flex;
  if (text == "base_ft") return multi_adapter_ft_mode::base_ft;
  if (text == "full_ft") return multi_adapter_ft_mode::full_ft;
  throw config_error("adapter_ft_mode is \"" + text + "\", one of base, flex, base_ft, full_ft was expected");
}

GRAFT_INLINE bool lora_options::updates(const std::string& layer) const { return is_any_target(layer, targets); }

GRAFT_INLINE index lora_options::rank_of(const std::string& layer) const {
  const auto found = ranks.find(layer);
  return found == ranks.end() ? r : found->second;
}

GRAFT_INLINE double lora_options::alpha_of(const std::string& layer) const {
  const auto found = alphas.find(layer);
  return found == alphas.end() ? alpha : found->second;
}

GRAFT_INLINE void check_lora(const lora_options& o, const std::string& name) {
  check_range((name + "lora_r").c_str(), static_cast<double>(o.r), ranges::lora_r);
  check_range((name + "lora_alpha").c_str(), o.alpha, ranges::lora_alpha);
  check_range((name + "lora_dropout").c_str(), o.dropout, ranges::dropout);
  for (const auto& [layer, r] : o.ranks) check_range((name + "the rank of " + layer).c_str(), static_cast<double>(r), ranges::lora_r);
  for (const auto& [layer, alpha] : o.alphas) check_range((name + "alpha of " + layer).c_str(), alpha, ranges::lora_alpha);
}

GRAFT_INLINE bool is_target(const std::string& layer, const std::string& target) {
  // Layers of the head, outside, are named in full: "dense" means none of them.
  return layer == target || (layer.find(".layer.") != layer.npos && layer.ends_with("." + target));
}

GRAFT_INLINE bool is_any_target(const std::string& layer, const std::vector<std::string>& targets) {
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& target) { return is_target(layer, target); });
}

}  // namespace graft
