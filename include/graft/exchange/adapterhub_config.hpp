#pragma once
// What an adapter_config.json of AdapterHub's library says, as far as graft computes it.

#include <optional>
#include <string>

#include "graft/adapters/general_options.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/config.hpp"
#include "graft/model/description.hpp"

namespace graft::detail {

/// hidden_size // FACTOR as Python computes it for floating-point numbers, and at least 1; nothing when no adapter may be so large.
std::optional<index> reduced_size(index hidden_size, double factor);

/// @throws format_error  ABOUT, a configuration of the library's, says that it is for another model
void check_model(const json& about, const encoder_config& config, const std::string& path);

/// The adapter that GIVEN, the fields of a BnConfig, describes. HAS_VERSION: the file says which version of the library wrote it.
/// @throws format_error  a field asks for what graft does not compute
adapter_options describe_bottleneck(const json& given, const encoder_config& config, bool has_version, const std::string& path);

/// The fields of a BnConfig that are read back to O.
ordered_json bottleneck_configuration(const adapter_options& o, const encoder_config& config);

model_description describe_adapterhub(const json& about, const encoder_config& config, const std::string& path);

/// What a head_config.json says.
struct adapterhub_head {
  std::string name;
  head_options made{};
  bool trunk_pooler = false;  // its first dense layer is BERT's pooler, which is the trunk's
  bool hf_names = false;      // a head of RobertaForSequenceClassification and the like, under its names there
  bool bias = true;           // of the last layer
  bool activated = true;      // there are modules of activations between the layers
  bool sigmoid = false;
  index classes = 0;
  json labels{};  // what holds label2id or id2label
};

adapterhub_head describe_head(const json& about, const encoder_config& config, const std::string& path);

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/adapterhub_config-inl.hpp"  // IWYU pragma: export
#endif
