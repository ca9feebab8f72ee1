#include "run/question.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <deque>
#include <exception>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/adapter_list.hpp"
#include "graft/exchange/checkpoint.hpp"
#include "graft/exchange/sentence_folder.hpp"
#include "graft/io/model_file.hpp"
#include "graft/predict/answer_stream.hpp"
#include "graft/predict/shared_answers.hpp"
#include "host/machine.hpp"
#include "host/notes.hpp"
#include "host/ranks.hpp"
#include "host/stop.hpp"
#include "run/answer_output.hpp"
#include "run/precision.hpp"
#include "run/progress.hpp"
#include "run/resumed_answers.hpp"
#include "run/run_files.hpp"
#include "run/run_folder.hpp"
#include "run/tag_lines.hpp"

namespace graft::program {
namespace {

/// The exit code where rows without an answer are lines of the table.
constexpr int bad_rows_exit_code = 5;

/// SOURCE, whose first rows were read already: up to 128 of those that are there.
class begun_rows {
 public:
  explicit begun_rows(row_source source) : source_(std::move(source)) {
    try {
      for (example row; rows_.size() < 128 && (rows_.empty() || source_.ready()) && source_.next(row);) rows_.push_back(std::move(row));
    } catch (const error&) {
      if (rows_.empty()) throw;
      failure_ = std::current_exception();
    }
  }
  const std::deque<example>& first() const { return rows_; }
  bool ready() { return !rows_.empty() || failure_ || source_.ready(); }
  bool next(example& row) {
    if (rows_.empty() && failure_) std::rethrow_exception(failure_);
    if (rows_.empty()) return source_.next(row);
    row = std::move(rows_.front());
    rows_.pop_front();
    return true;
  }

 private:
  row_source source_;
  std::deque<example> rows_;
  std::exception_ptr failure_;
};

/// A digest over the files of the vocabulary in the folder PATH.
std::string vocabulary_digest(const std::string& path) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(path)) return input_digest(path);
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string kind = entry.path().extension().string();
    const bool read =
        kind == ".txt" || kind == ".model" || (kind == ".json" && entry.path().filename().string().find("index") == std::string::npos);
    if (entry.is_regular_file() && read) files[entry.path().filename().string()] = input_digest(entry.path().string());
  }
  fnv1a hash;
  for (const auto& [name, digest] : files) hash.add(name + "\n" + digest + "\n");
  return hash.text();
}

/// A table of answers takes the place of one of before, or of a file that has nothing to do with it.
/// @throws usage_error  the file OUTPUT is one that is read, or lies beside one of a model and is no table of answers
void check_output(const question& q, const std::string& output) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (!fs::is_regular_file(output, none) || fs::is_empty(output, none)) return;
  const auto is_output = [&](const fs::path& path) { return fs::equivalent(path, output, none); };
  std::string start(32, '\0');
  std::size_t count = 0;
  try {
    input_bytes there(output);
    for (std::size_t got = 1; got > 0 && count < start.size(); count += got) got = there.read(start.data() + count, start.size() - count);
  } catch (const format_error&) {  // what is packed may be cut short
  }
  start.resize(count);
  constexpr const char* starts[] = {"index\tprediction", "index\tadapter\tprediction", "{\"index\":0,", "\x93NUMPY", "{\n  \"rows\""};
  const bool answers = std::any_of(std::begin(starts), std::end(starts), [&](std::string_view one) {
    return start.starts_with(one) || (q.resumes && one.starts_with(start));  // it was ended within its first line
  });
  std::vector<std::string> read{q.files.model_path, q.files.config_path, q.files.tokenizer_path, q.tuned, q.adapters_path};
  if (!q.adapters_path.empty()) {
    for (const auto& [name, path] : read_adapter_list(q.adapters_path)) read.push_back(path);
  }
  bool taken = is_output(q.task_path) || is_output(q.input == "-" ? "/dev/stdin" : q.source());
  for (const std::string& path : read) {
    if (path.empty()) continue;
    taken = taken || is_output(path);
    const fs::path folder = fs::is_directory(path, none) ? fs::path(path) : fs::absolute(path).parent_path();
    for (fs::directory_iterator file(folder, none), end; file != end && !answers; file.increment(none))
      taken = taken || is_output(file->path());
  }
  if (taken)
    throw usage_error("--output: " + printable(output) +
                      " belongs to the rows, the model or an adapter and would be lost: name another file");
}

