// graft predict: a trunk, what was tuned around it, and rows of text -> labels and probabilities.

#include <filesystem>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "commands.hpp"
#include "flags.hpp"
#include "graft/core/printable.hpp"
#include "graft/data/tasks.hpp"
#include "graft/data/tsv.hpp"
#include "graft/exchange/adapter_list.hpp"
#include "graft/predict/predictor.hpp"
#include "graft/train/run_files.hpp"
#include "machine.hpp"
#include "precision.hpp"

namespace graft::program {
namespace {

/// Lines of TEXT [tab TEXT], without a header.
std::vector<example> read_standard_input() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  std::vector<example> rows;
  for_each_tsv_row(text, "standard input", [&](const tsv_row& row) {
    if (row.fields.size() > 2) {
      throw format_error::at_line("standard input", row.line,
                                  "has " + std::to_string(row.fields.size()) + " tab-separated texts, one or two were expected");
    }
    example& added = rows.emplace_back();
    added.line = row.line;
    added.text_a = row.fields[0];
    if (row.fields.size() == 2) added.text_b = row.fields[1];
  });
  return rows;
}

/// TEXT as it can stand in a table: a label may hold a tab.
std::string cell(const std::string& text) { return printable(text, std::string::npos); }

/// "index  adapter  prediction  scores", for rows that different adapters answer: scores are label -> probability as JSON, {} for a
/// regression; the bare trunk predicts nothing, its scores are the first token's last hidden state.
template <class P>
std::string table(const std::vector<answer>& answers, const basic_predictor<P>& model) {
  std::string text = "index\tadapter\tprediction\tscores\n";
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const answer& a = answers[i];
    ordered_json scores = ordered_json::object();
    if (a.adapter == predictor::bare_trunk) {
      scores = ordered_json::array();
      for (const double number : a.hidden_state) scores.push_back(static_cast<float>(number));
    } else {
      const auto& labels = model.description(a.adapter).labels;
      for (std::size_t k = 0; k < a.probabilities.size(); ++k) scores[labels[k]] = static_cast<float>(a.probabilities[k]);
    }
    const bool regression = a.probabilities.empty() && a.hidden_state.empty();
    text += std::to_string(i) + '\t' + cell(a.adapter) + '\t' + (regression ? number_text(a.value) : cell(a.label)) + '\t' + scores.dump() +
            '\n';
  }
  return text;
}

/// "index  prediction  P(no)  P(yes)", tab-separated; a regression has no probabilities.
std::string table(const std::vector<answer>& answers, const std::vector<std::string>& labels) {
  std::string text = "index\tprediction";
  for (const std::string& label : labels) text += "\tP(" + cell(label) + ")";
  text += '\n';
  for (std::size_t i = 0; i < answers.size(); ++i) {
    text += std::to_string(i) + "\t" + (labels.empty() ? number_text(answers[i].value) : cell(answers[i].label));
    for (const double p : answers[i].probabilities) text += "\t" + number_text(p);
    text += '\n';
  }
  return text;
}

/// What predict was asked for, apart from the rows.
struct question {
  trunk_files files;
  std::string tuned, adapters_path, adapter, source;
  std::int64_t batch_size = 8, threads = 0;
  bool several = false;
};

/// The table of answers to ROWS, computed in P.
template <class P>
std::string answer_rows(const question& q, std::vector<example> rows) {
  basic_predictor<P> model(q.files);
  if (!q.tuned.empty()) model.add("tuned", q.tuned);
  if (!q.adapters_path.empty()) {
    for (const auto& [name, path] : read_adapter_list(q.adapters_path)) model.add(name, path);
  }
  for (example& row : rows) {
    if (row.adapter.empty() || !q.several) row.adapter = q.adapter;
  }
  context ctx;
  ctx.threads = static_cast<int>(q.threads);
  std::vector<answer> answers;
  try {
    answers = model.predict(rows, q.batch_size, ctx);
  } catch (const row_error& failure) {
    throw format_error::at_line(q.source, rows[static_cast<std::size_t>(failure.row())].line, failure.reason());
  }
  return q.several ? table(answers, model) : table(answers, model.description().labels);
}

}  // namespace

