// graft export-model: a Hugging Face folder -> one flat model file, its tokenizer, and the flags that name them to the trainers.

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands/commands.hpp"
#include "commands/tokenizer_files.hpp"
#include "flags/flags.hpp"
#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/core/printable.hpp"
#include "graft/encoder/config.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/checkpoint.hpp"
#include "graft/exchange/merge_adapter.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/exchange/sentence_folder.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/model/packed_trunk.hpp"
#include "graft/model/trunk_files.hpp"
#include "graft/text/tokenizer.hpp"
#include "host/machine.hpp"
#include "host/notes.hpp"

namespace graft::program {
namespace {

namespace fs = std::filesystem;

constexpr const char* cross_encoder_file = "config_sentence_transformers.json";  // says what becomes of the logits of its head

/// The head of LORA alone, to answer with around the trunk that it was merged into, which has the fingerprint PRINT.
void write_head(const std::string& path, const adapter_file& lora, const encoder_config& config, const std::string& print) {
  model_description d = lora.description;
  d.kind = tuning_kind::head;
  d.trunk_fingerprint = print;
  safetensors_writer writer;
  writer.metadata = to_metadata(d);
  const auto head = head_tensors(config, d.num_labels(), d.head);
  for (const auto& [name, info] : lora.tensors.tensors()) {
    if (head.contains(name)) writer.add(name, info.shape, info.type, info.bytes, info.type);
  }
  writer.write(path);
}

std::string millions(std::size_t count) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f M", static_cast<double>(count) / 1e6);
  return text;
}

}  // namespace

