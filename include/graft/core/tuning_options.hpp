#pragma once
// The settings of adapters, mixes of them and low-rank updates, without the code that computes them.

#include <cstdint>
#include <string>
#include <vector>

#include "graft/core/index.hpp"

namespace graft {

/// gelu: x Phi(x).   relu: max(x, 0).   swish: x / (1 + exp(-x)).
enum class activation : std::uint8_t { gelu, relu, swish };

/// "gelu", "relu" or "swish".
std::string activation_name(activation a);

/// @throws config_error  TEXT is none of the three
activation parse_activation(const std::string& text);

/// Where adapters sit.   houlsby: at both sites of a layer, before the LayerNorm.   pfeiffer: at the feed-forward site alone, behind it.
enum class adapter_placement : std::uint8_t { houlsby, pfeiffer };

/// "houlsby" or "pfeiffer".
std::string placement_name(adapter_placement p);

/// @throws config_error  TEXT is neither of the two
adapter_placement parse_placement(const std::string& text);

/// Where the adapter of one site stands: nowhere, before the LayerNorm (Houlsby) or behind it (Pfeiffer).
enum class adapter_place : std::uint8_t { none, before_norm, behind_norm };

/// Where PLACEMENT puts the adapter of a feed-forward site, or of an attention site.
adapter_place place_at(adapter_placement placement, bool feed_forward_site);

/// softmax: w = softmax(v), v = 1/n at the start.   gates: w = sigmoid(v), v = 0.   weights: w = v, v = 1.
enum class mixing_mode : std::uint8_t { softmax, gates, weights };

/// "softmax", "gates" or "weights".
std::string mixing_mode_name(mixing_mode mode);

/// @throws config_error  TEXT is none of the three
mixing_mode parse_mixing_mode(const std::string& text);

/// One adapter of a mix.
struct mixed_adapter {
  std::string name;
  index size = 64;  // K
  activation act = activation::gelu;
  adapter_placement placement = adapter_placement::houlsby;
};

/// What is mixed at every site, in order; `base`, when included, is last.
struct multi_adapter_options {
  std::vector<mixed_adapter> adapters{};
  bool include_base = true;
  bool include_flex = false;
  index flex_size = 64;
  activation flex_activation = activation::gelu;
  mixing_mode mode = mixing_mode::softmax;
  bool optimized = true;  // the fused kernel wherever the adapters are frozen; false: always the plain loop

  index count() const { return static_cast<index>(adapters.size()) + (include_base ? 1 : 0); }
  std::vector<std::string> mixed_names() const;
};

/// base, flex: mixing weights, head, and flex where it is included.   base_ft: everything but the mixed adapters and their
/// LayerNorms, the base's included.   full_ft: everything.
enum class multi_adapter_ft_mode : std::uint8_t { base, flex, base_ft, full_ft };

/// @throws config_error  TEXT is none of the four
multi_adapter_ft_mode parse_ft_mode(const std::string& text);

/// Which projections get a low-rank update, and how large.
struct lora_options {
  index r = 8;       // rank
  double alpha = 8;  // the update is scaled by alpha / r
  std::vector<std::string> targets{"query", "value"};
};

/// Whether TARGET, the end of a name from a dot on, names LAYER.
bool is_target(const std::string& layer, const std::string& target);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/tuning_options-inl.hpp"  // IWYU pragma: export
#endif