int predict(int argc, const char* const* argv) {
  trunk_files files;
  std::string model_type, tuned, adapters_path, adapter, input = "-", task_path, split = "test", output;
  std::string precision = "auto";
  std::int64_t batch_size = 8, threads = 0;
  flag_table flags(
      "predict", "--model_path FILE --adapter_path FILE [FLAGS] < TEXTS",
      "Answers for rows of text, with what a trainer saved (--do_save): an adapter, a mix, or a tuned model; or an adapter of the "
      "original system, of AdapterHub or of PEFT. Prints a table of index, label and probabilities. With several adapters around one "
      "encoder, each row may name the one that is to answer; the table then says which did, and holds the probabilities as JSON.");
  flags.group("Model");
  flags.add_sources();
  flags.add("model_path", &files.model_path, "The encoder that was trained around.").required();
  flags.add("model_config_path", &files.config_path, "Its Hugging Face config.json. Looked for beside the model if not given.");
  flags.add("model_tokenizer_path", &files.tokenizer_path, "The folder of its vocabulary. The model's folder if not given.");
  flags.add("model_type", &model_type, "Not needed: the configuration says it.");
  flags.add("adapter_path", &tuned, "The model.safetensors that a trainer saved, or its output folder; or another program's adapter.");
  flags.add("adapter_weights_path", &adapters_path, "Several, in place of one: a JSON object, name -> file or folder.");
  flags.add(
      "adapter", &adapter,
      "Which of them answers rows that name none in a column \"adapter\"; none: the bare encoder, which gives hidden states. The first "
      "if not given.");
  flags.group("Rows");
  flags.add("input", &input, "A .tsv with a header that names text_a and text_b, or a .jsonl; -: standard input, TEXT [tab TEXT] a line.");
  flags.add("task_config_path", &task_path, "Takes the rows of this task in place of --input.");
  flags.add("split", &split, "Which rows of the task: test, val, train, or another that it has.");
  flags.add("output", &output, "Writes the table to this file, not to standard output.");
  flags.group("Machine");
  flags.add("eval_batch_size", &batch_size, "Rows in a batch.").between(1);
  flags.add("threads", &threads, threads_help).between(0, most_threads);
  flags.add("precision", &precision, "Number type of products: f32, or bf16. auto: bf16 where matrix tiles work, else f32.")
      .one_of({"auto", "f32", "bf16"});
  if (!flags.parse(argc, argv)) return 0;

  if (!task_path.empty() && input != "-")
    throw usage_error("predict takes its rows from --input or from --task_config_path, not from both");
  threads = start_threads(threads);
  const bool several = !adapters_path.empty() || adapter == predictor::bare_trunk;
  if (tuned.empty() == adapters_path.empty() && !(tuned.empty() && several)) {
    throw usage_error("predict needs --adapter_path or --adapter_weights_path, and not both; or --adapter none, for the bare encoder");
  }
  std::vector<example> rows;
  std::string source = "standard input";
  if (!task_path.empty()) {
    const task_config config = read_task_config(task_path);
    if (!config.paths.contains(split)) throw config_error(task_path + ": \"paths\" has no \"" + split + "\"");
    source = config.paths.at(split);
    std::size_t skipped = 0;
    rows = read_examples(config.task, split, source, &skipped);
    if (skipped > 0) std::cerr << "graft: " << printable(source, 4000) << ": left " << skipped << " rows out that have too few columns\n";
  } else if (input != "-") {
    source = input;
    rows = read_examples(custom_task("input", task_kind::classification, {}), "test", source);
  } else {
    rows = read_standard_input();
  }
  const bool all_ids = std::all_of(rows.begin(), rows.end(), [](const example& row) { return !row.input_ids.empty(); });
  const bool no_tokenizer = all_ids && files.tokenizer_path.empty();
  files = beside_model(files);
  if (no_tokenizer) files.tokenizer_path.clear();

  const question q{files, tuned, adapters_path, adapter, source, batch_size, threads, several};
  const std::string text = in_precision(choose_precision(precision).name, [&]<class P>(P) { return answer_rows<P>(q, rows); });
  if (output.empty()) {
    std::cout << text;
  } else {
    write_file(output, text);
  }
  return 0;
}

}  // namespace graft::program
