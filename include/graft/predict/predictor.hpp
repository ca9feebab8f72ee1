#pragma once
// Trained classifiers in a few lines: one trunk, any number of adapters beside it, and texts in, answers out.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/core/index.hpp"
#include "graft/core/precision_choice.hpp"
#include "graft/data/example.hpp"
#include "graft/encoder/config.hpp"
#include "graft/model/description.hpp"
#include "graft/model/trunk_files.hpp"
#include "graft/predict/embedding_options.hpp"
#include "graft/text/text_layout.hpp"

namespace graft {

namespace detail {
struct predictor_base;
}

/// Words in a row that the tags given to them mark: an entity, or a run of one tag (data/tags.hpp, marked_by).
struct tagged_span {
  std::string label{};       // the entity's type, or the tag
  index begin = 0, end = 0;  // in code points of the text, from 0; in words where the row had those
  std::string text{};        // what stands there, words with spaces between
  double score = 0;          // the mean probability of its words' tags
};

/// One row's answer.
struct answer {
  std::string adapter{};                // which answered
  std::string label{};                  // the most probable, or all that hold; for regression the number as text; "" from the bare trunk
  double score = 0;                     // its probability, or the largest; for regression the number; 0 of words
  std::vector<double> probabilities{};  // by class id; empty for regression
  std::vector<double> hidden_state{};   // from the bare trunk alone: the first token's, after the last layer (H)
  std::vector<double> numbers{};        // for regression: one, or as many as there are labels
  std::vector<double> logits{};         // what the head gives, of which the above was made; of tags for words, a word's behind the other's
  std::vector<std::string> tags{};      // of words: of each the most probable, "" where it was cut off or no token is left of it
  std::vector<text_span> words{};       // of a text, beside them: where its words stand, in code points
  std::vector<tagged_span> spans{};     // what they mark
  std::optional<index> cut_at{};        // the word of the row, or code point of the text, where the first token stands that did not fit
  std::vector<float> embedding{};       // where that was asked for, and nothing of the above then
  std::string error{};                  // why there is none, where rows without an answer are kept; "" else
  std::uint64_t line = 0;               // of the row, as it came
};

/// How texts are cut, and rows computed.
struct predictor_options {
  /// Where sequences are cut, in tokens, special tokens included. Without it: where they were in training if what was tuned says so, else
  /// at the encoder's longest.
  std::optional<index> max_seq_length{};
  graft::precision precision = graft::precision::automatic;
  /// Answers are embeddings: heads, of the model and of what is added, are left out. See embedder.
  std::optional<embedding_options> embedding{};
};

/// A trunk with adapters, mixes or tuned models around it, each under a name, ready to answer. They share one copy of the trunk: each has
/// memory for what it tuned alone. Once all are added, every call is safe from several threads.
/// Source: none; the embedding API of graft.   Tested: tests/predict/predictor_test.cpp
class predictor {
 public:
  static constexpr const char* bare_trunk = "none";
  static constexpr const char* model_head = "model";

  /// The model alone. Until something is added, the head answers that its files hold, if they do (read_own_head), else there are hidden
  /// states.
  /// @throws format_error  a file is missing or damaged, or does not fit the configuration
  /// @throws config_error  OPTIONS ask for longer sequences than the encoder takes, or for none; or for a prompt that there is not, or more
  ///                       dimensions than there are
  explicit predictor(const trunk_files& files, const predictor_options& options = {});
  /// The model in FOLDER as Hugging Face's libraries save it, alone: find_trunk_files() finds its files.
  static predictor from_folder(const std::string& folder, const predictor_options& options = {});
  /// The trunk with one tuned part.
  predictor(const trunk_files& files, const std::string& tuned_path, const predictor_options& options = {});
  predictor(predictor&&) noexcept;
  predictor& operator=(predictor&&) noexcept;
  ~predictor();

  /// Loads the tuned part at PATH, whatever open_tuned reads, and calls it NAME. The first one answers where a row names none. What has no
  /// head answers with the model's own. A row may name that one, too: "model".
  /// @throws format_error  it does not fit the trunk, was trained around another one, or there is no head to answer with
  /// @throws config_error  NAME is taken (that of its own head, too, if the model has one), empty or "none"
  void add(const std::string& name, const std::string& path);

  /// Of what was added.
  std::vector<std::string> names() const;
  const encoder_config& config() const;
  /// Numbers in an embedding; 0 where none was asked for.
  index embedding_size() const;
  /// Where the sequences that NAME answers are cut.
  /// @throws config_error  there is no adapter of that name
  index max_seq_length(const std::string& name) const;
  /// What the user should know of the encoder, the vocabulary and how what was tuned was read: a line each.
  std::vector<std::string> notes() const;
  /// What NAME is; "" means the first, "model" the model's own head.
  /// @throws config_error  there is no adapter of that name
  const model_description& description(const std::string& name = "") const;

  /// Answers to rows of text (or ready-made ids), in order, each by the adapter that it names; those that name none by the first adapter.
  /// Rows of about one length go through together, whichever adapters they name, BATCH_SIZE at most (0: as many as are good for speed), on
  /// THREADS threads (0: as many as OpenMP takes; no more than processors: core/threads.hpp), and those of one content once, as far as
  /// their adapters are one; none of it changes an answer. Of rows without end: answer_stream.
  /// @throws row_error  a row that cannot be read, names an adapter that is not there (the message lists those that are), or whose answer
  ///                    is no finite number
  std::vector<answer> predict(std::span<const example> rows, index batch_size = 0, int threads = 0) const;
  /// The answers of every one of names() to each of ROWS, whatever these name: that of names()[k] to row i is answer i * names().size() +
  /// k. What they have in common, the layers below the first that one of them changes, is computed once.
  /// @throws row_error  as predict
  std::vector<answer> predict_all(std::span<const example> rows, index batch_size = 0, int threads = 0) const;
  /// The same as predict, but a row that cannot be answered has the reason in its answer's `error`, and ends nothing. Nothing when *STOP
  /// turns true.
  std::vector<answer> predict_each(std::span<const example> rows, index batch_size = 0, int threads = 0,
                                   const std::atomic<bool>* stop = nullptr) const;

 private:
  std::unique_ptr<detail::predictor_base> base_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/predict/predictor-inl.hpp"  // IWYU pragma: export
#endif
