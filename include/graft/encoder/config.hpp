#pragma once
// The sizes and constants of an encoder, read from a Hugging Face config.json and checked.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/core/types.hpp"

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
  std::string hidden_act;  ///< "gelu"
  std::int32_t pad_token_id = 0;

  /// Tokens in the longest sequence, special tokens included: RoBERTa's positions start behind the padding id.
  index max_sequence_length() const {
    return model_type == "roberta" ? max_position_embeddings - pad_token_id - 1 : max_position_embeddings;
  }

  bool operator==(const encoder_config&) const = default;
};

/// "roberta" or "bert", the family of encoders that a model's NAME speaks of, such as xlm-roberta-base; "" for any other.
inline std::string encoder_family(const std::string& name) {
  if (name.find("roberta") != name.npos) return "roberta";
  return name.starts_with("bert") ? "bert" : "";
}

namespace detail {

inline index integer_field(const json& object, const std::string& field, const std::string& path, index least, index most) {
  const auto value = required<json>(object, field, path);
  const std::string expected = ", a whole number from " + std::to_string(least) + " to " + std::to_string(most) + " was expected";
  if (!value.is_number_integer()) throw format_error(path, "\"" + field + "\" is " + shown(value) + expected);
  const bool too_large = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most);
  if (too_large || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most) {
    throw format_error(path, "\"" + field + "\" is " + shown(value) + expected);
  }
  return value.get<index>();
}

inline double fraction_field(const json& object, const std::string& field, const std::string& path, double fallback) {
  const auto value = optional<json>(object, field, path, json(fallback));
  if (!value.is_number() || value.get<double>() < 0 || value.get<double>() >= 1) {
    throw format_error(path, "\"" + field + "\" is " + shown(value) + ", a number from 0 to less than 1 was expected");
  }
  return value.get<double>();
}

/// "roberta" or "bert". Files from before 2020 carry no model_type; their `architectures` still tell.
inline std::string encoder_model_type(const json& object, const std::string& path) {
  const auto type = optional<std::string>(object, "model_type", path, "");
  if (type == "roberta" || type == "xlm-roberta" || type == "distilroberta") return "roberta";
  if (type == "bert") return "bert";
  if (!type.empty()) throw format_error(path, "\"model_type\" is \"" + type + "\", \"roberta\" or \"bert\" was expected");
  for (const auto& name : optional<std::vector<std::string>>(object, "architectures", path, {})) {
    if (name.starts_with("Roberta") || name.starts_with("XLMRoberta")) return "roberta";
    if (name.starts_with("Bert")) return "bert";
  }
  throw format_error(path, "has no \"model_type\": add \"model_type\": \"roberta\" (or \"bert\")");
}

}  // namespace detail