/// What is said where nobody says how long rows may be.
std::vector<std::string> length_notes(const question& q, const predictor& model) {
  std::string unsaid;
  for (const std::string& name : model.names()) {
    if (!model.description(name).max_seq_length) add_to_list(unsaid, q.tuned.empty() ? name : q.tuned);
  }
  if (unsaid.empty() || q.options.max_seq_length) return {};
  return {unsaid + ": does not say how long its sequences were in training: rows are cut at " +
          std::to_string(model.config().max_sequence_length()) + " tokens, the encoder's most; --max_seq_length N cuts them at N"};
}

/// What is said of those that tag words and do not say with what.
std::vector<std::string> tag_notes(const question& q, const predictor& model) {
  std::vector<std::string> notes;
  for (const std::string& name : model.names()) {
    const model_description& d = model.description(name);
    if (!d.head.tokens || d.labels_said) continue;
    notes.push_back(
        (q.tuned.empty() ? name : q.tuned) +
        ": does not say what its labels are: tags are called 0, 1, ..., none is O, and spans are words side by side with one of "
        "them; graft convert-adapter --to graft --labels NAMES names them");
  }
  return notes;
}

}  // namespace

void question::add_model_flags(flag_table& flags, const std::string& without) {
  flags.group("Model");
  flags.add_sources();
  flags.add("model_path", &files.model_path, "The encoder that was trained around; or a whole model, with a head.").required();
  flags.add("model_config_path", &files.config_path, "Its Hugging Face config.json. Looked for beside the model if not given.");
  flags.add("model_tokenizer_path", &files.tokenizer_path, "The folder of its vocabulary. The model's folder if not given.");
  flags.add("model_type", &model_type, "Not needed: the configuration says it.");
  flags.add("adapter_path", &tuned,
            "The model.safetensors that a trainer saved, or its output folder; or another program's adapter. " + without);
  flags.add("adapter_weights_path", &adapters_path, "Several, in place of one: a JSON object, name -> file or folder.");
}

void question::add_row_flags(flag_table& flags, const std::string& lines, const std::string& usual) {
  const std::string labels = lines.empty() ? " and label" : "";
  flags.group("Rows");
  flags.add("input", &input,
            "A .tsv with a header that names text_a and text_b" + labels +
                ", or a .jsonl; or words in columns, as a .conll, .bio, .iob, .iob2 or .bioes" +
                (lines.empty() ? "." : "; -: standard input, " + lines + " a line."));
  flags.add("task_config_path", &task_path, "Takes the rows of this task in place of --input.");
  flags.add("split", &split, "Which rows of the task: " + usual + " if not given, or another that it has.");
  flags
      .add("max_seq_length", &max_seq_length,
           "Longest sequence in tokens, special tokens included; longer texts are cut. As in training if what was tuned says so, else the "
           "encoder's longest.")
      .within({4, ranges::max_seq_length.most});
}

void question::add_output_flags(flag_table& flags, const std::string& table, const std::string& packed) {
  flags
      .add("on_error", &on_error,
           "What a row that has no answer does: end: it ends the " + table + ", behind all before it; row: its line in the " + table +
               " says why, the rest goes on, and the exit code is 5.")
      .one_of({"end", "row"});
  flags.add("output", &output, "Writes the " + table + " to this file as rows are answered, not to standard output; " + packed);
  flags.add("resume", &resumes, "Goes on where the " + table + " in --output ends, for the same rows, model and flags.");
}

