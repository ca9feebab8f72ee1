#pragma once
// The sizes and constants of an encoder, read from a Hugging Face config.json and checked.

#include <cstdint>
#include <optional>
#include <string>

#include "graft/core/index.hpp"
#include "graft/core/json_fwd.hpp"

namespace graft {

/// Sizes and constants of a RoBERTa or BERT encoder; the fields are those of a Hugging Face config.json.
struct encoder_config {
  std::string model_type;  ///< "roberta" or "bert"
  index vocab_size = 0;
  index hidden_size = 0;
  index num_hidden_layers = 0;
  index num_attention_heads = 0;
  index intermediate_size = 0;
  index max_position_embeddings = 0;  ///< rows of the position table: RoBERTa's longest sequence is pad_token_id + 1 shorter
  index type_vocab_size = 0;
  double layer_norm_eps = 0;
  double hidden_dropout_prob = 0;
  double attention_probs_dropout_prob = 0;
  std::optional<double> classifier_dropout{};  ///< in the head, in place of hidden_dropout_prob
  std::string hidden_act;                      ///< "gelu"
  std::int32_t pad_token_id = 0;

  /// Tokens in the longest sequence, special tokens included: RoBERTa's positions start behind the padding id.
  index max_sequence_length() const;

  bool operator==(const encoder_config&) const = default;
};

/// "roberta" or "bert", the family of encoders that a model's NAME speaks of, such as xlm-roberta-base; "" for any other.
std::string encoder_family(const std::string& name);

namespace detail {

index integer_field(const json& object, const std::string& field, const std::string& path, index least, index most);

/// "roberta" or "bert". Files from before 2020 carry no model_type; their `architectures` still tell.
std::string encoder_model_type(const json& object, const std::string& path);

}  // namespace detail

/// Reads and checks the fields of OBJECT, a parsed config.json that came from PATH (named in errors only).
/// Absent fields take the defaults of transformers: 12 layers, 12 heads, intermediate_size 3072, max_position_embeddings 512,
/// type_vocab_size 2, layer_norm_eps 1e-12 (also RoBERTa's, whose own files say 1e-5), pad_token_id (RoBERTa 1, BERT 0), both dropouts 0.1,
/// the head's as the encoder's, hidden_act "gelu" (or "gelu_python", the same). Unknown fields are ignored.
/// @throws format_error  naming the file and the field: a size that is missing, not positive or absurd; heads that do not divide the
///                       hidden size; a model type, activation or kind of position embedding that graft does not compute
encoder_config parse_encoder_config(const json& object, const std::string& path);

/// Reads and checks the config.json at PATH.
/// @throws format_error  as parse_encoder_config, or the file is missing or not JSON
encoder_config read_encoder_config(const std::string& path);

/// The config.json of CONFIG: parse_encoder_config reads it back to an equal value.
json to_json(const encoder_config& config);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/encoder/config-inl.hpp"  // IWYU pragma: export
#endif
