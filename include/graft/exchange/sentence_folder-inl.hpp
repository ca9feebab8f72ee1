#pragma once
// Bodies of graft/exchange/sentence_folder.hpp.

#include <filesystem>
#include <set>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/exchange/config_fields.hpp"
#include "graft/exchange/sentence_folder.hpp"
#include "graft/io/weights.hpp"

namespace graft::detail {

/// One entry of a modules.json.
struct sentence_module {
  std::string type;    // the last part of its class
  std::string folder;  // where its files are
};

/// The file NAME in FOLDER.
GRAFT_INLINE std::string file_in(const std::string& folder, const std::string& name) {
  return (std::filesystem::path(folder) / name).string();
}

/// The object in the file NAME of FOLDER; an empty one where there is none.
GRAFT_INLINE json object_in(const std::string& folder, const std::string& name) {
  const std::string path = file_in(folder, name);
  json about = is_there(path) ? read_json(path) : json::object();
  if (!about.is_object()) throw format_error(path, "holds a JSON " + std::string(about.type_name()) + ", an object was expected");
  return about;
}

/// Those of FOLDER, in order; none where there is no modules.json, or the folder is a CrossEncoder's.
GRAFT_INLINE std::vector<sentence_module> modules_of(const std::string& folder) {
  namespace fs = std::filesystem;
  const std::string path = file_in(folder, "modules.json");
  if (!is_there(path)) return {};
  const std::string about = file_in(folder, "config_sentence_transformers.json");
  const auto kind =
      optional<std::string>(object_in(folder, "config_sentence_transformers.json"), "model_type", about, "SentenceTransformer");
  if (kind == "CrossEncoder") return {};
  if (kind != "SentenceTransformer")
    throw format_error(about, "\"model_type\" is " + shown(json(kind)) + ", graft computes a SentenceTransformer only");
  const json list = read_json(path);
  if (!list.is_array() || list.empty()) throw format_error(path, "is " + shown(list) + ", a list of modules was expected");
  std::vector<sentence_module> all;
  for (const json& one : list) {
    const auto type = required<std::string>(one, "type", path);
    const fs::path within = optional<std::string>(one, "path", path, "");
    for (const fs::path& part : within) {
      if (within.is_absolute() || part == "..")
        throw format_error(path, "\"path\" is " + shown(json(within.string())) + ", a folder inside was expected");
    }
    if (!type.starts_with("sentence_transformers.")) {
      throw format_error(path, "\"type\" is " + shown(json(type)) +
                                   ", code that comes with the model; graft computes modules of "
                                   "sentence-transformers only");
    }
    all.push_back({type.substr(type.rfind('.') + 1), within.empty() ? folder : (fs::path(folder) / within).string()});
  }
  if (all[0].type != "Transformer")
    throw format_error(path, "begins with a module " + all[0].type + ", graft computes embeddings of a Transformer only");
  return all;
}

/// What the Transformer in FOLDER says of texts.
GRAFT_INLINE void read_transformer(const std::string& folder, sentence_folder& made) {
  json about = json::object();
  std::string where;
  for (const char* of : {"bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"}) {
    where = file_in(folder, "sentence_" + std::string(of) + "_config.json");
    if (is_there(where)) {
      about = object_in(folder, std::filesystem::path(where).filename().string());
      break;
    }
  }
  for (const char* given : {"model_args", "model_kwargs", "config_args", "config_kwargs", "tokenizer_args", "processor_kwargs"}) {
    if (about.contains(given) && about[given].is_object()) about[given].erase("trust_remote_code");
  }
  if (about.contains("modality_config")) {
    const json usual = {{"method", "forward"}, {"method_output_name", "last_hidden_state"}};
    const json text = about["modality_config"].is_object() ? about["modality_config"].value("text", json()) : json();
    if (text != usual)
      throw format_error(where, "\"modality_config\": \"text\" is " + shown(text) + ", graft computes " + shown(usual) + " only");
  }
  check_fields(about, {{"transformer_task", "feature-extraction"}, {"module_output_name", "token_embeddings"}},
               {"max_seq_length", "do_lower_case", "modality_config", "unpad_inputs"}, where);
  if (about.is_object() && about.contains("max_seq_length") && !about["max_seq_length"].is_null()) {
    const auto most = required<index>(about, "max_seq_length", where);
    if (most < 1) throw format_error(where, "\"max_seq_length\" is " + std::to_string(most) + ", 1 or more was expected");
    made.max_seq_length = most;
  }
  made.lower_case = optional<bool>(about, "do_lower_case", where, false);
  if (!made.max_seq_length) made.max_seq_length = model_max_length(folder);
}

GRAFT_INLINE void read_pooling(const std::string& folder, index hidden_size, sentence_folder& made) {
  const std::string where = file_in(folder, "config.json");
  const json about = read_json(where);
  const char* width = about.contains("embedding_dimension") ? "embedding_dimension" : "word_embedding_dimension";
  if (const auto size = required<index>(about, width, where); size != hidden_size) {
    throw format_error(where, "\"" + std::string(width) + "\" is " + std::to_string(size) + ", the encoder's hidden_size is " +
                                  std::to_string(hidden_size));
  }
  made.poolings.clear();
  std::set<std::string> handled{width, "pooling_mode", "include_prompt"};
  const json mode = about.value("pooling_mode", json());
  for (const auto p :
       {pooling::cls, pooling::max, pooling::mean, pooling::mean_sqrt_len_tokens, pooling::weightedmean, pooling::lasttoken}) {
    const bool token = p == pooling::cls || p == pooling::max || p == pooling::mean || p == pooling::weightedmean;
    const std::string older = "pooling_mode_" + pooling_name(p) + (token ? (p == pooling::cls ? "_token" : "_tokens") : "");
    if (optional<bool>(about, older, where, false) && mode.is_null()) made.poolings.push_back(p);
    handled.insert(older);
  }
  if (mode.is_string()) made.poolings.push_back(parse_pooling(mode.get<std::string>(), where + ": \"pooling_mode\""));
  for (const json& one : mode.is_array() ? mode : json::array()) {
    if (!one.is_string()) throw format_error(where, "\"pooling_mode\" is " + shown(mode) + ", a list of names was expected");
    made.poolings.push_back(parse_pooling(one.get<std::string>(), where + ": \"pooling_mode\""));
  }
  if (made.poolings.empty()) made.poolings.push_back(pooling::mean);
  check_fields(about, {}, handled, where);
  made.include_prompt = optional<bool>(about, "include_prompt", where, true);
}

/// That a module reads and writes the embedding of the text.
GRAFT_INLINE void check_of_sentence(const json& about, const std::string& where) {
  for (const char* field : {"module_input_name", "module_output_name"}) {
    const auto name = optional<std::string>(about, field, where, "sentence_embedding");
    if (name != "sentence_embedding")
      throw format_error(where, "\"" + std::string(field) + "\" is " + shown(json(name)) + ", graft computes \"sentence_embedding\" only");
  }
}

/// torch's function CLASS_NAME.
GRAFT_INLINE activation torch_function(const std::string& class_name, const std::string& where) {
  static const std::map<std::string, activation> known{
      {"Tanh", activation::tanh}, {"Identity", activation::linear}, {"ReLU", activation::relu},
      {"GELU", activation::gelu}, {"Sigmoid", activation::sigmoid}, {"SiLU", activation::swish},
      {"Mish", activation::mish}, {"ReLU6", activation::relu6},     {"LeakyReLU", activation::leaky_relu}};
  const auto found = known.find(class_name.substr(class_name.rfind('.') + 1));
  if (class_name.starts_with("torch.") && found != known.end()) return found->second;
  throw format_error(where, "\"activation_function\" is " + shown(json(class_name)) +
                                ", one of torch's Tanh, Identity, ReLU, GELU, Sigmoid, SiLU, Mish, ReLU6 and LeakyReLU was expected");
}

GRAFT_INLINE Eigen::VectorXd vector_of(const tensor_source& stored, const std::string& name, index size) {
  stored.expect({{name, {size}}});
  const auto values = stored.values<double>(name);
  return Eigen::Map<const Eigen::VectorXd>(values.data(), size);
}

GRAFT_INLINE matrix<double> matrix_of(const tensor_source& stored, const std::string& name, index rows, index cols) {
  stored.expect({{name, {rows, cols}}});
  const auto values = stored.values<double>(name);
  return Eigen::Map<const matrix<double>>(values.data(), rows, cols);
}

/// The Dense in FOLDER behind a vector of WIDTH numbers, which becomes that of its own.
GRAFT_INLINE sentence_step read_dense(const std::string& folder, index& width) {
  const std::string where = file_in(folder, "config.json");
  const json about = read_json(where);
  const auto in = required<index>(about, "in_features", where), out = required<index>(about, "out_features", where);
  if (in != width || out < 1 || out > 1'000'000) {
    throw format_error(where, "\"in_features\" is " + std::to_string(in) + " and \"out_features\" " + std::to_string(out) +
                                  ", vectors of " + std::to_string(width) + " numbers come in");
  }
  check_of_sentence(about, where);
  sentence_step step;
  step.what = sentence_step::kind::dense;
  step.act = torch_function(optional<std::string>(about, "activation_function", where, "torch.nn.modules.activation.Tanh"), where);
  const tensor_source stored = open_weights(folder);
  step.weight = matrix_of(stored, "linear.weight", out, in);
  step.bias = Eigen::VectorXd::Zero(out);
  if (optional<bool>(about, "bias", where, true)) step.bias = vector_of(stored, "linear.bias", out);
  const bool adds = optional<bool>(about, "use_residual", where, false);
  step.adds_input = adds && in == out;
  if (adds && in != out) step.residual = matrix_of(stored, "residual.weight", out, in);
  width = out;
  return step;
}

GRAFT_INLINE sentence_step read_sentence_layer_norm(const std::string& folder, index width) {
  const tensor_source stored = open_weights(folder);
  sentence_step step;
  step.what = sentence_step::kind::layer_norm;
  step.weight = vector_of(stored, "norm.weight", width).transpose();
  step.bias = vector_of(stored, "norm.bias", width);
  return step;
}

/// What goes in front of texts.
GRAFT_INLINE void read_prompts(const std::string& folder, sentence_folder& made) {
  const std::string where = file_in(folder, "config_sentence_transformers.json");
  const json about = object_in(folder, "config_sentence_transformers.json");
  const json given = about.value("prompts", json()), prompts = given.is_object() ? given : json::object();
  for (const auto& [name, text] : prompts.items()) {
    if (!text.is_null()) made.prompts[name] = required<std::string>(prompts, name, where);
  }
  made.default_prompt = optional<std::string>(about, "default_prompt_name", where, "");
  if (!made.default_prompt.empty() && !made.prompts.contains(made.default_prompt)) {
    throw format_error(where, "\"default_prompt_name\" is \"" + printable(made.default_prompt, 60) + "\", which \"prompts\" does not have");
  }
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::string sentence_encoder_folder(const std::string& folder) {
  const auto modules = detail::modules_of(folder);
  return modules.empty() ? folder : modules[0].folder;
}

GRAFT_INLINE std::vector<std::pair<std::string, std::string>> sentence_files(const std::string& folder) {
  const auto modules = detail::modules_of(folder);
  if (modules.empty()) return {};
  std::vector<std::pair<std::string, std::string>> files;
  const auto take = [&](const std::filesystem::path& name, const std::string& from) {
    const std::string path = detail::file_in(from, name.string());
    if (is_there(path)) files.emplace_back(name.string(), read_file(path));
  };
  take("config_sentence_transformers.json", folder);
  for (const char* name :
       {"sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json", "sentence_camembert_config.json",
        "sentence_albert_config.json", "sentence_xlm-roberta_config.json", "sentence_xlnet_config.json"}) {
    take(name, modules[0].folder);
  }
  const std::string list_file = detail::file_in(folder, "modules.json");
  auto list = parse_json<ordered_json>(read_file(list_file), list_file);
  const bool moves = modules[0].folder != folder;  // the encoder, to where another module may have stood
  for (std::size_t i = 1; i < modules.size(); ++i) {
    const auto& [type, module_folder] = modules[i];
    auto within = std::filesystem::path(module_folder).lexically_relative(folder).lexically_normal();
    const bool at_root = within.empty() || within == "." || within == "./";
    if (module_folder == modules[0].folder || (at_root && !moves)) continue;
    if (at_root) list[i]["path"] = (within = std::to_string(i) + "_" + type).string();
    for (const char* name : {"config.json", "model.safetensors", "pytorch_model.bin"}) {
      const std::string path = detail::file_in(module_folder, name);
      if (is_there(path)) files.emplace_back((within / name).string(), read_file(path));
    }
  }
  if (moves) list[0]["path"] = "";
  files.emplace_back("modules.json", moves ? list.dump(2) + "\n" : read_file(list_file));  // the last, which makes it one
  return files;
}

GRAFT_INLINE sentence_folder read_sentence_folder(const std::string& folder, index hidden_size) {
  const auto modules = detail::modules_of(folder);
  const std::string list = detail::file_in(folder, "modules.json");
  sentence_folder made;
  made.poolings.push_back(pooling::mean);
  made.has_modules = !modules.empty();
  detail::read_transformer(modules.empty() ? folder : modules[0].folder, made);
  if (modules.empty()) {
    made.notes.push_back(folder + (is_there(list) ? ": is a CrossEncoder, whose head is left out: embeddings are the mean of all tokens"
                                                  : ": has no modules.json: embeddings are the mean of all tokens, not normalized"));
    return made;
  }
  detail::read_prompts(folder, made);
  index width = 0;  // of what comes in; 0: tokens
  for (std::size_t i = 1; i < modules.size(); ++i) {
    const auto& [type, module_folder] = modules[i];
    if (type == "Pooling" && width == 0) {
      detail::read_pooling(module_folder, hidden_size, made);
      width = hidden_size * std::ssize(made.poolings);
    } else if (type == "Dense" && width > 0) {
      made.steps.push_back(detail::read_dense(module_folder, width));
    } else if (type == "LayerNorm" && width > 0) {
      made.steps.push_back(detail::read_sentence_layer_norm(module_folder, width));
    } else if (type == "Normalize" && width > 0) {
      if (module_folder != folder)
        detail::check_of_sentence(detail::object_in(module_folder, "config.json"), detail::file_in(module_folder, "config.json"));
      made.steps.emplace_back();
    } else if (type != "Dropout" || width == 0) {
      throw format_error(list, "has a module " + type + (width == 0 ? " between Transformer and Pooling" : " behind Pooling") +
                                   ", graft computes Pooling, and behind it Dense, LayerNorm, Dropout and Normalize");
    }
  }
  if (width == 0) throw format_error(list, "has no module Pooling: what it computes is no embedding of a text");
  return made;
}

}  // namespace graft