void question::add_machine_flags(flag_table& flags) {
  flags.group("Machine");
  flags.add("eval_batch_size", &batch_size, "Rows in a batch, at most; 0: as many as are good for speed. Changes no answer.")
      .within(ranges::count_or_none);
  flags.add("threads", &threads, threads_help).between(0, most_threads);
  flags
      .add("precision", &precision,
           "Number type of products: f32, or bf16; int8: the encoder's layers in 8 bits, which is faster, and close. auto: bf16 where "
           "the processor has instructions for it, else f32.")
      .one_of({"auto", "f32", "bf16", "int8"});
}

void question::settle(const std::string& command) {
  if (!task_path.empty() && input != "-")
    throw usage_error(command + " takes its rows from --input or from --task_config_path, not from both");
  if (task_path.empty() && !split.empty()) throw usage_error("--split says which rows of a task: give --task_config_path, too");
  if (!tuned.empty() && !adapters_path.empty()) throw usage_error(command + " takes --adapter_path or --adapter_weights_path, not both");
  if (resumes && output.empty()) throw usage_error("--resume goes on with a table in a file: give --output, too");
  threads = start_threads(threads);
  options.max_seq_length = max_seq_length;
  options.precision = parse_precision(choose_precision(precision).name);
}

void question::require_own_head(const std::string& command, const std::string& or_else) const {
  const trunk_files found = find_trunk_files(files);
  const encoder_config config = read_trunk_config(found);
  try {
    read_own_head(open_model(found.model_path, config.model_type), found, config);
  } catch (const format_error& failure) {
    throw usage_error(command + " needs --adapter_path or --adapter_weights_path" + or_else + ": " + printable(failure.what(), 4000));
  }
}

void question::open_rows(const std::string& usual) {
  const std::string part = split.empty() ? usual : split;
  asked = custom_task("input", task_kind::classification, {});
  if (!task_path.empty()) {
    const task_config config = read_task_config(task_path);
    if (!config.paths.contains(part)) throw config_error(task_path + ": \"paths\" has no \"" + part + "\"");
    asked = config.task;
    input = config.paths.at(part);
  }
  bytes = std::make_shared<input_bytes>(input);
  for (const std::string& path : {output, answer_output::partial_path(output)}) {
    if (!output.empty()) check_output(*this, path);
  }
  rows = input == "-" ? rows_of_lines(bytes) : rows_of_file(asked, task_path.empty() ? usual : part, input, bytes);
}

namespace {

/// What a model is made of, beside its encoder: digests of the files.
rank_facts model_facts(const question& q) {
  rank_facts facts{{"the arithmetic", choose_precision(q.precision).reason},
                   {"--max_seq_length", q.max_seq_length ? std::to_string(*q.max_seq_length) : "not given"}};
  const encoder_config config = read_trunk_config(q.files);
  const tensor_source stored = open_model(q.files.model_path, config.model_type);
  facts.emplace_back("the model", fingerprint(stored, to_json(config), trunk_tensors(config, stored)));
  facts.emplace_back("the vocabulary", q.files.tokenizer_path.empty() ? "not read" : vocabulary_digest(q.files.tokenizer_path));
  std::vector<std::pair<std::string, std::string>> adapters;
  if (!q.tuned.empty()) adapters.emplace_back("tuned", q.tuned);
  if (!q.adapters_path.empty()) adapters = read_adapter_list(q.adapters_path);
  for (const auto& [name, path] : adapters) facts.emplace_back("adapter " + name, input_digest(path));
  if (!q.options.embedding) return facts;
  const embedding_options& how = *q.options.embedding;
  const std::string poolings = listed(how.poolings, pooling_name, ",");
  facts.emplace_back("--pooling", poolings.empty() ? "not given" : poolings);
  facts.emplace_back("--normalize", how.normalize ? "given" : "not given");
  facts.emplace_back("--dimensions", std::to_string(how.dimensions));
  facts.emplace_back("--prompt_name", how.prompt_name.empty() ? "not given" : how.prompt_name);
  facts.emplace_back("--prompt", how.prompt.value_or("not given"));
  namespace fs = std::filesystem;
  const std::string folder = how.folder.empty() ? fs::absolute(q.files.model_path).parent_path().string() : how.folder;
  fnv1a modules;
  for (const auto& [name, text] : sentence_files(folder)) modules.add(name + "\n" + text + "\n");
  facts.emplace_back("what modules.json names", modules.text());
  return facts;
}

}  // namespace

