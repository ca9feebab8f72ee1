#pragma once
// Bodies of graft/exchange/peft.hpp.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <locale>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string_view>
#include <vector>

#include "graft/core/compiled.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/range.hpp"
#include "graft/core/text_list.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/config_fields.hpp"
#include "graft/exchange/peft.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/safetensors.hpp"

namespace graft::detail {

/// Targets that name exactly those layers of the encoder, or of the head, that UPDATED(layer) says: short names where every layer of the
/// encoder has one.
template <class Updated>
std::vector<std::string> targets_of(const encoder_config& config, index classes, Updated&& updated) {
  std::set<std::string> targets;
  const tensor_shapes layers = dense_layers(config, classes);
  for (const auto& [layer, shape] : layers) {
    if (!updated(layer)) continue;
    const auto number = layer.find(".layer.");
    const std::string numbered = number == layer.npos ? layer : layer.substr(number + 1);                // layer.0.attention.self.query
    const std::string part = number == layer.npos ? layer : numbered.substr(numbered.find('.', 6) + 1);  // attention.self.query
    const bool all =
        std::all_of(layers.begin(), layers.end(), [&](const auto& other) { return !is_target(other.first, part) || updated(other.first); });
    targets.insert(all ? part : numbered);
  }
  return {targets.begin(), targets.end()};
}

/// NAME without the parts that tensors have in memory only; nothing for the untrained copy of a module that was trained. The name of the
/// adapter, which stands in some, goes into ADAPTERS.
///   ...query.lora_A.NAME.weight -> ...query.lora_A.weight          ...query.base_layer.weight -> ...query.weight
///   classifier.modules_to_save.NAME.dense.weight -> classifier.dense.weight          classifier.original_module.* -> nothing
GRAFT_INLINE std::optional<std::string> peft_name(std::string name, std::set<std::string>& adapters) {
  for (const std::string_view wrapper : {"_orig_mod.", "_fsdp_wrapped_module.", "base_layer."}) {
    for (auto at = name.find(wrapper); at != name.npos; at = name.find(wrapper)) {
      if (at != 0 && name[at - 1] != '.') break;
      name.erase(at, wrapper.size());
    }
  }
  if (name.find(".original_module.") != name.npos) return std::nullopt;
  const auto take_adapter = [&](std::size_t at) {  // the part of the name that begins there, with the dot before it
    const auto end = std::min(name.find('.', at + 1), name.size());
    adapters.insert(name.substr(at + 1, end - at - 1));
    name.erase(at, end - at);
  };
  constexpr std::string_view saved = ".modules_to_save.";
  if (const auto at = name.find(saved); at != name.npos) {
    const auto inner = at + saved.size() - 1;
    if (name.find('.', inner + 1) != name.npos) take_adapter(inner);
    name.erase(at, saved.size() - 1);
  }
  for (const std::string_view part : {".lora_A.", ".lora_B.", ".lora_magnitude_vector.", ".ia3_l."}) {
    const auto at = name.find(part);
    const std::string_view rest = at == name.npos ? "weight" : std::string_view(name).substr(at + part.size());
    if (rest != "weight" && rest != "bias") take_adapter(at + part.size() - 1);
  }
  for (const std::string_view vector : {tensor_names::lora_magnitude, tensor_names::ia3}) {
    if (name.ends_with(std::string(vector) + ".weight")) name.erase(name.size() - std::string_view(".weight").size());
  }
  return name;
}

/// Whether GIVEN, an adapter_config.json of PEFT's, is for a head that answers for words.
/// @throws format_error  it is for one that answers neither for them nor for a whole text
GRAFT_INLINE bool check_peft_task(const json& given, const std::string& path) {
  const std::string expected =
      ", a head for texts or words was expected (SEQ_CLS, TOKEN_CLS, ...ForSequenceClassification, ...ForTokenClassification)";
  const auto task = optional<std::string>(given, "task_type", path, "");
  if (task != "" && task != "SEQ_CLS" && task != "TOKEN_CLS" && task != "FEATURE_EXTRACTION") {
    throw format_error(path, "\"task_type\" is " + shown(given["task_type"]) + expected);
  }
  const json mapping = optional<json>(given, "auto_mapping", path, json::object());
  const auto name = optional<std::string>(mapping, "base_model_class", path, "");
  const bool tokens = name.ends_with("ForTokenClassification");
  if (name.find("For") != name.npos && !tokens && !name.ends_with("ForSequenceClassification")) {
    throw format_error(path, "\"auto_mapping\" says " + shown(mapping["base_model_class"]) + expected);
  }
  return tokens || task == "TOKEN_CLS";
}

/// Whether one of MODULES, as PEFT's modules_to_save, holds the tensor NAME.
GRAFT_INLINE bool is_saved(const std::string& name, const std::vector<std::string>& modules) {
  for (auto end = name.rfind('.'); end != name.npos; end = end == 0 ? name.npos : name.rfind('.', end - 1)) {
    const auto module = std::string_view(name).substr(0, end);
    if (std::any_of(modules.begin(), modules.end(), [&](const std::string& one) { return module.ends_with(one); })) return true;
  }
  return false;
}

/// The table of word embeddings in STORED, the tensors of a PEFT folder, where it is not among MODULES that were trained: a copy of the
/// encoder's.
/// @throws format_error  it is of another length
GRAFT_INLINE tensor_source trunk_copies(const tensor_source& stored, const encoder_config& config,
                                        const std::vector<std::string>& modules) {
  tensor_source copies(stored.path());
  const tensor_shapes trunk = trunk_tensors(config);
  copies.add_all(stored, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = trunk.find(name);
    if (found == trunk.end() || !name.ends_with(".word_embeddings.weight")) return std::nullopt;
    const auto& shape = stored.at(name).shape;
    if (shape.size() == 2 && shape[1] == config.hidden_size && shape[0] != config.vocab_size) {
      throw format_error(stored.path(),
                         "holds a table of " + std::to_string(shape[0]) + " word embeddings, the encoder's has " +
                             std::to_string(config.vocab_size) +
                             ": its vocabulary was resized in training, and it needs an encoder with the resized table",
                         remedy{"trunk"});
    }
    stored.expect({*found});
    return is_saved(name, modules) ? std::nullopt : std::optional(name);
  });
  return copies;
}

