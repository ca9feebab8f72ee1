// graft predict: a trunk, what was tuned around it, and rows of text -> labels and probabilities.

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "graft/core/file.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/data/featurize.hpp"
#include "graft/data/fields.hpp"
#include "graft/exchange/adapter_list.hpp"
#include "graft/exchange/checkpoint.hpp"
#include "graft/io/model_file.hpp"
#include "graft/predict/predictor.hpp"
#include "host/machine.hpp"
#include "host/notes.hpp"
#include "host/standard_input.hpp"
#include "run/precision.hpp"
#include "run/run_files.hpp"

namespace graft::program {
namespace {

/// Gives the next row, false when there is none.
using row_source = std::function<bool(example&)>;

/// What the first line of standard input, in FIELDS, is if it is no row of texts; "" if it may be one.
std::string foreign_row(const std::vector<std::string_view>& fields) {
  if (fields[0].starts_with("{\"")) return "JSON lines";
  const auto is_text = [&](std::string_view name) {
    return name == "text_a" || name == "text_b" || (fields.size() > 1 && graft::detail::meaning_of(name).starts_with("text"));
  };
  const auto is_name = [&](std::string_view name) {
    return is_text(name) || graft::detail::is_among(graft::detail::text_fields, name) || graft::detail::is_passed_over(name) ||
           graft::detail::meaning_of(name) == "label";
  };
  const bool header = std::all_of(fields.begin(), fields.end(), is_name) && std::any_of(fields.begin(), fields.end(), is_text);
  return header ? "a table with a header" : "";
}

/// Lines of TEXT [tab TEXT], without a header, as they come.
row_source rows_of_standard_input() {
  return [rows = std::make_shared<tsv_reader>(standard_input()), row = tsv_row(), any = false](example& next) mutable {
    if (!rows->next(row)) {
      if (!any) throw format_error(rows->path(), "is empty, at least one row was expected");
      return false;
    }
    const std::string foreign = any ? "" : foreign_row(row.fields);
    if (!foreign.empty()) {
      throw format_error::at_line(rows->path(), row.line,
                                  "looks like " + foreign + ", lines of TEXT [tab TEXT] were expected: use --input /dev/stdin");
    }
    any = true;
    if (std::any_of(row.fields.begin(), row.fields.end(), [](auto field) { return field.find('\r') != std::string_view::npos; })) {
      throw format_error::at_line(rows->path(), row.line, "has a \\r inside: are the line ends \\r alone? \\n or \\r\\n were expected");
    }
    if (row.fields.size() > 2) {
      throw format_error::at_line(rows->path(), row.line,
                                  "has " + std::to_string(row.fields.size()) + " tab-separated texts, one or two were expected");
    }
    next = example();
    next.line = row.line;
    next.text_a = row.fields[0];
    if (row.fields.size() == 2) next.text_b = row.fields[1];
    return true;
  };
}

/// The rows of SPLIT in PATH. A file is read whole first, so that a row that cannot be read is found before the first answer; a pipe is
/// read as it comes.
row_source rows_of_file(const task& task, const std::string& split, const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) {
    return [rows = std::make_shared<example_reader>(task, split, path)](example& next) { return rows->next(next); };
  }
  const auto rows = std::make_shared<std::vector<example>>(read_examples(task, split, path));
  return [rows, at = std::size_t{0}](example& next) mutable {
    if (at == rows->size()) return false;
    next = std::move((*rows)[at++]);
    return true;
  };
}

/// TEXT as it can stand in a table: a label may hold a tab.
std::string cell(const std::string& text) { return printable(text, std::string::npos); }

/// A table of answers, header first: "index  prediction  P(no)  P(yes)", tab-separated; where several labels may hold, the prediction is
/// all with a probability of 0.5 or more, between commas. A regression has no probabilities: "index  prediction", or of several numbers
/// "index  prediction(one)  prediction(other)". With SEVERAL, where different adapters answer: "index  adapter  prediction  scores", scores
/// are label -> probability (number, of several) as JSON, {} for a regression of one; the bare trunk predicts nothing, its scores are the
/// first token's last hidden state.
class answer_table {
 public:
  answer_table(const predictor& model, bool several) : model_(model), several_(several) {
    if (!several_) labels_ = model.description().labels;
    numbers_ = !several_ && !labels_.empty() && model.description().output == task_kind::regression;
  }
  std::string header() const {
    if (several_) return "index\tadapter\tprediction\tscores\n";
    std::string text = numbers_ ? "index" : "index\tprediction";
    for (const std::string& label : labels_) text += (numbers_ ? "\tprediction(" : "\tP(") + cell(label) + ")";
    return text + '\n';
  }
  std::string row(const answer& a) {
    const std::string start = std::to_string(count_++) + '\t';
    if (several_) return start + cell(a.adapter) + '\t' + several_row(a);
    std::string text = start + (a.numbers.empty() ? cell(a.label) : number_text(a.score));
    for (const double p : a.probabilities) text += "\t" + number_text(p);
    for (std::size_t k = 1; k < a.numbers.size(); ++k) text += "\t" + number_text(a.numbers[k]);
    return text + '\n';
  }