asked_ranks::~asked_ranks() {
  try {
    // where something was thrown, this process is about to end all
    if (ranks() != nullptr && std::uncaught_exceptions() == 0) end_shared_answers(*ranks());
  } catch (const error&) {  // they cannot be reached, and end of themselves
  }
}

int answer_for_first_rank(question q) {
  q.files = find_trunk_files(q.files);
  if (text_of_first_rank(*ranks(), "") == "no tokenizer") q.files.tokenizer_path.clear();
  const predictor model = model_of(q);
  share_answers(*ranks(), model, static_cast<int>(q.threads), &stop_requested());
  return stop_requested() ? stopped_exit_code : 0;
}

predictor model_of(const question& q) {
  if (ranks() != nullptr) {
    if (is_first_rank()) text_of_first_rank(*ranks(), q.files.tokenizer_path.empty() ? "no tokenizer" : "");
    require_same_on_ranks(model_facts(q));
  }
  predictor model(q.files, q.options);
  if (!q.tuned.empty()) model.add("tuned", q.tuned);
  if (!q.adapters_path.empty()) {
    const auto listed = read_adapter_list(q.adapters_path);
    if (listed.empty())
      throw format_error(q.adapters_path, "names no adapter, at least one was expected; --adapter none asks the bare encoder");
    for (const auto& [name, path] : listed) model.add(name, path);
  }
  print_notes(model.notes());
  if (!q.options.embedding) print_notes(length_notes(q, model));
  return model;
}

void check_adapter(const question& q, const predictor& model) {
  const std::vector<std::string> names = model.names();
  if (q.asks_everyone) {
    if (std::find(names.begin(), names.end(), q.adapter) == names.end()) return;
    throw usage_error("--adapter all asks every adapter, and one of " + printable(q.adapters_path) +
                      " is called all: call it something else");
  }
  if (q.adapter.empty() || q.adapter == predictor::bare_trunk) return;
  try {
    model.description(q.adapter);
  } catch (const config_error& failure) {
    throw usage_error("--adapter: " + printable(failure.what(), 4000));
  }
}