/// The tensors of the PEFT folder FOLDER under graft's names; AS_SAVED gets the names that they had within the model that was tuned.
/// @throws format_error  a name is not PEFT's, or there are several adapters
GRAFT_INLINE tensor_source peft_tensors(const std::string& folder, const encoder_config& config, std::set<std::string>& as_saved) {
  const tensor_source file = open_first(folder, {"adapter_model.safetensors", "adapter_model.bin"});
  std::set<std::string> adapters, plain;
  const auto short_name = [&](std::string name) -> std::optional<std::string> {
    for (const std::string_view wrapper : {"module.", "_orig_mod."}) {
      if (name.starts_with(wrapper)) name.erase(0, wrapper.size());
    }
    if (!name.starts_with(peft_prefix))
      throw format_error(file.path(), "holds tensor '" + name + "', a name with base_model.model. was expected");
    name.erase(0, peft_prefix.size());
    if (name.starts_with("model.")) name.erase(0, std::string_view("model.").size());
    return peft_name(name, adapters);
  };
  const auto is_wrapped = [](const std::string& name) { return name.find(".modules_to_save.") != name.npos; };
  for (const auto& [name, info] : file.tensors()) {
    if (name.find(".lora_embedding_") != name.npos)
      throw format_error(
          file.path(),
          "holds '" + name + "', an update of the word embeddings, which graft does not compute: one of dense layers was expected");
    const auto simple = short_name(name);
    if (simple && !is_wrapped(name)) plain.insert(*simple);
  }
  if (adapters.size() > 1) {
    throw format_error(file.path(), "holds several adapters, " + listed(adapters, in_quotes) + ": save one of them alone");
  }
  tensor_source inner(file.path()), all(file.path());
  inner.add_all(file, [&](const std::string& name) {
    const auto simple = short_name(name);
    return simple && is_wrapped(name) && plain.contains(*simple) ? std::nullopt : simple;  // `bias` writes some twice
  });
  all.add_all(inner, [&](const std::string& name) {
    as_saved.insert(name);
    return canonical_name(name, config.model_type);
  });
  return all;
}