 private:
  std::string several_row(const answer& a) const {
    ordered_json scores = ordered_json::object();
    if (a.adapter == predictor::bare_trunk) {
      scores = ordered_json::array();
      for (const double number : a.hidden_state) scores.push_back(static_cast<float>(number));
    } else {
      const auto& labels = model_.description(a.adapter).labels;
      const auto& numbers = a.numbers.empty() ? a.probabilities : a.numbers;
      for (std::size_t k = 0; k < labels.size(); ++k) scores[labels[k]] = static_cast<float>(numbers[k]);
    }
    return (a.numbers.size() == 1 ? number_text(a.score) : cell(a.label)) + '\t' + scores.dump() + '\n';
  }

  const predictor& model_;
  bool several_, numbers_;  // numbers_: a regression of several
  std::vector<std::string> labels_;
  std::size_t count_ = 0;
};

/// What predict was asked for.
struct question {
  trunk_files files;
  std::string tuned, adapters_path, adapter, source, output;
  std::int64_t batch_size = 8, threads = 0;
  bool several = false;
  row_source next_row;
  predictor_options options{};
};

/// Some rows in order, and why there are no more of them, if not for want of rows.
struct window {
  std::vector<example> rows;
  std::exception_ptr failure;
};

window read_window(const question& q) {
  window w;
  const auto size = static_cast<std::size_t>(q.batch_size * std::max<std::int64_t>(1, 128 / q.batch_size));  // whole batches
  try {
    for (example row; w.rows.size() < size && q.next_row(row);) w.rows.push_back(std::move(row));
  } catch (const error&) {
    w.failure = std::current_exception();
  }
  if (w.failure && w.rows.empty()) std::rethrow_exception(w.failure);
  return w;
}

/// The answers to the rows of W, up to the first that has none.
std::vector<answer> answers_to(window& w, const question& q, const predictor& model) {
  for (std::size_t i = 0; i < w.rows.size(); ++i) {
    example& row = w.rows[i];
    if (row.adapter.empty() || !q.several) row.adapter = q.adapter;
    if (!row.input_ids.empty() || !q.files.tokenizer_path.empty()) continue;
    w.failure = std::make_exception_ptr(format_error::at_line(
        q.source, row.line,
        "is text, and the rows before it brought their ids, so that no vocabulary was read: give --model_tokenizer_path FOLDER"));
    w.rows.resize(i);
  }
  while (!w.rows.empty()) {
    try {
      return model.predict(w.rows, q.batch_size, static_cast<int>(q.threads));
    } catch (const row_error& failure) {
      const auto bad = static_cast<std::size_t>(failure.row());
      w.failure = std::make_exception_ptr(format_error::at_line(q.source, w.rows[bad].line, failure.reason()));
      w.rows.resize(bad);
    }
  }
  return {};
}

/// A table of answers takes the place of one of before, or of a file that has nothing to do with it.
/// @throws usage_error  the file of Q's output is one that predict reads, or lies beside one of a model and is no table of answers
void check_output(const question& q, const std::string& task_path) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (!fs::is_regular_file(q.output, none) || fs::is_empty(q.output, none)) return;
  const auto is_output = [&](const fs::path& path) { return fs::equivalent(path, q.output, none); };
  std::string start(32, '\0');
  std::ifstream(q.output, std::ios::binary).read(start.data(), static_cast<std::streamsize>(start.size()));
  const bool answers = start.starts_with("index\tprediction") || start.starts_with("index\tadapter\tprediction");
  std::vector<std::string> read{q.files.model_path, q.files.config_path, q.files.tokenizer_path, q.tuned, q.adapters_path};
  if (!q.adapters_path.empty()) {
    for (const auto& [name, path] : read_adapter_list(q.adapters_path)) read.push_back(path);
  }
  bool taken = is_output(task_path) || is_output(q.source);
  for (const std::string& path : read) {
    if (path.empty()) continue;
    taken = taken || is_output(path);
    const fs::path folder = fs::is_directory(path, none) ? fs::path(path) : fs::absolute(path).parent_path();
    for (fs::directory_iterator file(folder, none), end; file != end && !answers; file.increment(none))
      taken = taken || is_output(file->path());
  }
  if (taken)
    throw usage_error("--output: " + printable(q.output) +
                      " belongs to the rows, the model or an adapter and would be lost: name another file");
}

