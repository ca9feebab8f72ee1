#pragma once
// Bodies of graft/encoder/config.hpp.

#include <algorithm>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/config.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/layers/relative_options.hpp"

namespace graft {

GRAFT_INLINE index encoder_config::max_sequence_length() const {
  return family_of(model_type).positions_after_padding ? max_position_embeddings - pad_token_id - 1 : max_position_embeddings;
}

GRAFT_INLINE double encoder_config::site_norm_eps() const { return family_of(model_type).pre_norm ? 0 : layer_norm_eps; }

GRAFT_INLINE std::string encoder_family(const std::string& name) {
  for (const model_family& one : model_families()) {
    for (const auto& known : one.types) {
      const auto at = name.find(known.type);
      if (at == 0 || (at != name.npos && known.type != "bert")) return std::string(one.name);
    }
  }
  return "";
}

GRAFT_INLINE std::optional<relative_options> relative_options_of(const encoder_config& c) {
  const position_kind kind = family_of(c.model_type).positions;
  if (kind == position_kind::table || kind == position_kind::rotary) return std::nullopt;
  relative_options o{.heads = c.num_attention_heads, .hidden_size = c.hidden_size, .disentangled = kind == position_kind::disentangled};
  o.buckets = c.relative_buckets;
  if (!o.disentangled) return o;
  o.farthest = c.max_relative_positions;
  o.keys = c.distance_keys;
  o.queries = c.distance_queries;
  o.normalized = c.distances_normalized;
  o.eps = c.layer_norm_eps;
  o.dropout = c.hidden_dropout_prob;
  return o;
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
  if (const model_family* family = family_of_type(type)) return std::string(family->name);
  if (!type.empty()) throw format_error(path, "\"model_type\" is \"" + type + "\", one of " + known_model_types() + " was expected");
  for (const auto& name : optional<std::vector<std::string>>(object, "architectures", path, {})) {
    for (const model_family& one : model_families()) {
      for (const auto& known : one.types) {
        if (name.starts_with(known.classes)) return std::string(one.name);
      }
    }
  }
  throw format_error(path, "has no \"model_type\": add \"model_type\": \"roberta\" (or \"bert\", ...)");
}

/// The function of the feed-forward layers that FIELD names.
/// @throws format_error  there is none of that name, or, where it is to be TRAINED, none whose derivative is saved in the little that
/// GELU's takes
GRAFT_INLINE std::string activation_field(const json& object, const std::string& field, const std::string& path, bool trained = true) {
  const auto name = optional<std::string>(object, field, path, "gelu");
  const std::string known = "gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu or mish";
  try {
    const activation act = parse_activation(name);
    if (!trained) return activation_name(act);
    for (const activation one :
         {activation::gelu, activation::gelu_new, activation::quick_gelu, activation::relu, activation::swish, activation::mish}) {
      if (act == one) return activation_name(act);
    }
  } catch (const config_error&) {  // refused below
  }
  throw format_error(path, "\"" + field + "\" is \"" + name + "\", " + known + " was expected");
}

/// The fields of C that say how a layer that normalizes first attends, and what has biases.
GRAFT_INLINE void read_rotary(encoder_config& c, const json& object, const std::string& path) {
  const auto theta = [&](const char* field) {
    const json value = object.value(field, json());
    if (value.is_number() && value.get<double>() > 0 && value.get<double>() < 1e30) return value.get<double>();
    throw format_error(path, "\"" + std::string(field) + "\" is " + shown(value) + ", a number greater than 0 was expected");
  };
  c.position_table = false;
  c.global_rope_theta = theta("global_rope_theta");
  c.local_rope_theta = theta("local_rope_theta");
  c.local_attention = integer_field(object, "local_attention", path, 2, 1'048'576);
  if (const json types = object.value("layer_types", json()); !types.is_null()) {
    const auto known = [](const json& type) { return type == "full_attention" || type == "sliding_attention"; };
    if (!types.is_array() || std::ssize(types) != c.num_hidden_layers || !std::all_of(types.begin(), types.end(), known)) {
      throw format_error(path, "\"layer_types\" is " + shown(types) + ", for each of " + std::to_string(c.num_hidden_layers) +
                                   " layers full_attention or sliding_attention was expected");
    }
    for (const json& type : types) c.local_layers.push_back(type == "sliding_attention");
  } else {
    const index every = integer_field(object, "global_attn_every_n_layers", path, 1, 1'000'000);
    for (index l = 0; l < c.num_hidden_layers; ++l) c.local_layers.push_back(l % every != 0);
  }
  c.attention_bias = optional<bool>(object, "attention_bias", path, false);
  c.mlp_bias = optional<bool>(object, "mlp_bias", path, false);
  c.norm_bias = optional<bool>(object, "norm_bias", path, false);
  c.classifier_bias = optional<bool>(object, "classifier_bias", path, false);
  c.mlp_dropout = fraction_field(object, "mlp_dropout", path, 0);
  c.pooler_hidden_act = activation_field(object, "pooler_hidden_act", path, false);
  const auto pooling = optional<std::string>(object, "classifier_pooling", path, "cls");
  if (pooling != "cls" && pooling != "mean")
    throw format_error(path, "\"classifier_pooling\" is \"" + pooling + "\", cls or mean was expected");
  c.mean_pooling = pooling == "mean";
  const index head = c.hidden_size / c.num_attention_heads;
  if (const json given = object.value("head_dim", json()); !given.is_null() && given != head)
    throw format_error(path, "\"head_dim\" is " + shown(given) + ", of a modernbert only hidden_size / num_attention_heads is computed");
  if (head % 2 != 0) {
    throw format_error(path, "\"hidden_size\" is " + std::to_string(c.hidden_size) +
                                 ", an even number for each of \"num_attention_heads\" (" + std::to_string(c.num_attention_heads) +
                                 ") was expected: halves of them are turned");
  }
}

/// The fields of C that say what distances between tokens do.
GRAFT_INLINE void read_distances(encoder_config& c, const json& object, const std::string& path) {
  c.relative_buckets = std::max<index>(0, integer_field(object, "position_buckets", path, -1, 65'536));
  c.max_relative_positions = integer_field(object, "max_relative_positions", path, 1, 1'048'576);
  std::string terms;  // a list, or a text with | between
  const json given = optional<json>(object, "pos_att_type", path, json::array());
  if (given.is_array()) {
    for (const json& one : given) terms += (one.is_string() ? one.get<std::string>() : one.dump()) + "|";
  } else {
    terms = given.is_string() ? given.get<std::string>() + "|" : given.dump();
  }
  for (std::size_t at = 0, end = 0; at < terms.size(); at = end + 1) {
    end = std::min(terms.find('|', at), terms.size());
    std::string term = terms.substr(at, end - at);
    std::erase(term, ' ');
    c.distance_keys |= term == "c2p";
    c.distance_queries |= term == "p2c";
    if (term != "" && term != "c2p" && term != "p2c")
      throw format_error(path, "\"pos_att_type\" is " + shown(given) + ", c2p, p2c or both were expected");
  }
  const auto norm = optional<std::string>(object, "norm_rel_ebd", path, "none");
  if (norm != "none" && norm != "layer_norm")
    throw format_error(path, "\"norm_rel_ebd\" is \"" + norm + "\", none or layer_norm was expected");
  c.distances_normalized = norm == "layer_norm";
  c.position_table = optional<bool>(object, "position_biased_input", path, true);
  c.pooler_dropout = fraction_field(object, "pooler_dropout", path, 0);
  c.pooler_hidden_act = activation_field(object, "pooler_hidden_act", path);
  if (c.relative_buckets > 0 && (c.relative_buckets < 4 || c.max_relative_positions <= c.relative_buckets / 2 + 1)) {
    throw format_error(path, "\"position_buckets\" is " + std::to_string(c.relative_buckets) +
                                 ", at least 4 and less than twice \"max_relative_positions\" (" +
                                 std::to_string(c.max_relative_positions) + ") was expected");
  }
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE encoder_config parse_encoder_config(const json& given, const std::string& path) {
  if (!given.is_object()) throw format_error(path, "holds a JSON " + std::string(given.type_name()) + ", an object was expected");
  encoder_config c;
  c.model_type = detail::encoder_model_type(given, path);
  const model_family& family = family_of(c.model_type);
  const json object = family.usual_config != nullptr ? family.usual_config(given, path) : given;
  c.named_type = optional<std::string>(given, "named_type", path, optional<std::string>(given, "model_type", path, ""));
  if (c.named_type == c.model_type || c.named_type == "distilroberta" || family_of_type(c.named_type) != &family) c.named_type.clear();
  c.vocab_size = detail::integer_field(object, "vocab_size", path, 1, 10'000'000);
  c.hidden_size = detail::integer_field(object, "hidden_size", path, 1, 65'536);
  const index segments_least = family.usual_config != nullptr ? 0 : 1;
  const auto size = [&](const char* field, index most, index usual) {
    return object.contains(field) ? detail::integer_field(object, field, path, 1, most) : usual;
  };
  c.num_hidden_layers = size("num_hidden_layers", 1'000, 12);
  c.num_attention_heads = size("num_attention_heads", 4'096, 12);
  c.intermediate_size = size("intermediate_size", 1'048'576, 3'072);
  c.max_position_embeddings = size("max_position_embeddings", 1'048'576, 512);
  c.type_vocab_size =
      object.contains("type_vocab_size") ? detail::integer_field(object, "type_vocab_size", path, segments_least, 1'024) : 2;
  if (family.has_embedding_size) c.embedding_size = size("embedding_size", 65'536, 0);
  if (c.embedding_size == c.hidden_size) c.embedding_size = 0;
  if (family.positions == position_kind::relative_bias) c.relative_buckets = size("relative_attention_num_buckets", 65'536, 32);
  c.layer_norm_eps = detail::fraction_field(object, "layer_norm_eps", path, 1e-12);
  c.hidden_dropout_prob = detail::fraction_field(object, "hidden_dropout_prob", path, 0.1);
  c.attention_probs_dropout_prob = detail::fraction_field(object, "attention_probs_dropout_prob", path, 0.1);
  if (object.contains("classifier_dropout") && !object["classifier_dropout"].is_null()) {
    c.classifier_dropout = detail::fraction_field(object, "classifier_dropout", path, 0);
  }
  if (family.positions == position_kind::disentangled) detail::read_distances(c, object, path);
  c.hidden_act = detail::activation_field(object, "hidden_act", path, family.positions != position_kind::rotary);
  const bool pad_given = object.contains("pad_token_id") && !object["pad_token_id"].is_null();
  c.pad_token_id =
      pad_given ? static_cast<std::int32_t>(detail::integer_field(object, "pad_token_id", path, 0, c.vocab_size - 1)) : family.pad_token_id;

  if (c.hidden_size % c.num_attention_heads != 0) {
    throw format_error(path, "\"hidden_size\" is " + std::to_string(c.hidden_size) + ", a multiple of \"num_attention_heads\" (" +
                                 std::to_string(c.num_attention_heads) + ") was expected");
  }
  if (family.positions == position_kind::rotary) detail::read_rotary(c, object, path);
  if (c.layer_norm_eps < 1e-37) {  // which is 0 in f32
    throw format_error(path, "\"layer_norm_eps\" is " + shown(json(c.layer_norm_eps)) + ", a number greater than 0 was expected");
  }
  for (const auto* field : {"is_decoder", "add_cross_attention"}) {
    if (!optional<bool>(object, field, path, false)) continue;
    throw format_error(path, "\"" + std::string(field) + "\" is true: only encoders are computed, in which every token sees all others");
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
  if (!config.named_type.empty()) object["named_type"] = config.named_type;
  if (family_of(config.model_type).has_embedding_size) object["embedding_size"] = config.embedding_width();
  const position_kind positions = family_of(config.model_type).positions;
  if (positions == position_kind::relative_bias) object["relative_attention_num_buckets"] = config.relative_buckets;
  if (positions == position_kind::disentangled) {
    object["relative_attention"] = object["share_att_key"] = true;
    object["position_buckets"] = config.relative_buckets == 0 ? -1 : config.relative_buckets;
    object["max_relative_positions"] = config.max_relative_positions;
    object["pos_att_type"] = json::array();
    if (config.distance_keys) object["pos_att_type"].push_back("c2p");
    if (config.distance_queries) object["pos_att_type"].push_back("p2c");
    object["norm_rel_ebd"] = config.distances_normalized ? "layer_norm" : "none";
    object["position_biased_input"] = config.position_table;
    object["pooler_dropout"] = config.pooler_dropout.value_or(0);
    object["pooler_hidden_act"] = config.pooler_hidden_act;
    if (config.classifier_dropout) object["cls_dropout"] = *config.classifier_dropout;
  }
  if (positions == position_kind::rotary) {
    object["global_rope_theta"] = config.global_rope_theta;
    object["local_rope_theta"] = config.local_rope_theta;
    object["local_attention"] = config.local_attention;
    object["layer_types"] = json::array();
    for (const bool local : config.local_layers) object["layer_types"].push_back(local ? "sliding_attention" : "full_attention");
    object["attention_bias"] = config.attention_bias;
    object["mlp_bias"] = config.mlp_bias;
    object["norm_bias"] = config.norm_bias;
    object["classifier_bias"] = config.classifier_bias;
    object["mlp_dropout"] = config.mlp_dropout;
    object["pooler_hidden_act"] = config.pooler_hidden_act;
    object["classifier_pooling"] = config.mean_pooling ? "mean" : "cls";
  }
  if (config.classifier_dropout) object["classifier_dropout"] = *config.classifier_dropout;
  return object;
}

}  // namespace graft
