// graft predict: a trunk, what was tuned around it, and rows of text -> labels and probabilities.

#include <memory>
#include <string>

#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "host/ranks.hpp"
#include "run/answer_table.hpp"
#include "run/question.hpp"
#include "run/tag_lines.hpp"

namespace graft::program {
int predict(int argc, const char* const* argv) {
  question q;
  flag_table flags(
      "predict", "--model_path FILE [--adapter_path FILE] [FLAGS] < TEXTS",
      "Answers for rows of text, with what a trainer saved (--do_save): an adapter, a mix, or a tuned model; or an adapter of "
      "nlprunners, of AdapterHub or of PEFT; or with the head that a model brings, as fine-tuned ones of Hugging Face do. Prints a table "
      "of "
      "index, label and probabilities. With several adapters around one encoder, each row may name the one that is to answer; the table "
      "then says which did, and holds the probabilities as JSON. Where words get tags, as names do, prints a JSON object a row: what was "
      "found, and where.");
  q.add_model_flags(flags, "One that brings no head answers with the model's; without it, the model's alone does.");
  flags.add(
      "adapter", &q.adapter,
      "Which of them answers rows that name none in a column \"adapter\"; model: the model with its own head; none: the bare encoder, "
      "which gives hidden states; all: every one, for each row, whatever that names. The first if not given.");
  q.add_row_flags(flags, "TEXT [tab TEXT]");
  q.add_output_flags(flags, "table", "packed if it ends in .gz.");
  q.add_machine_flags(flags);
  if (!flags.parse(argc, argv)) return 0;

  q.settle("predict");
  q.asks_everyone = q.adapter == "all";
  if (q.asks_everyone && q.adapters_path.empty())
    throw usage_error("--adapter all asks every adapter that --adapter_weights_path names: give that, too");
  const bool several = q.several() || q.adapter == predictor::bare_trunk;
  if (q.tuned.empty() && !several) q.require_own_head("predict", " (or --adapter none, for the bare encoder)");
  if (!is_first_rank()) return answer_for_first_rank(q);
  q.open_rows();
  return answer_rows(q, [&](const predictor& model) -> std::unique_ptr<answer_format> {
    if (answers_for_words(model, q.adapter)) return std::make_unique<tag_lines>(model, several, q.asks_everyone ? model.names().size() : 1);
    return std::make_unique<answer_table>(model, several, q.everyone(model));
  });
}

}  // namespace graft::program
