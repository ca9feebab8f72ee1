#pragma once
// Bodies of graft/encoder/config.hpp.

#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/config.hpp"

namespace graft {

GRAFT_INLINE index encoder_config::max_sequence_length() const {
  return model_type == "roberta" ? max_position_embeddings - pad_token_id - 1 : max_position_embeddings;
}

GRAFT_INLINE std::string encoder_family(const std::string& name) {
  if (name.find("roberta") != name.npos) return "roberta";
  return name.starts_with("bert") ? "bert" : "";
}

}  // namespace graft

namespace graft::detail {

GRAFT_INLINE index integer_field(const json& object, const std::string& field, const std::string& path, index least, index most) {
  const auto value = required<json>(object, field, path);
  const std::string expected = ", a whole number from " + std::to_string(least) + " to " + std::to_string(most) + " was expected";
  if (!value.is_number_integer()) throw format_error(path, "\"" + field + "\" is " + shown(value) + expected);
  const bool too_large = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most);
  if (too_large || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most) {
    throw format_error(path, "\"" + field + "\" is " + shown(value) + expected);
  }
  return value.get<index>();
}

GRAFT_INLINE double fraction_field(const json& object, const std::string& field, const std::string& path, double fallback) {
  const auto value = optional<json>(object, field, path, json(fallback));
  if (!value.is_number() || value.get<double>() < 0 || value.get<double>() >= 1) {
    throw format_error(path, "\"" + field + "\" is " + shown(value) + ", a number from 0 to less than 1 was expected");
  }
  return value.get<double>();
}

GRAFT_INLINE std::string encoder_model_type(const json& object, const std::string& path) {
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

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE encoder_config parse_encoder_config(const json& object, const std::string& path) {
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

GRAFT_INLINE encoder_config read_encoder_config(const std::string& path) { return parse_encoder_config(read_json(path), path); }

GRAFT_INLINE json to_json(const encoder_config& config) {
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