/// KEY, a regular expression of Python's, as ECMAScript's.
/// @throws std::regex_error  it has what the two read differently: escapes of letters and digits but for a few, flags, named groups, looks
///                           behind, classes that begin with ] or hold [
GRAFT_INLINE std::string ecma_script(const std::string& key) {
  std::string pattern;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const std::string_view rest = std::string_view(key).substr(i);
    const auto begins = [&](std::initializer_list<const char*> any) {
      return std::ranges::any_of(any, [&](const char* one) { return rest.starts_with(one); });
    };
    bool known = true;
    if (key[i] == '\\' && rest.size() > 1) {
      const char letter = key[++i];
      const bool ends = letter == 'A' || letter == 'Z';
      const char low = static_cast<char>(letter | 0x20);  // of letters the small one
      const bool plain = (low < 'a' || low > 'z') && (letter < '0' || letter > '9');
      known = plain || ends || std::string_view("dDsSwWbB").find(letter) != rest.npos;
      pattern += ends ? std::string(letter == 'A' ? "^" : "$") : std::string{'\\', letter};
      if (known) continue;
    } else if (key[i] == '[') {
      const std::size_t end = rest.find(']', 1);
      known = end != rest.npos && !begins({"[]", "[^]"});
      for (std::size_t c = 1; known && c < end; ++c) {
        known = rest[c] != '[' && (rest[c] != '\\' || std::string_view("dDsSwW.-").find(rest[++c]) != rest.npos);
      }
      if (known) {
        pattern += rest.substr(0, end + 1);
        i += end;
        continue;
      }
    } else if (begins({"(?"})) {
      known = begins({"(?:", "(?=", "(?!"});
    }
    if (!known) throw std::regex_error(std::regex_constants::error_escape);
    pattern += key[i];
  }
  return pattern;
}

