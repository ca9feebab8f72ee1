#pragma once
// What a family of encoders is to the rest of graft.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/json_fwd.hpp"
#include "graft/core/tuning_options.hpp"

namespace graft {

/// A part of tensors' names, whole words between dots, as graft calls it and as files do.
struct renamed_part {
  std::string_view ours, theirs;
};

/// What config.json calls a family's models, and how the names of transformers' classes begin.
struct model_type_name {
  std::string_view type, classes;
};

/// Where an encoder says where tokens stand, beside or in place of a table of positions.
enum class position_kind : std::uint8_t { table, relative_bias, disentangled, rotary };

/// A family of encoders: what of its files and of its computation differs from BERT's. Inside graft tensors are called as BERT's are,
/// NAME in front: NAME.embeddings.*, NAME.encoder.layer.L.attention.self.query.*, ..., and a head classifier.dense.*,
/// classifier.out_proj.*; config.json has BERT's fields.
struct model_family {
  std::string_view name;                                     ///< what graft calls it
  std::vector<model_type_name> types;                        ///< the usual one first
  std::vector<renamed_part> names{};                         ///< where files call tensors otherwise; of two that fit, the first
  std::vector<std::string_view> other_heads{};               ///< what names of pretraining's heads begin with: graft has no use for them
  json (*usual_config)(json, const std::string&) = nullptr;  ///< OBJECT from PATH with BERT's fields; null: it has them
  std::int32_t pad_token_id = 0;                             ///< where config.json says none
  bool positions_after_padding = false;                      ///< they begin at the padding id + 1, and a literal padding token has that id
  position_kind positions = position_kind::table;
  bool has_embedding_size = false;           ///< its tables may be narrower than its layers ("embedding_size")
  bool drops_attention_output = true;        ///< with hidden_dropout_prob, before the residual
  bool trunk_pooler = false;                 ///< the head's first layer comes with the encoder
  activation head_act = activation::tanh;    ///< behind the first layer of a model's own head
  bool drops_head_input = true;              ///< with the head's dropout
  bool head_dropout_for_texts_only = false;  ///< "classifier_dropout" is of heads for whole texts alone
  bool pre_norm = false;                     ///< parts read LN(x), and what they give is added to x; another LN behind the last layer
  std::string_view vocabulary{};             ///< family of its tokenizers: "bert", "roberta"; "": others
};

}  // namespace graft
