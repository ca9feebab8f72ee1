#pragma once
// The settings of AdapterHub's bottleneck adapters beside size, activation and a number that scales.

#include <cstdint>
#include <string>
#include <vector>

#include "graft/adapters/adapter_options.hpp"

namespace graft {

/// What a `general` adapter computes (adapters/general_adapter.hpp); fields, and their names in adapter_options::settings, are those of
/// AdapterHub's BnConfig.
struct general_adapter_options {
  /// What is added to what the module makes: h, h + x, or what the module reads.
  enum class residual : std::uint8_t { before_ln, post_add, input };
  /// s: one number that is given, one that is trained, or one that is trained for each column.
  enum class scaling : std::uint8_t { number, learned, channel };

  bool mh_adapter = true;                   ///< at the attention's site
  bool output_adapter = true;               ///< at the feed-forward part's
  bool is_parallel = false;                 ///< the module reads x
  bool original_ln_before = false;          ///< the sub-layer's LayerNorm stands before the module
  bool original_ln_after = true;            ///< and after it
  bool ln_before = false;                   ///< a LayerNorm of the adapter's own in front of the projection down
  bool ln_after = false;                    ///< and behind the one up
  bool adapter_residual_before_ln = false;  ///< what the module reads is added in front of ln_after
  bool use_gating = false;                  ///< the module's part is weighed by a sigmoid of what it reads
  residual from = residual::before_ln;      ///< "residual_before_ln": true, "post_add", false
  scaling scaled = scaling::number;         ///< "scaling": "learned", "channel"
  bool invertible = false;                  ///< "inv_adapter": "nice", behind the embeddings (layers/coupling.hpp)
  double invertible_reduction = 2;          ///< "inv_adapter_reduction_factor"
  std::vector<index> sizes{};               ///< of each layer, 0 where it has no adapter; empty: adapter_options::size in all

  /// The adapter's size at WHERE, 0 where there is none; O is what these settings are of.
  index size_at(const adapter_options& o, site_location where) const;
};

/// What options, files and flags call it.
inline constexpr const char* general_kind = "general";
inline bool is_general(const adapter_options& o) { return o.kind == general_kind; }

/// The kinds that are one setting of the general one.
struct special_kind {
  const char* name;
  general_adapter_options options;
};
std::vector<special_kind> special_kinds();

/// What O is as a general adapter, of whichever kind it is.
general_adapter_options as_general(const adapter_options& o);

/// Reads SETTINGS, a JSON object; "" is none, and what it leaves out is as above.
/// @throws config_error  a field is unknown or is not what was expected, or a combination that stands for nothing
general_adapter_options parse_general_settings(const std::string& settings);

/// SETTINGS that parse_general_settings reads back to O: what differs from the above.
std::string general_settings(const general_adapter_options& o);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/general_options-inl.hpp"  // IWYU pragma: export
#endif
