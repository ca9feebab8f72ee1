#pragma once
// Rows and a model, as flags name them, and the answers of one to the other: what predict, embed and evaluate have in common.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flags/flags.hpp"
#include "graft/predict/predictor.hpp"
#include "host/input.hpp"
#include "run/answer_format.hpp"
#include "run/row_source.hpp"

namespace graft::program {

/// What is asked: flags, and what becomes of them.
struct question {
  trunk_files files{};
  std::string model_type{}, tuned{}, adapters_path{}, adapter{};
  std::string input = "-", task_path{}, split{}, on_error = "end", output{};
  std::string precision = "auto";
  std::int64_t batch_size = 0, threads = 0;
  bool resumes = false;
  bool one_text = false;       // in each line of standard input
  bool asks_everyone = false;  // every adapter, for each row: `adapter` is "all", where the command takes that
  std::optional<std::int64_t> max_seq_length{};

  /// The flags of each group. What has no adapter is answered by WITHOUT.
  void add_model_flags(flag_table& flags, const std::string& without);
  void add_row_flags(flag_table& flags, const std::string& lines, const std::string& usual = "test");
  void add_output_flags(flag_table& flags, const std::string& table, const std::string& packed);
  void add_machine_flags(flag_table& flags);

  /// Checks flags that go with each other; the number of threads and the precision are settled.
  /// @throws usage_error  some do not go together
  void settle(const std::string& command);
  /// Before rows are waited for.
  /// @throws usage_error  the model holds no head, and so cannot answer alone: COMMAND needs something tuned, OR_ELSE
  void require_own_head(const std::string& command, const std::string& or_else = "") const;
  /// Opens the rows, of a task those of SPLIT or else USUAL, and checks that OUTPUT is none of what is read.
  /// @throws usage_error, format_error
  void open_rows(const std::string& usual = "test");

  bool several() const { return !adapters_path.empty() || adapter == predictor::bare_trunk; }
  /// Who each row is asked of, one after the other, where that is said; else it names one, or the usual one answers.
  std::vector<std::string> everyone(const predictor& model) const { return asks_everyone ? model.names() : std::vector<std::string>(); }
  bool allows_bad_rows() const { return on_error == "row"; }
  std::string source() const { return bytes->name(); }

  predictor_options options{};
  task asked{};  // of the rows, where --task_config_path says it
  std::shared_ptr<input_bytes> bytes{};
  row_source rows{};
};

/// @throws usage_error  --adapter names one that MODEL has not
void check_adapter(const question& q, const predictor& model);

/// The model that Q asks, and what there is to say of it on standard error. Of several processes it is the same on all.
/// @throws ranks_differ  it is not
predictor model_of(const question& q);

/// Of several processes all but the first: answers rows that the first has, with the model that Q names, until there are no more. The first
/// asks them from its model_of on, as long as its `asked_ranks` lives. The exit code.
int answer_for_first_rank(question q);
struct asked_ranks {
  asked_ranks() = default;
  asked_ranks(const asked_ranks&) = delete;
  asked_ranks& operator=(const asked_ranks&) = delete;
  ~asked_ranks();
};

/// Writes the answers in the order of the rows, as they are answered, in the form that FORMAT_OF(model) says. A row that has no answer ends
/// them, behind all before it, or is one of them. The exit code.
int answer_rows(question& q, const std::function<std::unique_ptr<answer_format>(const predictor&)>& format_of);

}  // namespace graft::program
