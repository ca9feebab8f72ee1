// graft embed: an encoder and rows of text -> embeddings.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "graft/predict/embedder.hpp"
#include "host/ranks.hpp"
#include "run/embedding_formats.hpp"
#include "run/question.hpp"

namespace graft::program {

int embed(int argc, const char* const* argv) {
  question q;
  embedding_options how;
  std::string poolings, prompt;
  std::optional<std::int64_t> dimensions;
  flag_table flags("embed", "--model_path FOLDER [FLAGS] < TEXTS",
                   "Embeddings of rows of text, as sentence-transformers computes them from the same folder; an encoder that is not one of "
                   "sentence-transformers gives the mean of all tokens. Prints JSON lines, or writes an array of numpy's. What was tuned "
                   "around the encoder can stand in it, without its head.");
  q.add_model_flags(flags, "Without it, the encoder stands alone.");
  flags.add("adapter", &q.adapter,
            "Which of them rows go through that name none in a column \"adapter\"; none: the bare encoder. The first if not given.");
  flags.group("Embedding");
  flags.add(
      "pooling", &poolings,
      "cls, mean, max, mean_sqrt_len_tokens, weightedmean or lasttoken, or several with commas between, side by side: in place of all "
      "that modules.json says. As it says if not given, else mean.");
  flags.add("normalize", &how.normalize, "To length 1, at the end.");
  flags.add("dimensions", &dimensions, "The first of them alone, cut before they are normalized. All if not given.").within(ranges::count);
  flags.add(
      "prompt_name", &how.prompt_name,
      "Which of the prompts in config_sentence_transformers.json goes in front of each text; none: none. Its default_prompt_name if not "
      "given.");
  flags.add("prompt", &prompt, "A text that goes in front of each, in place of those.");
  q.add_row_flags(flags, "TEXT");
  q.add_output_flags(flags, "embeddings", "an array of numpy's if it ends in .npy, packed JSON lines if in .gz.");
  q.add_machine_flags(flags);
  if (!flags.parse(argc, argv)) return 0;

  q.settle("embed");
  q.one_text = true;
  const bool array = q.output.ends_with(".npy");
  if (q.output.ends_with(".npy.gz")) throw usage_error("--output: an array of numpy's is not packed: let its name end in .npy");
  try {
    if (!poolings.empty()) how.poolings = parse_poolings(poolings, "--pooling");
  } catch (const config_error& failure) {
    throw usage_error(failure.what());
  }
  how.dimensions = dimensions.value_or(0);
  if (!prompt.empty() && !how.prompt_name.empty()) {
    throw usage_error("--prompt is a text in the place of the model's prompts, --prompt_name one of them: give one of the two");
  }
  if (!prompt.empty() || how.prompt_name == "none") how.prompt = prompt;
  q.files = sentence_model(q.files, how);
  q.options.embedding = how;
  if (!is_first_rank()) return answer_for_first_rank(q);
  q.open_rows();
  try {
    return answer_rows(q, [&](const predictor& model) -> std::unique_ptr<answer_format> {
      if (array) return std::make_unique<embedding_array>(model.embedding_size());
      return std::make_unique<embedding_lines>(!q.adapters_path.empty());
    });
  } catch (const config_error& failure) {
    const std::string text = failure.what();
    if (text.starts_with("dimensions is ") || text.starts_with("prompt_name is ")) throw config_error("--" + text);
    throw;
  }
}

}  // namespace graft::program
