// graft convert-adapter: an adapter of graft, nlprunners, AdapterHub or PEFT -> any other of them that can hold it.

#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "commands/adapter_forms.hpp"
#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/adapterhub_setup.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/trunk_files.hpp"
#include "host/notes.hpp"

namespace graft::program {
namespace {

void set_labels(adapter_file& a, const std::vector<std::string>& labels) {
  model_description& d = a.description;
  if (!a.has_head()) throw config_error("--labels: the adapter in " + a.tensors.path() + " has no head, and so no labels");
  if (labels.size() != d.labels.size()) {
    throw config_error("--labels: " + std::to_string(labels.size()) + " were given, the head in " + a.tensors.path() + " is " +
                       (d.labels.empty() ? "a regression" : "for " + std::to_string(d.labels.size())));
  }
  check_labels(labels, "--labels");
  d.labels = labels;
  d.labels_said = true;
}

std::string summary(const model_description& d) {
  std::string text = d.kind == tuning_kind::multi_adapter ? "fusion of " + listed(d.mix.adapters, &mixed_adapter::name)
                     : d.kind == tuning_kind::prefix
                         ? "prefix of length " + std::to_string(d.prefix.length) +
                               (d.prefix.bottleneck > 0 ? ", network of width " + std::to_string(d.prefix.bottleneck) : ", flat")
                     : d.kind == tuning_kind::ia3 ? "IA3 of"
                     : d.kind == tuning_kind::lora
                         ? std::string(d.lora.dora ? "DoRA" : "low-rank updates") + ", r " + std::to_string(d.lora.r) +
                               (d.lora.ranks.empty() ? "" : " and others") + ", of"
                         : d.adapter.kind + " adapter of size " + std::to_string(d.adapter.size) + ", " + activation_name(d.adapter.act) +
                               ", LayerNorms " + (d.layer_norms_trained ? "trained" : "of the trunk");
  for (const std::string& target : d.kind == tuning_kind::ia3 ? d.ia3.targets : d.lora.targets) {
    if (d.kind == tuning_kind::lora || d.kind == tuning_kind::ia3) text += " " + target;
  }
  if (!d.modules_to_save.empty()) text += "; " + std::to_string(d.modules_to_save.size()) + " tensors of the encoder's own";
  if (d.output == task_kind::regression) return text + "; regression";
  text += d.labels.empty() ? "; no head" : "; labels";
  for (const std::string& label : d.labels) text += " " + label;
  return text;
}

/// LABELS as --labels takes them; "" where they are the numbers that a form without labels calls them anyway.
std::string named_labels(const std::vector<std::string>& labels) {
  std::string text;
  bool numbers = true;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    numbers = numbers && labels[i] == std::to_string(i);
    text += (i == 0 ? "" : ",") + labels[i];
  }
  return numbers ? "" : text;
}

}  // namespace

int convert_adapter(int argc, const char* const* argv) {
  trunk_files files;
  std::string input, output, to, name, task, ignored;
  std::vector<std::string> labels;
  bool norms_beside = false, force_overwrite = false;
  flag_table flags(
      "convert-adapter", "--adapter_path IN --output_path OUT --to FORMAT --model_path FILE [FLAGS]",
      "Turns an adapter of graft, of nlprunners (model.p), of AdapterHub's library or of PEFT (LoRA), told apart by what "
      "the file or folder holds, into another of these forms. What a form cannot compute is refused; labels and sequence length, which "
      "some cannot say, are told.");
  flags.group("Flags");
  flags.add_sources();
  flags.add("adapter_path", &input, "The adapter: a file, or the folder that holds it.").required();
  flags.add("output_path", &output, "Where it goes: a folder; for graft also a .safetensors, for original also a .p.").required();
  flags.add("to", &to, "The form wanted.").required().one_of({"graft", "original", "adapterhub", "peft"});
  flags.add("model_path", &files.model_path,
            "The encoder it belongs to: its shapes are checked, and graft's form remembers its fingerprint.");
  flags.add("model_config_path", &files.config_path, "The encoder's config.json. Looked for beside the model if not given; enough alone.");
  flags.add("model_tokenizer_path", &ignored, "Not needed.").without_effect();
  flags.add("model_type", &ignored, "Not needed: the configuration says it.").without_effect();
  flags.add("adapter_name", &name, "What AdapterHub's library calls it. The name it has, or else `adapter`, if not given.");
  flags.add("labels", &labels, "The labels in order, for forms that do not hold them; without it they are called 0, 1, ...");
  flags.add("task", &task, "The task's name.");
  flags.add("layer_norms_beside", &norms_beside,
            "For adapterhub: write trained LayerNorms, for which it has no place, to a file of their own.");
  flags.add("force_overwrite", &force_overwrite, "Write over what is there.");
  if (!flags.parse(argc, argv)) return 0;

  if (to != "adapterhub" && (norms_beside || !name.empty()))
    throw usage_error(std::string(norms_beside ? "--layer_norms_beside" : "--adapter_name") + " is for --to adapterhub, --to " + to +
                      " has no use for it");
  if (files.model_path.empty() && files.config_path.empty())
    throw usage_error("--model_path or --model_config_path is missing: one says how large the encoder is");
  if (!files.model_path.empty()) files = find_trunk_files(files);
  const encoder_config config = read_trunk_config(files);
  adapter_file a = is_adapterhub_setup(input) || to == "adapterhub" ? open_tuned(input, config) : open_adapter(input, config);
  print_notes(a.notes);
  std::optional<tensor_source> trunk;
  if (!files.model_path.empty()) {
    trunk = open_model(files.model_path, config.model_type);
    const std::string print = fingerprint(*trunk, to_json(config), trunk_tensors(config, *trunk));
    print_notes(trunk_notes(config, *trunk));
    check_trunk(a.description, print, input);
    check_of_trunk(a, *trunk);
    a.description.trunk_fingerprint = print;
  }
  if (!trunk && !a.of_trunk.tensors().empty()) {
    throw config_error(input + ": repeats tensors of the encoder (" + a.of_trunk.tensors().begin()->first +
                       "), which are to be compared with it: give --model_path");
  }
  if (!labels.empty()) set_labels(a, labels);
  if (!task.empty()) a.description.task_name = task;
  if (name.empty()) name = a.description.task_name.empty() ? "adapter" : a.description.task_name;

  const std::string target = destination(to, output);
  check_destination(target, {files.model_path, files.config_path}, force_overwrite);
  write_form(to, target, a, config, trunk ? &*trunk : nullptr, name, norms_beside);
  std::cout << "adapter  " << printable(summary(a.description), 4000) << '\n' << "written  " << printable(target, 4000) << '\n';
  const bool without_labels = to == "original" || to == "peft";
  if (const std::string lost = named_labels(a.description.labels); without_labels && !lost.empty()) {
    std::cerr << "graft: " << printable(target + ": its form holds no labels: give --labels " + lost + " where it is converted again", 4000)
              << '\n';
  }
  print_notes(word_notes(a.description, to, target));
  if (const auto length = a.description.max_seq_length; length && to != "graft") {
    print_notes({target + ": its form does not say where rows were cut in training: give --max_seq_length " + std::to_string(*length) +
                 " where it answers"});
  }
  return 0;
}

}  // namespace graft::program
