#pragma once
// Bodies of graft/core/tuning_options.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/tuning_options.hpp"

namespace graft {

GRAFT_INLINE std::string activation_name(activation a) {
  return a == activation::gelu ? "gelu" : a == activation::relu ? "relu" : "swish";
}

GRAFT_INLINE activation parse_activation(const std::string& text) {
  for (const activation a : {activation::gelu, activation::relu, activation::swish}) {
    if (text == activation_name(a)) return a;
  }
  throw config_error("adapter_hidden_act is \"" + text + "\", one of gelu, relu, swish was expected");
}

GRAFT_INLINE std::string mixing_mode_name(mixing_mode mode) {
  return mode == mixing_mode::softmax ? "softmax" : mode == mixing_mode::gates ? "gates" : "weights";
}

GRAFT_INLINE mixing_mode parse_mixing_mode(const std::string& text) {
  for (const mixing_mode mode : {mixing_mode::softmax, mixing_mode::gates, mixing_mode::weights}) {
    if (text == mixing_mode_name(mode)) return mode;
  }
  throw config_error("adapter_weight_mode is \"" + text + "\", one of softmax, gates, weights was expected");
}

GRAFT_INLINE multi_adapter_ft_mode parse_ft_mode(const std::string& text) {
  if (text == "base") return multi_adapter_ft_mode::base;
  if (text == "flex") return multi_adapter_ft_mode::flex;
  if (text == "base_ft") return multi_adapter_ft_mode::base_ft;
  if (text == "full_ft") return multi_adapter_ft_mode::full_ft;
  throw config_error("adapter_ft_mode is \"" + text + "\", one of base, flex, base_ft, full_ft was expected");
}

GRAFT_INLINE bool is_target(const std::string& layer, const std::string& target) { return layer.ends_with("." + target); }

}  // namespace graft