int answer_rows(question& q, const std::function<std::unique_ptr<answer_format>(const predictor&)>& format_of) {
  begun_rows begun(q.allows_bad_rows() ? with_bad_rows(q.rows, q.source()) : q.rows);
  const auto brings_ids = [](const example& row) { return !row.input_ids.empty() || !row.error.empty(); };
  const bool no_tokenizer = q.files.tokenizer_path.empty() && std::all_of(begun.first().begin(), begun.first().end(), brings_ids);
  q.files = find_trunk_files(q.files);
  if (no_tokenizer) q.files.tokenizer_path.clear();
  const predictor model = model_of(q);
  if (!q.options.embedding) print_notes(tag_notes(q, model));
  const asked_ranks others;
  check_adapter(q, model);
  const std::atomic<bool>& stop = stop_requested();
  q.bytes->stop_when(stop);
  const std::vector<std::string> everyone = q.everyone(model);
  const std::uint64_t each = std::max(everyone.size(), std::size_t{1});  // answers of a row
  // Who answers where there are not several; "" where no name means that one and no other.
  const std::string only = !q.adapter.empty()       ? q.adapter
                           : !q.tuned.empty()       ? ""
                           : !model.names().empty() ? model.names().front()
                           : q.options.embedding    ? predictor::bare_trunk
                                                    : predictor::model_head;
  std::deque<example> again;  // the row at hand, for those who are still to be asked
  const bool table = q.several() && !q.options.embedding && !answers_for_words(model, q.adapter);
  const std::set<std::string> misplaced = table ? taggers(model) : std::set<std::string>();
  const std::function<bool(example&)> next = [&](example& row) {
    if (stop) throw stopped();
    if (!again.empty()) {
      row = std::move(again.front());
      again.pop_front();
      return true;
    }
    if (!begun.next(row)) return false;
    if (!row.adapter.empty() && !q.several() && row.adapter != only) {
      row.error = "names the adapter \"" + row.adapter +
                  "\", and one alone answers here, of which no name is given: take that out of the " +
                  "row, or name several with --adapter_weights_path";
    }
    if (row.adapter.empty() || !q.several()) row.adapter = q.adapter;
    if (q.asks_everyone) row.adapter = everyone.front();
    if (misplaced.contains(row.adapter)) {
      row.error = "names the adapter \"" + row.adapter +
                  "\", which gives tags to words, for which a table has no place: ask it by --adapter " + row.adapter;
    }
    if (q.files.tokenizer_path.empty() && !brings_ids(row)) {
      row.error = "is text, and the rows before it brought their ids, so that no vocabulary was read: give --model_tokenizer_path FOLDER";
    }
    if (q.one_text && q.input == "-" && row.text_b) {
      row.error = "has a tab, one text a line was expected: cut -f N takes one of several, and pairs go into a .tsv or .jsonl";
    }
    for (std::size_t k = 1; k < everyone.size(); ++k) again.emplace_back(row).adapter = everyone[k];
    return true;
  };

  const auto format = format_of(model);
  answer_output output(q.output);
  std::uint64_t count = 0, bad = 0;
  std::string first_bad;
  try {
    const precision computed = q.options.precision;
    const double rounding = computed == precision::int8 ? 0.025 : computed == precision::bf16 ? 4e-3 : 2e-5;
    if (q.resumes)
      std::tie(count, bad) = resume_answers(q.output, {q.source(), next, model, *format, q.allows_bad_rows(), each, rounding}, output);
    if (bad > 0) first_bad = "in the part that was there";
    std::string text = count == 0 ? format->header(0) : "";
    const std::uint64_t before = count;
    row_progress progress(stderr, !q.output.empty() || ::isatty(STDOUT_FILENO) == 0, q.bytes->share());
    answer_stream stream(
        model, next, {q.batch_size, static_cast<int>(q.threads), true, [&] { return !again.empty() || begun.ready(); }, &stop, ranks()});
    for (auto window = stream.next_window(); !window.empty(); window = stream.next_window()) {
      std::exception_ptr failure;
      for (const answer& a : window) {
        if (!a.error.empty()) {
          const auto reason = format_error::at_line(q.source(), a.line, a.error);
          if (!q.allows_bad_rows()) failure = std::make_exception_ptr(reason);
          if (failure) break;
          if (bad++ == 0) first_bad = reason.what();
        }
        text += format->row(a, count++);
      }
      if (!failure || count > 0) output.write(text);
      text.clear();
      if (format->counts_rows()) output.replace_start(format->header(count));
      if (failure) std::rethrow_exception(failure);
      progress.update((count - before) / each, q.bytes->share());
    }
    if (stop || stream.stopped()) throw stopped();
    output.finish();
  } catch (const stopped&) {
    std::cerr << "graft: stopped by a signal, behind " << count << (each > 1 ? " answers" : " rows")
              << (q.output.empty() ? "\n" : "; the same command with --resume goes on\n");
    return stopped_exit_code;
  } catch (const reader_left&) {
    return 128 + SIGPIPE;  // nobody is there to be told
  }
  if (bad == 0) return 0;
  std::cerr << "graft: "
            << printable((each > 1 ? "answers that are missing: " : "rows without an answer: ") + std::to_string(bad) + " of " +
                             std::to_string(count) + ", the first " + first_bad,
                         4000)
            << '\n';
  return bad_rows_exit_code;
}

}  // namespace graft::program