/// What is said where nobody says how long rows may be.
std::vector<std::string> length_notes(const question& q, const predictor& model) {
  std::string unsaid;
  for (const std::string& name : model.names()) {
    if (!model.description(name).max_seq_length) unsaid += (unsaid.empty() ? "" : ", ") + (q.tuned.empty() ? name : q.tuned);
  }
  if (unsaid.empty() || q.options.max_seq_length) return {};
  return {unsaid + ": does not say how long its sequences were in training: rows are cut at " +
          std::to_string(model.config().max_sequence_length()) + " tokens, the encoder's most; --max_seq_length N cuts them at N"};
}

/// Before rows are waited for.
/// @throws usage_error  the model in FILES holds no head, and so cannot answer alone
void require_own_head(const trunk_files& files) {
  const encoder_config config = read_trunk_config(files);
  try {
    read_own_head(open_model(files.model_path, config.model_type), files, config);
  } catch (const format_error& failure) {
    throw usage_error("predict needs --adapter_path or --adapter_weights_path (or --adapter none, for the bare encoder): " +
                      printable(failure.what(), 4000));
  }
}

/// Writes the table of answers, row after row in the order of the rows; of more rows than a window holds, as they come. A
/// row that cannot be answered ends it, behind all before it. In a file, the table is there whole or not at all.
void answer_rows(question& q) {
  window w = read_window(q);
  const bool all_ids = std::all_of(w.rows.begin(), w.rows.end(), [](const example& row) { return !row.input_ids.empty(); });
  const bool no_tokenizer = all_ids && q.files.tokenizer_path.empty();
  q.files = beside_model(q.files);
  if (no_tokenizer) q.files.tokenizer_path.clear();

  predictor model(q.files, q.options);
  if (!q.tuned.empty()) model.add("tuned", q.tuned);
  if (!q.adapters_path.empty()) {
    const auto listed = read_adapter_list(q.adapters_path);
    if (listed.empty())
      throw format_error(q.adapters_path, "names no adapter, at least one was expected; --adapter none asks the bare encoder");
    for (const auto& [name, path] : listed) model.add(name, path);
  }
  print_notes(model.notes());
  print_notes(length_notes(q, model));
  std::optional<atomic_file> file;
  if (!q.output.empty()) file.emplace(q.output);
  const auto write = [&](const std::string& text) {
    if (file) return file->write(text);
    std::cout << text;
    flush_output();
  };
  answer_table table(model, q.several);
  std::string text = table.header();
  for (; !w.rows.empty(); w = read_window(q)) {
    for (const answer& a : answers_to(w, q, model)) text += table.row(a);
    write(text);
    text.clear();
    if (w.failure) std::rethrow_exception(w.failure);
  }
  if (file) file->commit();
}

}  // namespace