/// Reads and checks the fields of OBJECT, a parsed config.json that came from PATH (named in errors only).
/// Absent fields take the defaults of transformers: 12 layers, 12 heads, intermediate_size 3072, max_position_embeddings 512,
/// type_vocab_size 2, layer_norm_eps 1e-12 (also RoBERTa's, whose own files say 1e-5), pad_token_id (RoBERTa 1, BERT 0), both dropouts 0.1, the
/// head's as the encoder's, hidden_act "gelu" (or "gelu_python", the same). Unknown fields are ignored.
/// @throws format_error  naming the file and the field: a size that is missing, not positive or absurd; heads that do not divide the
///                       hidden size; a model type, activation or kind of position embedding that graft does not compute
inline encoder_config parse_encoder_config(const json& object, const std::string& path) {
  if (!object.is_object()) throw format_error(path, "holds a JSON " + std::string(object.type_name()) + ", an object was expected");
  encoder_config c;
  c.model_type = detail::encoder_model_type(object, path);
  const bool roberta = c.model_type == "roberta";
  c.vocab_size = detail::integer_field(object, "vocab_size", path, 1, 10'000'000);
  c.hidden_size = detail::integer_field(object, "hidden_size", path, 1, 65'536);
  const auto size = [&](const char* field, index most, index usual) {
    return object.contains(field) ? detail::integer_field(object, field, path, 1, most) : usual;
  };
  c.num_hidden_layers = size("num_hidden_layers", 1'000, 12);
  c.num_attention_heads = size("num_attention_heads", 4'096, 12);
  c.intermediate_size = size("intermediate_size", 1'048'576, 3'072);
  c.max_position_embeddings = size("max_position_embeddings", 1'048'576, 512);
  c.type_vocab_size = size("type_vocab_size", 1'024, 2);
  c.layer_norm_eps = detail::fraction_field(object, "layer_norm_eps", path, 1e-12);
  c.hidden_dropout_prob = detail::fraction_field(object, "hidden_dropout_prob", path, 0.1);
  c.attention_probs_dropout_prob = detail::fraction_field(object, "attention_probs_dropout_prob", path, 0.1);
  if (object.contains("classifier_dropout") && !object["classifier_dropout"].is_null()) {
    c.classifier_dropout = detail::fraction_field(object, "classifier_dropout", path, 0);
  }
  c.hidden_act = optional<std::string>(object, "hidden_act", path, "gelu");
  const bool pad_given = object.contains("pad_token_id") && !object["pad_token_id"].is_null();
  c.pad_token_id =
      pad_given ? static_cast<std::int32_t>(detail::integer_field(object, "pad_token_id", path, 0, c.vocab_size - 1)) : (roberta ? 1 : 0);

  if (c.hidden_size % c.num_attention_heads != 0) {
    throw format_error(path, "\"hidden_size\" is " + std::to_string(c.hidden_size) + ", a multiple of \"num_attention_heads\" (" +
                                 std::to_string(c.num_attention_heads) + ") was expected");
  }
  if (c.layer_norm_eps == 0) throw format_error(path, "\"layer_norm_eps\" is 0, a number greater than 0 was expected");
  if (c.hidden_act == "gelu_python") c.hidden_act = "gelu";  // another way of computing the same
  for (const auto* field : {"is_decoder", "add_cross_attention"}) {
    if (!optional<bool>(object, field, path, false)) continue;
    throw format_error(path, "\"" + std::string(field) + "\" is true: only encoders are computed, in which every token sees all others");
  }
  if (c.hidden_act != "gelu") {
    throw format_error(path, "\"hidden_act\" is \"" + c.hidden_act + "\", only \"gelu\" (the erf form) is computed");
  }
  const auto positions = optional<std::string>(object, "position_embedding_type", path, "absolute");
  if (positions != "absolute") {
    throw format_error(path, "\"position_embedding_type\" is \"" + positions + "\", only \"absolute\" is computed");
  }
  if (c.max_sequence_length() < 1) {
    throw format_error(path, "\"max_position_embeddings\" is " + std::to_string(c.max_position_embeddings) +
                                 ", more than \"pad_token_id\" + 1 = " + std::to_string(c.pad_token_id + 1) + " was expected");
  }
  return c;
}

/// Reads and checks the config.json at PATH.
/// @throws format_error  as parse_encoder_config, or the file is missing or not JSON
inline encoder_config read_encoder_config(const std::string& path) { return parse_encoder_config(read_json(path), path); }

/// The config.json of CONFIG: parse_encoder_config reads it back to an equal value.
inline json to_json(const encoder_config& config) {
  json object{{"model_type", config.model_type},
          {"vocab_size", config.vocab_size},
          {"hidden_size", config.hidden_size},
          {"num_hidden_layers", config.num_hidden_layers},
          {"num_attention_heads", config.num_attention_heads},
          {"intermediate_size", config.intermediate_size},
          {"max_position_embeddings", config.max_position_embeddings},
          {"type_vocab_size", config.type_vocab_size},
          {"layer_norm_eps", config.layer_norm_eps},
          {"hidden_dropout_prob", config.hidden_dropout_prob},
          {"attention_probs_dropout_prob", config.attention_probs_dropout_prob},
          {"hidden_act", config.hidden_act},
          {"pad_token_id", config.pad_token_id}};
  if (config.classifier_dropout) object["classifier_dropout"] = *config.classifier_dropout;
  return object;
}

}  // namespace graft
