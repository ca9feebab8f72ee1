// graft merge-adapters: low-rank updates and IA3 made part of the encoder, as a Hugging Face folder; or several adapters made one.

#include <charconv>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands/adapter_forms.hpp"
#include "commands/commands.hpp"
#include "commands/tokenizer_files.hpp"
#include "flags/flags.hpp"
#include "graft/core/file.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/adapter_list.hpp"
#include "graft/exchange/combine_adapters.hpp"
#include "graft/exchange/merge_adapter.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/model/trunk_files.hpp"
#include "graft/text/tokenizer.hpp"
#include "graft/text/tokenizer_config.hpp"
#include "host/notes.hpp"

namespace graft::program {
namespace {

namespace fs = std::filesystem;

using named_adapters = std::vector<std::pair<std::string, adapter_file>>;

/// The weights of COUNT adapters that TEXTS says; the same for all where it says none.
std::vector<double> weights_of(const std::vector<std::string>& texts, std::size_t count, bool normalize) {
  std::vector<double> weights;
  for (const std::string& text : texts) {
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      throw usage_error("--weights holds \"" + text + "\", a number was expected");
    weights.push_back(value);
  }
  if (weights.empty()) return std::vector<double>(count, 1.0 / static_cast<double>(count));
  if (weights.size() != count) {
    throw usage_error("--weights holds " + std::to_string(weights.size()) + " numbers, there are " + std::to_string(count) + " adapters");
  }
  double sum = 0;
  for (const double w : weights) sum += w;
  if (normalize && sum == 0) throw usage_error("--weights sum up to 0 and cannot be normalized: give --normalize_weights 0");
  for (double& w : weights) w /= normalize ? sum : 1;
  return weights;
}

/// The class of transformers that loads a model of TYPE: with a head for whole texts, or one for TOKENS, or the encoder alone.
std::string class_of(const json& config, bool head, bool tokens, const std::string& path) {
  return model_class(graft::detail::encoder_model_type(config, path), config.value("model_type", std::string())) +
         (!head    ? "Model"
          : tokens ? "ForTokenClassification"
                   : "ForSequenceClassification");
}

/// The config.json of the model that MERGED becomes, from that of its encoder.
ordered_json config_with_head(ordered_json config, const adapter_file& merged, bool head, const std::string& path) {
  const model_description& d = merged.description;
  const bool tokens = merged.has_head() ? d.head.tokens : names_token_head(json(config));
  config["architectures"] = {class_of(json(config), head, tokens, path)};
  for (const char* field : {"torch_dtype", "dtype"}) {
    if (config.contains(field)) config[field] = "float32";
  }
  if (!merged.has_head()) return config;
  config.erase("num_labels");
  config["id2label"] = config["label2id"] = ordered_json::object();
  for (index i = 0; i < d.num_labels(); ++i) {
    const auto number = static_cast<std::size_t>(i);
    const std::string label = d.labels_said && number < d.labels.size() ? d.labels[number] : "LABEL_" + std::to_string(i);
    config["id2label"][std::to_string(i)] = label;
    config["label2id"][label] = i;
  }
  const bool regression = d.output == task_kind::regression;
  config["problem_type"] = regression ? "regression" : d.sigmoid ? "multi_label_classification" : "single_label_classification";
  if (tokens) config.erase("problem_type");
  return config;
}

/// Whether words that a model was trained on have a space in front in the vocabulary of FOLDER, which nothing there says.
bool lacks_prefix_space(const std::string& folder) {
  try {
    return tokenizer::from_folder(folder).writes_spaces() && !read_tokenizer_config(folder).add_prefix_space.value_or(false);
  } catch (const error&) {
    return false;  // a vocabulary that is not there, or not for graft
  }
}

/// Writes MODEL as a Hugging Face folder with the configuration CONFIG and the vocabulary in VOCABULARY, which puts a space in front of
/// texts, with SPACE_FIRST, as transformers needs it for words.
void write_folder(const std::string& target, const tensor_source& model, const ordered_json& config, const std::string& vocabulary,
                  bool space_first) {
  const model_family& family = family_of(graft::detail::encoder_model_type(json(config), target));
  staged_files files(target);
  safetensors_writer writer;
  writer.metadata = {{"format", "pt"}};
  for (const auto& [name, info] : model.tensors()) {
    if (!name.starts_with("__pad."))
      writer.add(name_in_files(family, name, names_token_head(json(config))), info.shape, info.type, info.bytes, info.type);
  }
  writer.write(files.staged_path("model.safetensors"));
  write_file(files.staged_path("config.json"), config.dump(2) + "\n");
  for (const auto* name : tokenizer_files) {
    const auto path = fs::path(vocabulary) / name;
    if (is_there(path)) write_file(files.staged_path(name), read_file(path.string()));
  }
  if (space_first) {
    const auto path = (fs::path(vocabulary) / "tokenizer_config.json").string();
    ordered_json about = is_there(path) ? read_json<ordered_json>(path) : ordered_json::object();
    about["add_prefix_space"] = true;
    write_file(files.staged_path("tokenizer_config.json"), about.dump(2) + "\n");
  }
  files.commit({});
}

/// What ADAPTERS become together, with the head that HEAD_OF says: "average", "none", or the name of one of them.
adapter_file combined_of(const named_adapters& adapters, const std::vector<double>& weights, const std::string& combine,
                         const std::string& head_of, const encoder_config& config, const tensor_source& trunk) {
  std::vector<adapter_file> files;
  for (const auto& [name, file] : adapters) files.push_back(file);
  adapter_file combined = combine_adapters(files, weights, parse_combination(combine), config, &trunk);
  if (head_of == "none") return combined;
  if (head_of.empty()) {
    bool any = false;
    for (const adapter_file& one : files) any = any || one.has_head();
    if (any) combine_heads(combined, files, weights, config);
    return combined;
  }
  for (const auto& [name, file] : adapters) {
    if (name != head_of) continue;
    if (!file.has_head()) throw config_error("--head_of names " + name + ", which has no head");
    combine_heads(combined, {file}, {1.0}, config);
    return combined;
  }
  throw usage_error("--head_of is \"" + head_of + "\", the name of one of the adapters or none was expected");
}

}  // namespace

int merge_adapters(int argc, const char* const* argv) {
  trunk_files files;
  std::string input, list, output, to = "encoder", combine = "linear", head_of, name = "adapter";
  std::vector<std::string> weight_texts;
  bool normalize = true, force_overwrite = false;
  flag_table flags(
      "merge-adapters", "--model_path FOLDER (--adapter_path IN | --adapter_weights_path FILE) --output_path OUT [FLAGS]",
      "Makes an adapter part of the encoder's weights (low-rank updates, DoRA, IA3): OUT is a folder as Hugging Face's transformers save "
      "and load "
      "them, head included. Or makes several adapters of one shape one: their average, or with weights of either sign what adds and takes "
      "away what they learned.");
  flags.group("Flags");
  flags.add_sources();
  flags.add("model_path", &files.model_path, "The encoder: a Hugging Face folder, or what graft export-model wrote.").required();
  flags.add("model_config_path", &files.config_path, "The encoder's config.json. Looked for beside the model if not given.");
  flags.add("model_tokenizer_path", &files.tokenizer_path,
            "The folder of its vocabulary, which goes into OUT. Looked for beside the model if not given.");
  flags.add("adapter_path", &input, "The adapter, where it is one: a file, or the folder that holds it.");
  flags.add("adapter_weights_path", &list, "The adapters, where they are several: a JSON object, name: file or folder.");
  flags.add("weights", &weight_texts, "A number for each adapter, in their order; the same for all if not given.");
  flags.add("normalize_weights", &normalize, "Divide the weights by their sum (1), or take them as they are (0).");
  flags
      .add("combine", &combine,
           "linear: weighted sums of the adapters' numbers. lora_linear_only_negate_b: the same with positive weights for A, so that a "
           "negative one takes an update "
           "away. cat: low-rank updates one behind the other, whose sum is exact; their ranks add up.")
      .one_of({"linear", "lora_linear_only_negate_b", "cat"});
  flags.add("head_of", &head_of,
            "Whose head the result has, by name; or none. The weighted sum of all heads if not given: they must be over the same labels.");
  flags.add("to", &to, "encoder: into its weights. Else the form of the adapter that several become.")
      .one_of({"encoder", "graft", "original", "adapterhub", "peft"});
  flags.add("adapter_name", &name, "What AdapterHub's library calls it.");
  flags.add("output_path", &output, "Where it goes: a folder; for graft also a .safetensors, for original also a .p.").required();
  flags.add("force_overwrite", &force_overwrite, "Write over what is there.");
  if (!flags.parse(argc, argv)) return 0;
  if (input.empty() == list.empty()) throw usage_error("give --adapter_path for one adapter, or --adapter_weights_path for several");

  files = find_trunk_files(files);
  const encoder_config config = read_trunk_config(files);
  const tensor_source trunk = open_model(files.model_path, config.model_type);
  const std::string print = fingerprint(trunk, to_json(config), trunk_tensors(config, trunk));
  print_notes(trunk_notes(config, trunk));
  named_adapters adapters;
  const auto named = list.empty() ? std::vector<std::pair<std::string, std::string>>{{"adapter", input}} : read_adapter_list(list);
  for (const auto& [member, path] : named) {
    adapters.emplace_back(member, open_adapter(path, config));
    print_notes(adapters.back().second.notes);
    check_trunk(adapters.back().second.description, print, path);
    check_of_trunk(adapters.back().second, trunk);
  }
  if (adapters.empty()) throw config_error(list + ": names no adapter");
  const auto weights = weights_of(weight_texts, adapters.size(), normalize);
  const bool as_it_is = adapters.size() == 1 && weights[0] == 1 && head_of.empty();
  adapter_file one = as_it_is ? adapters[0].second : combined_of(adapters, weights, combine, head_of, config, trunk);
  const std::string target = destination(to, output);
  check_destination(target, {files.model_path, files.config_path}, force_overwrite);
  if (to == "encoder") {
    const json about = files.config_path.empty() ? model_file_config(files.model_path) : read_json(files.config_path);
    const adapter_file merged = merged_tensors(trunk, one);
    tensor_source model = merge_adapter(trunk, merged);
    const bool own_head = head_rows(trunk, config) != 0;
    tensor_source all(target);  // with its head, which counts where the encoder had another
    all.add_all(model, [&](const std::string& tensor) { return merged.tensors.contains(tensor) ? std::nullopt : std::optional(tensor); });
    all.add_all(merged.tensors);
    if (merged.description.head != usual_head(config) && merged.description.head != token_head(config) && merged.has_head())
      throw config_error(one.tensors.path() + ": has a head of another form than transformers' classifiers: give --head_of none");
    const model_description& d = merged.description;
    write_folder(target, all, config_with_head(ordered_json(about), merged, merged.has_head() || own_head, files.config_path),
                 files.tokenizer_path, d.head.tokens && d.as_trained && lacks_prefix_space(files.tokenizer_path));
  } else {
    one.description.trunk_fingerprint = print;
    write_form(to, target, one, config, &trunk, name, false);
  }
  std::cout << "adapters  ";
  for (std::size_t k = 0; k < adapters.size(); ++k) {
    std::cout << (k == 0 ? "" : ", ") << printable(adapters[k].first, 4000) << (as_it_is ? "" : " " + number_text(weights[k]));
  }
  std::cout << "\nwritten   " << printable(target, 4000) << '\n';
  print_notes(word_notes(one.description, to, target));
  return 0;
}

}  // namespace graft::program