int predict(int argc, const char* const* argv) {
  trunk_files files;
  std::string model_type, tuned, adapters_path, adapter, input = "-", task_path, split, output;
  std::string precision = "auto";
  std::int64_t batch_size = 8, threads = 0;
  std::optional<std::int64_t> max_seq_length;
  flag_table flags(
      "predict", "--model_path FILE [--adapter_path FILE] [FLAGS] < TEXTS",
      "Answers for rows of text, with what a trainer saved (--do_save): an adapter, a mix, or a tuned model; or an adapter of "
      "nlprunners, of AdapterHub or of PEFT; or with the head that a model brings, as fine-tuned ones of Hugging Face do. Prints a table "
      "of "
      "index, label and probabilities. With several adapters around one encoder, each row may name the one that is to answer; the table "
      "then says which did, and holds the probabilities as JSON.");
  flags.group("Model");
  flags.add_sources();
  flags.add("model_path", &files.model_path, "The encoder that was trained around; or a whole model, with a head.").required();
  flags.add("model_config_path", &files.config_path, "Its Hugging Face config.json. Looked for beside the model if not given.");
  flags.add("model_tokenizer_path", &files.tokenizer_path, "The folder of its vocabulary. The model's folder if not given.");
  flags.add("model_type", &model_type, "Not needed: the configuration says it.");
  flags.add(
      "adapter_path", &tuned,
      "The model.safetensors that a trainer saved, or its output folder; or another program's adapter. One that brings no head answers "
      "with the model's; without it, the model's alone does.");
  flags.add("adapter_weights_path", &adapters_path, "Several, in place of one: a JSON object, name -> file or folder.");
  flags.add(
      "adapter", &adapter,
      "Which of them answers rows that name none in a column \"adapter\"; model: the model with its own head; none: the bare encoder, "
      "which gives hidden states. The first if not given.");
  flags.group("Rows");
  flags.add("input", &input, "A .tsv with a header that names text_a and text_b, or a .jsonl; -: standard input, TEXT [tab TEXT] a line.");
  flags.add("task_config_path", &task_path, "Takes the rows of this task in place of --input.");
  flags.add("split", &split, "Which rows of the task: test if not given, val, train, or another that it has.");
  flags
      .add("max_seq_length", &max_seq_length,
           "Longest sequence in tokens, special tokens included; longer texts are cut. As in training if what was tuned says so, else the "
           "encoder's longest.")
      .within({4, ranges::max_seq_length.most});
  flags.add("output", &output, "Writes the table to this file, not to standard output.");
  flags.group("Machine");
  flags.add("eval_batch_size", &batch_size, "Rows in a batch.").within(ranges::count);
  flags.add("threads", &threads, threads_help).between(0, most_threads);
  flags.add("precision", &precision, "Number type of products: f32, or bf16. auto: bf16 where matrix tiles work, else f32.")
      .one_of({"auto", "f32", "bf16"});
  if (!flags.parse(argc, argv)) return 0;

  if (!task_path.empty() && input != "-")
    throw usage_error("predict takes its rows from --input or from --task_config_path, not from both");
  if (task_path.empty() && !split.empty()) throw usage_error("--split says which rows of a task: give --task_config_path, too");
  if (split.empty()) split = "test";
  threads = start_threads(threads);
  const bool several = !adapters_path.empty() || adapter == predictor::bare_trunk;
  if (!tuned.empty() && !adapters_path.empty()) throw usage_error("predict takes --adapter_path or --adapter_weights_path, not both");
  if (tuned.empty() && !several) require_own_head(beside_model(files));
  question q{files,
             tuned,
             adapters_path,
             adapter,
             "standard input",
             output,
             batch_size,
             threads,
             several,
             {},
             {max_seq_length, parse_precision(choose_precision(precision).name)}};
  std::function<row_source()> open_rows = rows_of_standard_input;
  if (!task_path.empty()) {
    const task_config config = read_task_config(task_path);
    if (!config.paths.contains(split)) throw config_error(task_path + ": \"paths\" has no \"" + split + "\"");
    q.source = config.paths.at(split);
    open_rows = [&q, config, split] { return rows_of_file(config.task, split, q.source); };
  } else if (input != "-") {
    q.source = input;
    open_rows = [&q] { return rows_of_file(custom_task("input", task_kind::classification, {}), "test", q.source); };
  }
  if (!output.empty()) check_output(q, task_path);
  q.next_row = open_rows();
  answer_rows(q);
  return 0;
}

}  // namespace graft::program
