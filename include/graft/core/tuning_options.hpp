#pragma once
// Settings of adapters, mixes and low-rank updates that are one word or number each, without the code that computes them.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graft/core/index.hpp"

namespace graft {

/// Element-wise functions, as transformers' names say (its activations.py); ops/activation.hpp has the formulas.
enum class activation : std::uint8_t {
  gelu,
  relu,
  swish,
  gelu_new,
  gelu_10,
  quick_gelu,
  tanh,
  sigmoid,
  leaky_relu,
  relu2,
  relu6,
  mish,
  laplace,
  linear
};

/// "gelu", "relu", "swish", ...
std::string activation_name(activation a);

/// The one called TEXT, by its name or another that transformers has for the same function: silu, gelu_python, gelu_pytorch_tanh, ...
/// @throws config_error  there is none: "NAME is "foo", one of ... was expected"
activation parse_activation(const std::string& text, const std::string& name = "adapter_hidden_act");

/// What is tuned beside an encoder, or of it. A mix (multi_adapter) has members of the kinds adapter to fusion. `unknown` is what a file
/// does not say.
enum class tuning_kind : std::uint8_t { unknown, adapter, lora, ia3, prefix, fusion, multi_adapter, full, head };

/// "adapter", "lora", ..., as files call it; "" of what is unknown.
std::string tuning_kind_name(tuning_kind kind);

/// The part of a layer whose output comes to a site.
enum class sub_layer : std::uint8_t { attention, feed_forward };

/// A site of the encoder: behind which part, of which layer.
struct site_location {
  sub_layer behind = sub_layer::feed_forward;
  index layer = 0;
};

/// softmax: w = softmax(v), v = 1/n at the start.   gates: w = sigmoid(v), v = 0.   weights: w = v, v = 1.
/// fusion: each token attends to the adapters (adapters/fusion_adapter.hpp).
enum class mixing_mode : std::uint8_t { softmax, gates, weights, fusion };

/// "softmax", "gates", "weights" or "fusion".
std::string mixing_mode_name(mixing_mode mode);

/// @throws config_error  TEXT is none of the four
mixing_mode parse_mixing_mode(const std::string& text);

/// base, flex: mixing weights, head, and flex where it is included.   base_ft: everything but the mixed adapters and their
/// LayerNorms, the base's included.   full_ft: everything.
enum class multi_adapter_ft_mode : std::uint8_t { base, flex, base_ft, full_ft };

/// @throws config_error  TEXT is none of the four
multi_adapter_ft_mode parse_ft_mode(const std::string& text);

namespace detail {
/// A function, since g++ 12 breaks off at a list as a member's initializer where a template makes a mix of adapters by their names.
inline std::vector<std::string> usual_lora_targets() { return {"query", "value"}; }
}  // namespace detail

/// Which projections get a low-rank update, and how large.
struct lora_options {
  index r = 8;       // rank
  double alpha = 8;  // the update is scaled by alpha / r
  std::vector<std::string> targets = detail::usual_lora_targets();
  std::map<std::string, index> ranks{};    // of the layers, by their whole names, that have another rank
  std::map<std::string, double> alphas{};  // ... another alpha
  bool dora = false;                       // rows of W + (alpha / r) B A get lengths of their own: lora_magnitude_vector
  bool dora_outputs = false;               // ... as in AdapterHub's library: see merged_tensors
  bool bias = false;                       // B has a bias, scaled as the update is
  bool gates = false;                      // sequences scale the update by a gate (layers/sequence_gate.hpp): not trained
  double dropout = 0;                      // of what A reads, in training; in a mix there is none

  /// Whether one of the targets names LAYER.
  bool updates(const std::string& layer) const;
  /// Its rank.
  index rank_of(const std::string& layer) const;
  /// Its alpha.
  double alpha_of(const std::string& layer) const;

  bool operator==(const lora_options&) const = default;
};

/// @throws config_error  a rank or an alpha of O is out of range; NAME is what has them: "", or "rte's "
void check_lora(const lora_options& o, const std::string& name = "");

/// Keys and values in front of every sequence's own, in every layer (layers/attention_prefix.hpp).
struct prefix_options {
  index length = 30;                  // L
  index bottleneck = 512;             // B of the network that makes them; 0: they are parameters themselves
  activation act = activation::tanh;  // of the network
  index gates = 0;                    // 1: keys and values are scaled by what a sequence's tokens say; 2: by a number each
  std::vector<index> leave_out{};     // layers without

  bool operator==(const prefix_options&) const = default;
};

/// Which projections IA3 scales: their outputs, b included, or their inputs.
struct ia3_options {
  std::vector<std::string> targets{};       // all of them
  std::vector<std::string> feed_forward{};  // those whose inputs are scaled
  bool gates = false;                       // sequences scale the outputs, too (layers/sequence_gate.hpp)

  bool operator==(const ia3_options&) const = default;
};

/// Whether TARGET names LAYER: all of its name or, of a layer of the encoder, the end of it from a dot on.
bool is_target(const std::string& layer, const std::string& target);

/// Whether one of TARGETS does.
bool is_any_target(const std::string& layer, const std::vector<std::string>& targets);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/tuning_options-inl.hpp"  // IWYU pragma: export
#endif