int export_model(int argc, const char* const* argv) {
  std::string model_type, model_folder, tokenizer_folder, output_folder, lora_path, pack;
  bool without_tokenizer = false;
  bool force_overwrite = false;
  flag_table flags("export-model", "FOLDER --output_base_path OUT",
                   "Turns a Hugging Face folder (config.json; vocab.json + merges.txt, vocab.txt or tokenizer.json; model.safetensors or "
                   "pytorch_model.bin, whole or in several files) into OUT/model, the same as one file that is mapped into memory, and "
                   "OUT/config.json, which the trainers take as --ZZsrc. No code in a pytorch_model.bin is run.");
  flags.group("Flags");
  flags.add("model_path", &model_folder, "The Hugging Face folder, if not given as FOLDER.");
  flags.add("model_tokenizer_path", &tokenizer_folder, "The folder of its vocabulary, if it is another one.");
  flags.add("model_type", &model_type,
            "roberta, bert, ... (a full name such as roberta-base is fine). Read from config.json if not given.");
  flags.add("output_base_path", &output_folder, "Where config.json and the folder model are made.").required();
  flags.add("output_dir", &output_folder, "Another name for output_base_path.");
  flags.add(
      "merge_lora", &lora_path,
      "A low-rank update or IA3 (PEFT's folder, or graft's): it becomes part of the weights, its head that of the model, and a file of its "
      "own beside them, too.");
  flags
      .add("pack", &pack,
           "The file holds the encoder's weights a second time, as products of this precision read them: predict, evaluate and embed start "
           "at once, and processes share them.")
      .one_of({"auto", "f32", "bf16", "int8"});
  flags.add("without_tokenizer", &without_tokenizer, "Leave the vocabulary out: rows will bring their ids.");
  flags.add("force_overwrite", &force_overwrite, "Write into OUT even if it holds files.");
  flags.positional("FOLDER", &model_folder);
  if (!flags.parse(argc, argv)) return 0;

  if (!fs::is_directory(model_folder)) {
    throw format_error(model_folder, fs::exists(model_folder) ? "is a file, a Hugging Face folder was expected" : "is no folder");
  }
  // Everything is read and checked before anything is written.
  std::vector<std::string> notes;
  std::string encoder_folder = model_folder;  // or where modules.json of sentence-transformers says
  std::vector<std::pair<std::string, std::string>> sentence;
  try {
    encoder_folder = sentence_encoder_folder(model_folder);
    sentence = sentence_files(model_folder);
  } catch (const format_error& failure) {
    notes.push_back(failure.what() + std::string("; the export leaves modules out"));
  }
  if (encoder_folder != model_folder && !is_there((fs::path(encoder_folder) / "config.json").string()) &&
      is_there((fs::path(model_folder) / "config.json").string())) {
    notes.push_back(encoder_folder +
                    ": holds no config.json, though modules.json has the encoder there; the one beside it is exported, without modules");
    encoder_folder = model_folder;
    sentence.clear();
  }
  const std::string config_path = (fs::path(encoder_folder) / "config.json").string();
  if (!is_there(config_path)) {
    throw format_error(encoder_folder, "holds no config.json: not a Hugging Face folder?" + (notes.empty() ? "" : " (" + notes[0] + ")"));
  }
  if (tokenizer_folder.empty()) tokenizer_folder = encoder_folder;

  json config_json = read_json(config_path);
  const encoder_config config = parse_encoder_config(config_json, config_path);
  if (model_type.empty()) model_type = config.model_type;
  if (encoder_family(model_type) != config.model_type) {
    throw config_error("--model_type is " + model_type + ", " + config_path + " is that of a " + config.model_type);
  }
  std::optional<tokenizer> tokens;
  if (!without_tokenizer) tokens = read_vocabulary(tokenizer_folder, config);
  tensor_source model = open_model(encoder_folder, config.model_type);
  const auto trunk = trunk_tensors(config, model);
  for (std::string& note : trunk_notes(config, model)) notes.push_back(std::move(note));
  std::optional<adapter_file> lora;
  if (!lora_path.empty()) {
    lora = open_adapter(lora_path, config);
    check_trunk(lora->description, fingerprint(model, to_json(config), trunk), lora_path);
    start_threads(0);
    check_of_trunk(*lora, model);
    try {
      lora = with_own_head(*lora, read_own_head(model, {encoder_folder, config_path, ""}, config));
    } catch (const format_error&) {  // the model brings none
    }
    lora = merged_tensors(model, *lora);
    model = merge_adapter(model, *lora);
    if (lora->has_head()) model = model_with_head(model, *lora, config);
    if (lora->has_head() && (lora->description.head == usual_head(config) || lora->description.head.tokens)) {
      config_json = config_with_head(config_json, lora->description);
    }
  }
  const std::string print = fingerprint(model, to_json(config), trunk);
  for (const auto& [name, shape] : trunk) model.check_finite(name);
  const auto threads = static_cast<int>(pack.empty() ? 1 : start_threads(0));
  model = with_packed_trunk(model, config, print, pack.empty() ? std::nullopt : std::optional(parse_precision(pack)), threads);
  std::map<std::string, std::string> texts{{"config.json", read_file(config_path)}};
  if (lora && lora->has_head()) {
    texts["config.json"] = config_json.dump(2) + '\n';
  } else if (const auto path = fs::path(model_folder) / cross_encoder_file; is_there(path)) {
    texts[cross_encoder_file] = read_file(path.string());
  }
  for (const auto* name : tokenizer_files) {
    if (without_tokenizer) break;
    const auto path = fs::path(tokenizer_folder) / name;
    if (is_there(path)) texts[name] = read_file(path.string());
  }

  const fs::path out = fs::absolute(output_folder).lexically_normal();
  storable(out.string(), "output_base_path");
  storable(fs::absolute(model_folder).string(), "model_path");
  if (fs::exists(out) && !force_overwrite && (!fs::is_directory(out) || !fs::is_empty(out))) {
    throw config_error(output_folder + ": is not empty; choose another folder or give --force_overwrite");
  }
  const fs::path folder = out / "model";
  std::vector<fs::path> read_folders{model_folder, encoder_folder, tokenizer_folder};
  if (lora) read_folders.push_back(fs::is_directory(lora_path) ? fs::path(lora_path) : fs::absolute(lora_path).parent_path());
  for (const fs::path& source : read_folders) {
    std::error_code none;
    if (fs::equivalent(out, source, none) || fs::equivalent(folder, source, none)) {
      throw config_error(output_folder + ": would write over " + source.string() + ", which is read; choose another folder");
    }
  }
  const std::string file = (folder / "model.safetensors").string();
  std::vector<std::string> stale(std::begin(tokenizer_files), std::end(tokenizer_files));  // an earlier export's may be of another kind
  stale.insert(stale.end(), {"head.safetensors", cross_encoder_file, "modules.json"});
  for (const char* of : {"bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"})
    stale.push_back("sentence_" + std::string(of) + "_config.json");
  for (auto& [name, text] : sentence) {
    texts[name] = std::move(text);
    const fs::path within = fs::path(name).parent_path();
    if (within.empty()) continue;
    for (const char* weights : {"model.safetensors", "pytorch_model.bin"}) stale.push_back((within / weights).string());
  }
  staged_files files(folder.string());
  for (const auto& [name, text] : texts) write_file(files.staged_path(name), text);
  write_model_file(files.staged_path("model.safetensors"), model, config_json, fs::absolute(model_folder).lexically_normal().string());
  if (lora && lora->has_head()) write_head(files.staged_path("head.safetensors"), *lora, config, print);
  files.commit(stale);
  const ordered_json sources{{"model_type", model_type},
                             {"model_path", file},
                             {"model_config_path", (folder / "config.json").string()},
                             {"model_tokenizer_path", folder.string()}};
  write_file((out / "config.json").string(), sources.dump(2) + "\n");

  if (tokens) notes.insert(notes.end(), tokens->notes().begin(), tokens->notes().end());
  print_notes(notes);
  std::size_t parameters = 0;
  for (const auto& [name, shape] : trunk) parameters += static_cast<std::size_t>(element_count(shape));
  std::cout << "model       " << config.model_type << ", " << config.num_hidden_layers << " layers of " << config.hidden_size << ", "
            << millions(parameters) << " parameters, fingerprint " << print << '\n'
            << "file        " << printable(file, 4000) << ", " << millions(fs::file_size(file)) << "B\n"
            << "vocabulary  " << (tokens ? std::to_string(tokens->size()) + " entries, " : "") << config.vocab_size << " rows\n"
            << "train with  --ZZsrc " << (out / "config.json").string() << '\n';
  return 0;
}

}  // namespace graft::program
