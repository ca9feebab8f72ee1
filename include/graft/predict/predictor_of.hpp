#pragma once
// What is behind a predictor: the part that knows no number type, and the models in one precision.

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

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

/// Everything of a predictor but its models.
struct predictor_base {
  predictor_base(const trunk_files& files, const predictor_options& options, const encoder_config& config, const tensor_source& stored);
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
  /// What each of POOLINGS makes of the hidden states of each of ROWS, side by side, by model NUMBER or the encoder alone; of tokens behind
  /// the first SKIPPED (n, H a pooling).
  virtual matrix<double> pooled(std::optional<std::size_t> number, std::span<const pooling> poolings, index skipped,
                                std::span<const features> rows, index batch_size, context& ctx, stop_flag stop) const = 0;
  /// The logits of each of ROWS, by model NUMBER.
  virtual matrix<double> logits(std::size_t number, std::span<const features> rows, index batch_size, context& ctx,
                                stop_flag stop) const = 0;

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
  std::string encoder_fingerprint;
  std::vector<std::string> notes;
  bool lacks_pooler = false;
  std::optional<tokenizer> texts;
  std::optional<embedding_plan> embedding;  // where answers are that
  std::optional<adapter_file> own_head;
  std::deque<part> parts;  // own_head first, then what was added; references to descriptions stay good while more are added

 private:
  std::string unknown(const std::string& name) const;
  /// The features of ROWS, each cut to the length of who answers it; ANSWERS say who, and get the errors of those that cannot be read.
  std::vector<features> featurize(std::span<const example> rows, std::vector<answer>& answers, int threads) const;
  /// The answers of NAME to ROWS; some of them are no answers if STOP is true.
  std::vector<answer> answers_of(const std::string& name, std::span<const features> rows, index batch_size, context& ctx,
                                 stop_flag stop) const;

  mutable std::mutex free_mutex_;
  mutable std::vector<std::unique_ptr<context>> free_;  // of calls that have ended: their scratch memory serves the next
};

template <class P>
class predictor_of final : public predictor_base {
 public:
  predictor_of(const trunk_files& files, const predictor_options& o, const encoder_config& c, const tensor_source& stored);

  void load_encoder(const tensor_source& stored) override;
  tensor_source encoder_tensors() const override;
  void check_encoder(const adapter_file& file) override;
  void add_model(const model_description& d, const tensor_source& tuned) override;
  matrix<double> pooled(std::optional<std::size_t> number, std::span<const pooling> poolings, index skipped, std::span<const features> rows,
                        index batch_size, context& ctx, stop_flag stop) const override;
  matrix<double> logits(std::size_t number, std::span<const features> rows, index batch_size, context& ctx, stop_flag stop) const override;

 private:
  using any_model = std::variant<plain_classifier<P>, adapter_classifier<P>, multi_adapter_classifier<P>>;

  any_model make_model(const model_description& d) const;

  plain_classifier<P> trunk_;
  bool int8_;  // the encoder's layers multiply in 8 bits
  std::deque<any_model> models_;
};

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/predict/predictor_of-inl.hpp"  // IWYU pragma: export
#endif
