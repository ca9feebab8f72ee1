#pragma once
// What is behind a predictor: the part that knows no number type, and the models in one precision.

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "graft/adapters/routed_site.hpp"
#include "graft/core/context.hpp"
#include "graft/core/types.hpp"
#include "graft/data/featurize.hpp"
#include "graft/encoder/config.hpp"
#include "graft/exchange/adapter_file.hpp"
#include "graft/io/tensor_source.hpp"
#include "graft/model/description.hpp"
#include "graft/model/model.hpp"
#include "graft/model/trunk_files.hpp"
#include "graft/predict/embedding_plan.hpp"
#include "graft/text/tokenizer.hpp"

namespace graft {

struct answer;
struct predictor_options;

}  // namespace graft

namespace graft::detail {

/// That CONTENT, the number of a row among those that differ, is asked of model BY: of the encoder alone (0), or of part BY - 1.
struct asked_row {
  std::size_t content, by;
};

/// Rows BEGIN .. END - 1 of some.
struct row_range {
  std::size_t begin, end;
  bool operator==(const row_range&) const = default;
};

/// Rows of TOKENS tokens each, cut into batches in the order in which threads take them: the costliest first (`sequence_cost`), so that
/// threads end about together. A batch has up to BATCH_SIZE neighbors of one of KINDS, which cost usual_micro_batch_tokens and an eighth
/// at most, or one row that costs more. There are as few as that allows, or as many more as make the same number for each of THREADS, and
/// of so many the costliest costs as little as it can.   Tested: tests/predict/several_adapters_test.cpp
std::vector<row_range> batches_by_cost(std::span<const index> tokens, std::span<const std::size_t> kinds, index batch_size, int threads);

/// Everything of a predictor but its models.
struct predictor_base {
  predictor_base(const predictor_options& options, const encoder_config& config, const tensor_source& stored);
  virtual ~predictor_base() = default;

  /// What CONFIG promises was compared with the tensors of STORED before anything becomes as large as it says.
  virtual void load_encoder(const tensor_source& stored) = 0;
  /// The encoder's tensors, where they lie in its model.
  virtual tensor_source encoder_tensors() const = 0;
  /// @throws format_error  what FILE repeats of the encoder is not the same there
  virtual void check_encoder(const adapter_file& file) = 0;
  /// The model that D describes becomes the next one; what TUNED does not hold is the encoder's.
  virtual void add_model(const model_description& d, const tensor_source& tuned) = 0;
  using stop_flag = const std::atomic<bool>*;  // or null: true means that no result is wanted any more
  /// What those who are asked make of CONTENTS; ASKED goes through these in order. The logits of a row, or of each of its words; of the
  /// encoder alone the first token's hidden state; where answers are embeddings what the poolings make of the states, side by side. Rows
  /// go through together, whoever answers them, and what those who answer a content have in common is computed once.
  virtual std::vector<matrix<double>> outputs(std::span<const features> contents, std::span<const asked_row> asked, index batch_size,
                                              context& ctx, stop_flag stop) const = 0;

  /// Takes the head that the model STORED in FILES holds, if it does.
  void take_own_head(const trunk_files& files, const tensor_source& stored);
  void add(const std::string& name, const std::string& path);
  std::vector<answer> predict_each(std::span<const example> rows, index batch_size, int threads, stop_flag stop) const;

  struct part {
    std::string name;
    model_description description;
  };
  const part* find(const std::string& name) const;
  /// Which answers where nobody says: the first that was added, else the model's own head, else none.
  const part* usual() const;
  const part& require(const std::string& name) const;
  /// At which sequences for TUNED are cut; null: for the bare encoder.
  index length_of(const part* tuned) const;

  encoder_config config;
  std::optional<index> max_seq_length;  // where it was asked for
  std::string encoder_path, encoder_fingerprint;
  std::vector<std::string> notes;
  bool lacks_pooler = false;
  std::optional<tokenizer> texts;
  std::optional<embedding_plan> embedding;  // where answers are that
  std::optional<adapter_file> model_head;
  std::deque<part> parts;  // model_head first, then what was added; references to descriptions stay good while more are added

 private:
  std::string unknown(const std::string& name) const;
  /// The features of ROWS, each cut to the length of who answers it; ANSWERS say who, and get the errors of those that cannot be read.
  std::vector<features> featurize(std::span<const example> rows, std::vector<answer>& answers, int threads) const;
  /// What BY says with OUTPUT.
  answer answer_of(std::size_t by, const matrix<double>& output) const;

  mutable std::mutex free_mutex_;
  mutable std::vector<std::unique_ptr<context>> free_;  // of calls that have ended: their scratch memory serves the next
};

template <class P>
class predictor_of final : public predictor_base {
 public:
  predictor_of(const predictor_options& o, const encoder_config& c, const tensor_source& stored);

  void load_encoder(const tensor_source& stored) override;
  tensor_source encoder_tensors() const override;
  void check_encoder(const adapter_file& file) override;
  void add_model(const model_description& d, const tensor_source& tuned) override;
  std::vector<matrix<double>> outputs(std::span<const features> contents, std::span<const asked_row> asked, index batch_size, context& ctx,
                                      stop_flag stop) const override;

 private:
  using real = typename P::real;
  using any_model = std::variant<plain_classifier<P>, adapter_classifier<P>, multi_adapter_classifier<P>>;

  /// How a model's way differs from the encoder's.
  struct way {
    index shared;    // layers, from the first on, that are the encoder's; -1: the embeddings are not
    bool by_sites;   // but for the embeddings it is what stands at the sites, and nothing that reads whole sequences: others may go along
    rows_of wanted;  // what of the states the head reads
  };
  template <class Model>
  way way_of(Model& model);
  /// Takes the model, and the way, that was made last among those whose rows go through together.
  void route();

  /// Some of what is asked, on its way through the layers.
  struct climb {
    std::span<const features> contents;
    std::span<const asked_row> asked;
    std::vector<index> start;         // of each asked: the layer to which it came as a row of the encoder's; -1: it did not
    std::vector<std::size_t> shared;  // contents of such rows
    std::vector<index> first_row;     // of each content: its first row in the states
    real* states;                     // of the shared contents, behind the layers that they went through
    matrix<double>* outputs;
    index batch_size;
    stop_flag stop;
  };
  std::vector<index> starts(std::span<const features> contents, std::span<const asked_row> asked) const;
  void answer_some(climb& c, context& ctx) const;
  void pass_shared(const climb& c, index from, index to, context& ctx) const;
  void answer_batch(const climb& c, std::span<const std::size_t> numbers, context& ctx) const;
  void finish(const batch& b, std::size_t by, view<real> states, std::span<const std::size_t> numbers, matrix<double>* outputs,
              context& ctx) const;

  /// What of the states of BY is read.
  rows_of wanted(std::size_t by) const;

  /// F(the model), the encoder's own for 0.
  template <class F>
  void with_model(std::size_t by, F&& f) const {
    if (by == 0) {
      f(trunk_);
    } else {
      std::visit(f, models_[by - 1]);
    }
  }

  any_model make_model(const model_description& d) const;

  plain_classifier<P> trunk_;
  std::deque<any_model> models_;
  std::vector<way> ways_;                               // of the encoder, and of the models
  std::optional<encoder<P, routed_site<P>>> together_;  // the encoder with the sites of all that can go through it together
};

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/predict/predictor_of-inl.hpp"  // IWYU pragma: export
#endif
