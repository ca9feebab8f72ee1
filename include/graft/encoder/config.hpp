#pragma once
// The sizes and constants of an encoder, read from a Hugging Face config.json and checked.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/index.hpp"
#include "graft/core/json_fwd.hpp"

namespace graft {

/// Sizes and constants of an encoder; the fields are those of a Hugging Face config.json, by BERT's names.
struct encoder_config {
  std::string model_type;  ///< its family (encoder/families/families.hpp): what its tensors' names begin with
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
  std::string hidden_act;                      ///< a function of transformers' activations.py
  std::int32_t pad_token_id = 0;
  std::string named_type{};          ///< what config.json calls it where that is not its family: "xlm-roberta"; "" else
  index embedding_size = 0;          ///< of the rows of the tables below the first layer; 0: hidden_size
  index relative_buckets = 0;        ///< of distances between tokens, where the family tells them apart; 0: each has its own
  index max_relative_positions = 0;  ///< distances from there on are one, where they have vectors
  bool distance_keys = false, distance_queries = false;  ///< "c2p", "p2c" of "pos_att_type": whether those are attended to, and attend
  bool distances_normalized = false;                     ///< "norm_rel_ebd": they go through a LayerNorm
  bool position_table = true;                            ///< "position_biased_input": positions are added to the words
  std::optional<double> pooler_dropout{};                ///< of what goes into the head, in place of the family's
  std::string pooler_hidden_act{};                       ///< behind the head's first layer; "": the family's
  double global_rope_theta = 0, local_rope_theta = 0;  ///< bases of rotary positions' angles, in layers that see all tokens, and the others
  index local_attention = 0;                           ///< tokens that such a layer sees at once; half as many on either side
  std::vector<bool> local_layers{};                    ///< which are: "layer_types", or "global_attn_every_n_layers"
  bool attention_bias = true, mlp_bias = true, norm_bias = true,
       classifier_bias = true;  ///< whether there are such; the head's first layer's
  double mlp_dropout = 0;       ///< of gated feed-forward parts' inner numbers
  bool mean_pooling = false;    ///< "classifier_pooling": the head reads a mean

  /// Tokens in the longest sequence, special tokens included: RoBERTa's positions start behind the padding id.
  index max_sequence_length() const;
  /// The epsilon of the LayerNorms at the sites; 0 where there are none.
  double site_norm_eps() const;
  /// Numbers in a row of its tables.
  index embedding_width() const { return embedding_size == 0 ? hidden_size : embedding_size; }

  bool operator==(const encoder_config&) const = default;
};

struct relative_options;

/// What attention of an encoder with C is told of distances; nothing: nothing.
std::optional<relative_options> relative_options_of(const encoder_config& c);

/// The family of encoders that a model's NAME speaks of, such as "roberta" of xlm-roberta-base; "" for any other.
std::string encoder_family(const std::string& name);

namespace detail {

index integer_field(const json& object, const std::string& field, const std::string& path, index least, index most);
/// 0 to less than 1.
double fraction_field(const json& object, const std::string& field, const std::string& path, double fallback);

/// The family. Files from before 2020 carry no model_type; their `architectures` still tell.
std::string encoder_model_type(const json& object, const std::string& path);

}  // namespace detail

/// Reads and checks the fields of OBJECT, a parsed config.json that came from PATH (named in errors only).
/// Absent fields take the defaults of transformers: 12 layers, 12 heads, intermediate_size 3072, max_position_embeddings 512,
/// type_vocab_size 2, layer_norm_eps 1e-12 (also RoBERTa's, whose own files say 1e-5), pad_token_id (RoBERTa 1, BERT 0), both dropouts 0.1,
/// the head's as the encoder's, hidden_act "gelu". Unknown fields are ignored.
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