/// Whether LAYER's name is what KEY, a regular expression of Python's, says, or ends with it from a dot on. Letters are those of every
/// locale, and time grows with the lengths alone.
/// @throws std::regex_error  KEY is none, or one that ECMAScript reads otherwise, or longer than any that is written by hand
GRAFT_INLINE bool is_layer_of(const std::string& layer, const std::string& key) {
  if (key.size() > 4'000 || std::ranges::count(key, '(') > 100) throw std::regex_error(std::regex_constants::error_complexity);
  std::regex pattern;
  pattern.imbue(std::locale::classic());
  pattern.assign("(?:.*\\.)?(?:" + ecma_script(key) + ")", std::regex_constants::ECMAScript | std::regex_constants::__polynomial);
  return std::regex_match(layer, pattern);
}

/// The number that ABOUT, an adapter_config.json, gives LAYER: that of the first key of FIELD, a pattern, which is its name or ends it;
/// else that of USUAL. Nothing where a key before is a pattern that cannot be read, and WITHOUT says that one can do without.
GRAFT_INLINE std::optional<double> peft_number(const ordered_json& about, const std::string& field, const char* usual,
                                               const std::string& layer, const std::string& path, bool without) {
  const ordered_json patterns = about.value(field, ordered_json());
  if (!patterns.is_object() && !patterns.is_null()) {
    throw format_error(path, "\"" + field + "\" is " + shown(json(patterns)) + ", an object of patterns and numbers was expected");
  }
  for (const auto& [key, value] : patterns.items()) {
    try {
      if (!is_layer_of(layer, key)) continue;
    } catch (const std::regex_error&) {
      if (without) return std::nullopt;
      throw format_error(path,
                         "\"" + field + "\" has the key " + shown(json(key)) +
                             ", a regular expression without looks behind, flags, names of groups, references, and escapes of letters "
                             "other than \\d, \\s, \\w, \\b, \\A and \\Z was expected, of 4000 characters and 100 groups at most");
    }
    return required<double>(json(patterns), key, path);
  }
  return required<double>(json(about), usual, path);
}

/// The value that most of OF have, FIRST among equals.
template <class Value>
Value usual(const std::map<std::string, Value>& of, Value first) {
  std::map<Value, std::size_t> counts{{first, 0}};
  for (const auto& [name, value] : of) ++counts[value];
  for (const auto& [value, count] : counts) {
    if (count > counts[first]) first = value;
  }
  return first;
}

/// The low-rank updates among STORED, as ABOUT, their adapter_config.json, scales them.
/// AS_SAVED: the names that its tensors had in the model that was tuned, which patterns are about.
GRAFT_INLINE lora_options peft_lora(const ordered_json& about, const tensor_source& stored, const std::set<std::string>& as_saved,
                                    const encoder_config& config, index classes, const std::string& path) {
  const json given(about);
  lora_options lora{required<index>(given, "r", path), required<double>(given, "lora_alpha", path), {}};
  const auto check_alpha = [&](double alpha, const std::string& what) {
    if (!ranges::lora_alpha.contains(alpha)) throw format_error(path, what + ", " + ranges::lora_alpha.text() + " was expected");
  };
  if (!ranges::lora_r.contains(static_cast<double>(lora.r))) {
    throw format_error(path, "\"r\" is " + std::to_string(lora.r) + ", " + ranges::lora_r.text() + " was expected");
  }
  const auto by_rank = [&](double alpha, index r) {
    return optional<bool>(given, "use_rslora", path, false) ? alpha * std::sqrt(static_cast<double>(r)) : alpha;
  };
  lora.alpha = by_rank(lora.alpha, lora.r);
  check_alpha(lora.alpha, "\"lora_alpha\" is " + given["lora_alpha"].dump());
  const auto matrix = [&](const std::string& layer, const char* name) { return stored.find(layer + name); };
  lora.targets = targets_of(config, classes, [&](const std::string& layer) {
    return matrix(layer, tensor_names::lora_a) != nullptr || matrix(layer, tensor_names::lora_b) != nullptr;
  });
  for (const auto& [layer, shape] : dense_layers(config, classes)) {
    if (!lora.updates(layer)) continue;
    const auto *a = matrix(layer, tensor_names::lora_a), *b = matrix(layer, tensor_names::lora_b);
    const index r = a != nullptr && !a->shape.empty() ? a->shape[0] : b != nullptr && b->shape.size() == 2 ? b->shape[1] : lora.r;
    if (!ranges::lora_r.contains(static_cast<double>(r))) {
      throw format_error(stored.path(),
                         "has an update of rank " + std::to_string(r) + " of '" + layer + "', " + ranges::lora_r.text() + " was expected");
    }
    std::string name = name_in_files(family_of(config.model_type), layer);
    const std::string bare = name.substr(name.find('.') + 1);  // of a model that is the encoder alone
    if (const auto of_bare = as_saved.lower_bound(bare + ".lora_"); of_bare != as_saved.end() && of_bare->starts_with(bare + "."))
      name = bare;
    if (const auto said = peft_number(about, "rank_pattern", "r", name, path, true); said && *said != static_cast<double>(r)) {
      throw format_error(path, "gives '" + name + "' an update of rank " + number_text(*said) + ", and it has one of rank " +
                                   std::to_string(r) + ": the configuration is of other tensors than those beside it");
    }
    lora.ranks[layer] = r;
    lora.alphas[layer] = by_rank(*peft_number(about, "alpha_pattern", "lora_alpha", name, path, false), r);
    check_alpha(lora.alphas[layer], "alpha of '" + layer + "' is " + json(lora.alphas[layer]).dump());
  }
  lora.r = usual(lora.ranks, lora.r);
  lora.alpha = usual(lora.alphas, lora.alpha);
  std::erase_if(lora.ranks, [&](const auto& one) { return one.second == lora.r; });
  std::erase_if(lora.alphas, [&](const auto& one) { return one.second == lora.alpha; });
  lora.dora = optional<bool>(given, "use_dora", path, false);
  lora.bias = optional<bool>(given, "lora_bias", path, false);
  lora.dropout = fraction_field(given, "lora_dropout", path, 0);
  return lora;
}

/// The scales among STORED: which of them are of a layer's inputs, their shapes say.
GRAFT_INLINE ia3_options peft_ia3(const tensor_source& stored, const encoder_config& config, index classes) {
  const tensor_shapes layers = dense_layers(config, classes);
  const auto scaled = [&](const std::string& layer) { return stored.contains(layer + tensor_names::ia3); };
  const auto by_inputs = [&](const std::string& layer) {
    return scaled(layer) && stored.at(layer + tensor_names::ia3).shape == std::vector<index>{1, layers.at(layer)[1]};
  };
  return {targets_of(config, classes, scaled), targets_of(config, classes, by_inputs)};
}

/// How PEFT's library calls the adapters of PEFT_TYPE; the type itself where it is not known.
GRAFT_INLINE std::string peft_method(const std::string& type) {
  const std::map<std::string, std::string> names{{"ADALORA", "AdaLoRA"},
                                                 {"LOHA", "LoHa"},
                                                 {"LOKR", "LoKr"},
                                                 {"VERA", "VeRA"},
                                                 {"PVERA", "PVeRA"},
                                                 {"FOURIERFT", "FourierFT"},
                                                 {"RANDLORA", "RandLora"},
                                                 {"XLORA", "X-LoRA"},
                                                 {"VBLORA", "VB-LoRA"},
                                                 {"BOFT", "BOFT"},
                                                 {"OFT", "OFT"},
                                                 {"LN_TUNING", "LN tuning"},
                                                 {"PREFIX_TUNING", "prefix tuning"},
                                                 {"PROMPT_TUNING", "prompt tuning"},
                                                 {"MULTITASK_PROMPT_TUNING", "multitask prompt tuning"},
                                                 {"P_TUNING", "p-tuning"},
                                                 {"ADAPTION_PROMPT", "LLaMA-Adapter"},
                                                 {"TRAINABLE_TOKENS", "trainable tokens"},
                                                 {"POLY", "Poly"},
                                                 {"BONE", "Bone"},
                                                 {"MISS", "MiSS"},
                                                 {"SHIRA", "SHiRA"},
                                                 {"ROAD", "RoAd"},
                                                 {"WAVEFT", "WaveFT"},
                                                 {"DELORA", "DeLoRA"},
                                                 {"GRALORA", "GraLoRA"},
                                                 {"HRA", "HRA"},
                                                 {"CPT", "CPT"},
                                                 {"C3A", "C3A"}};
  const auto found = names.find(type);
  return found == names.end() ? type : found->second;
}

/// @throws format_error  GIVEN asks for what graft does not compute
GRAFT_INLINE void check_peft_fields(const json& given, const std::string& type, const std::string& path) {
  std::set<std::string> handled{"peft_type", "task_type",      "target_modules", "exclude_modules", "modules_to_save",
                                "revision",  "inference_mode", "auto_mapping",   "peft_version",    "base_model_name_or_path"};
  if (type == "IA3") handled.insert({"feedforward_modules", "init_ia3_weights"});
  if (type == "LORA") {
    // Which layers were picked, and their ranks, the tensors say.
    handled.insert({"r", "lora_alpha", "rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern", "use_rslora",
                    "lora_dropout", "megatron_core", "qalora_group_size", "use_dora", "lora_bias", "bias", "init_lora_weights",
                    "ephemeral_gpu_offload", "runtime_config", "ensure_weight_tying"});
    const json start = given.value("init_lora_weights", json());
    if (start == "eva") handled.insert("eva_config");
    if (!start.is_boolean() && !start.is_null() && start != "gaussian" && start != "eva" && start != "orthogonal") {
      throw format_error(
          path, "\"init_lora_weights\" is " + shown(start) +
                    ": that way of beginning changes the encoder's weights, too, which this folder does not hold. Convert it in PEFT "
                    "(save_pretrained with path_initial_model_for_weight_conversion), or give the encoder that it changed with "
                    "\"init_lora_weights\" true");
    }
    const auto bias = optional<std::string>(given, "bias", path, "none");
    if (bias != "none" && bias != "all" && bias != "lora_only")
      throw format_error(path, "\"bias\" is " + shown(given["bias"]) + ", one of none, all, lora_only was expected");
  }
  check_fields(given, {}, handled, path);
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE adapter_file read_peft(const std::string& folder, const encoder_config& config) {
  const std::string path = (std::filesystem::path(folder) / "adapter_config.json").string();
  const auto about = read_json<ordered_json>(path);
  const json given(about);
  const auto type = required<std::string>(given, "peft_type", path);
  if (type != "LORA" && type != "IA3") {
    throw format_error(
        path, "\"peft_type\" is " + type + ": " + detail::peft_method(type) + " is not computed by graft, LORA or IA3 was expected");
  }
  detail::check_peft_fields(given, type, path);
  const bool tokens = detail::check_peft_task(given, path);
  std::set<std::string> as_saved;
  const tensor_source all = detail::peft_tensors(folder, config, as_saved);
  const tensor_source copies = detail::trunk_copies(all, config, optional<std::vector<std::string>>(given, "modules_to_save", path, {}));
  tensor_source stored(all.path());
  stored.add_all(all, [&](const std::string& name) { return copies.contains(name) ? std::nullopt : std::optional(name); });
  model_description d;
  d.kind = type == "LORA" ? tuning_kind::lora : tuning_kind::ia3;
  d.layer_norms_trained = false;
  d.head = tokens ? token_head(config) : usual_head(config);
  const index rows = head_rows(stored, config);
  tensor_shapes head = head_tensors(config, std::max<index>(rows, 1), d.head);
  const bool whole =
      std::all_of(head.begin(), head.end(), [&](const auto& one) { return is_pooler(one.first) || stored.contains(one.first); });
  if (rows != 0 && whole) number_labels(d, rows, stored.path());
  if (rows != 0 && whole && tokens) {
    d.output = task_kind::token_classification;
    if (rows == 1) d.labels = {"0"};
  }
  const index classes = detail::updated_classes(config, d, stored);
  if (d.kind == tuning_kind::lora) {
    d.lora = detail::peft_lora(about, stored, as_saved, config, classes, path);
  } else {
    d.ia3 = detail::peft_ia3(stored, config, classes);
  }
  if ((d.kind == tuning_kind::lora ? d.lora.targets : d.ia3.targets).empty()) {
    throw format_error(
        path, "\"target_modules\" is " + shown(given.value("target_modules", json())) + ": no dense layer of this encoder has an update");
  }
  tensor_shapes trainable = trunk_tensors(config);
  if (d.num_labels() == 0) trainable.merge(head);
  for (const auto& [name, shape] : trainable) {
    const bool of_head = d.num_labels() > 0 && head.contains(name);
    if (stored.contains(name) && !of_head) d.modules_to_save.push_back(name);
  }
  adapter_file read{d, take_tensors(stored, adapter_tensors(config, d, stored)), copies};
  if (d.kind == tuning_kind::lora && d.lora.alpha == 0 && d.lora.alphas.empty() && !d.lora.dora)
    read.notes.push_back(path + ": \"lora_alpha\" is 0, by which the updates are multiplied, as PEFT does: they change nothing");
  return read;
}

}  // namespace graft

namespace graft::detail {

/// The names of modules of TENSORS, among those called TRAINED, whose weights are there, as modules_to_save has them; one for all
/// LayerNorms.
GRAFT_INLINE std::vector<std::string> saved_modules(const std::vector<std::string>& trained, const encoder_config& config) {
  std::vector<std::string> modules;
  const tensor_shapes norms = layer_norm_tensors(config);
  const bool all_norms = family_of(config.model_type).names.empty() &&  // else they may have other names in files
                         std::all_of(norms.begin(), norms.end(), [&](const auto& norm) {
                           return std::find(trained.begin(), trained.end(), norm.first) != trained.end();
                         });
  if (all_norms) modules.emplace_back("LayerNorm");
  for (const std::string& name : trained) {
    if (name.ends_with(".weight") && !(all_norms && norms.contains(name))) modules.push_back(name.substr(0, name.rfind('.')));
  }
  return modules;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE void write_peft(const std::string& folder, const adapter_file& a, const encoder_config& config) {
  const model_description& d = a.description;
  if (d.kind != tuning_kind::lora && d.kind != tuning_kind::ia3)
    throw config_error(a.tensors.path() + ": is no low-rank update or IA3, the only kinds that are written for PEFT");
  if (d.lora.gates || d.ia3.gates) throw config_error(a.tensors.path() + ": has gates, which PEFT does not have", {"to", "adapterhub"});
  if (d.lora.dora_outputs)
    throw config_error(a.tensors.path() + ": is DoRA as AdapterHub's library computes it, which PEFT does not", {"to", "adapterhub"});
  if (a.has_head() && ((d.head != usual_head(config) && d.head != token_head(config)) || d.sigmoid))
    throw config_error(a.tensors.path() + ": has a head of another form than the classifiers' that PEFT is put around");
  const index classes = detail::updated_classes(config, d, a.tensors);
  const auto& targets = d.kind == tuning_kind::lora ? d.lora.targets : d.ia3.targets;
  const head_names head(config);
  const model_family& family = family_of(config.model_type);
  const auto in_files = [&](const std::string& name) { return name_in_files(family, name, d.head.tokens); };
  const auto updated = [&](const std::string& layer) { return is_any_target(layer, targets); };
  // A head with updates of its own is no saved module.
  const bool head_saved = a.has_head() && !updated(head.out_proj) && !(updated(head.dense) && head.dense.starts_with("classifier."));
  staged_files files(folder);
  safetensors_writer writer;
  writer.metadata = {{"format", "pt"}};
  for (const auto& [name, info] : a.tensors.tensors()) {
    const auto end = name.rfind('.');
    const std::string layer = name.substr(0, end), part = name.substr(end);
    const bool wrapped = (part == ".weight" || part == ".bias") && updated(layer);
    writer.add(std::string(detail::peft_prefix) + (wrapped ? in_files(layer) + ".base_layer" + part : in_files(name)), info.shape,
               info.type, info.bytes, info.type);
  }
  writer.write(files.staged_path("adapter_model.safetensors"));
  json saved = nullptr;
  if (head_saved) {
    saved = json::array({"classifier"});
    const std::string first = in_files(head.dense), module = first.substr(0, first.find('.'));
    if (module != "classifier" && module != family.name && a.tensors.contains(head.dense + ".weight")) saved.insert(saved.begin(), module);
  }
  if (a.tensors.contains("bert.pooler.dense.weight") && !updated("bert.pooler.dense")) saved.push_back("pooler");
  for (const std::string& module : detail::saved_modules(d.modules_to_save, config)) {
    if (module != "bert.pooler.dense") saved.push_back(in_files(module));
  }
  // `dense` alone would name layers of the head there, too.
  const bool alone = std::find(targets.begin(), targets.end(), "dense") != targets.end();
  ordered_json about{{"peft_type", d.kind == tuning_kind::lora ? "LORA" : "IA3"},
                     {"task_type", head_saved ? json(d.head.tokens ? "TOKEN_CLS" : "SEQ_CLS") : json()},
                     {"base_model_name_or_path", nullptr}};
  const auto in_files_all = [&](std::vector<std::string> names) {
    for (std::string& name : names) {
      if (!name.starts_with("layer.")) {
        name = in_files(name);
        continue;
      }
      name = in_files("encoder." + name);  // by which files may call layers otherwise, too
      if (name.starts_with("encoder.")) name.erase(0, 8);
    }
    return names;
  };
  const auto targets_of = [&](auto&& which) { return in_files_all(detail::targets_of(config, classes, which)); };
  const auto named = alone || !family.names.empty() ? targets_of(updated) : targets;
  if (d.kind == tuning_kind::ia3) {
    about["target_modules"] = named;
    about["feedforward_modules"] = family.names.empty() ? d.ia3.feed_forward : targets_of([&](const std::string& layer) {
      return updated(layer) && is_any_target(layer, d.ia3.feed_forward);
    });
    about["fan_in_fan_out"] = false;
    about["init_ia3_weights"] = true;
  } else {
    // Alpha is a whole number there, but nothing depends on it: a fraction is written as it is.
    const auto number = [](double alpha) {
      const bool whole = alpha == std::floor(alpha) && std::abs(alpha) < 1e9;
      return whole ? json(static_cast<index>(alpha)) : json(alpha);
    };
    const auto is_bias = [&](const std::string& name) {
      return name.ends_with(".bias") && !detail::is_saved(name, detail::saved_modules(d.modules_to_save, config));
    };
    const auto of_update = [&](const std::string& name) { return updated(name.substr(0, name.rfind('.'))); };
    const bool any = std::any_of(d.modules_to_save.begin(), d.modules_to_save.end(), is_bias);
    const bool only = std::all_of(d.modules_to_save.begin(), d.modules_to_save.end(),
                                  [&](const auto& name) { return !is_bias(name) || of_update(name); });
    about["r"] = d.lora.r;
    about["lora_alpha"] = number(d.lora.alpha);
    about["target_modules"] = named;
    about["lora_dropout"] = d.lora.dropout;
    about["bias"] = !any ? "none" : only ? "lora_only" : "all";
    about["fan_in_fan_out"] = false;
    about["use_rslora"] = false;
    about["use_dora"] = d.lora.dora;
    about["init_lora_weights"] = true;
    if (d.lora.bias) about["lora_bias"] = true;
    for (const auto& [layer, r] : d.lora.ranks) about["rank_pattern"][in_files(layer)] = r;
    for (const auto& [layer, alpha] : d.lora.alphas) about["alpha_pattern"][in_files(layer)] = number(alpha);
  }
  about["modules_to_save"] = saved;
  about["inference_mode"] = true;
  write_file(files.staged_path("adapter_config.json"), about.dump(2) + "\n");
  files.commit({"adapter_model.bin"});
}

}  // namespace graft
