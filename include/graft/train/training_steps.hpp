#pragma once
// The part of training that depends on the model's type: gradients, optimizer, best parameters, checkpoints.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/core/context.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/tasks.hpp"
#include "graft/optim/adamw.hpp"
#include "graft/train/evaluation.hpp"
#include "graft/train/micro_batch_gradients.hpp"
#include "graft/train/training_options.hpp"
#include "graft/train/training_reports.hpp"

namespace graft::detail {

/// Means over a batch; no entropy in regression. Whether a rank wishes to stop.
struct batch_loss {
  double loss = 0, entropy = 0;
  bool stop = false;
};

/// What the training loop (train/trainer.hpp) asks of a model.
struct training_steps {
  virtual ~training_steps() = default;

  /// What was checked may be trained now: frozen weights are packed.
  virtual void begin() = 0;
  /// How many of the lowest layers are not computed where their states are known (encoder/known_states.hpp).
  virtual index known_layers() const = 0;
  /// The gradients of B, batch NUMBER of the run, over PARTS are added. STOP: this rank wishes to stop.
  virtual batch_loss add_gradient(const batch& b, std::uint64_t number, std::int64_t parts, bool stop) = 0;
  /// The norm of the gradients, which is at most LIMIT afterwards.
  virtual double clip(double limit) = 0;
  /// One step of the optimizer; there are no gradients afterwards.
  virtual void update(double rate, double mixing_rate) = 0;
  virtual void drop_gradients() = 0;
  /// The first trained parameter that holds numbers that are not finite; "": none does.
  virtual std::string unsound_parameter() const = 0;
  /// Nothing when *STOP turns true on the way.
  virtual std::optional<evaluation> evaluate(std::span<const features> rows, const std::atomic<bool>* stop) = 0;
  /// Keeps the trained parameters as they are, and takes those that were kept last, if any.
  virtual void keep_best() = 0;
  virtual void use_best() = 0;
  /// Of a group of ranks the first alone writes, and reads for all.
  virtual void save(const std::string& path, const run_identity& identity, const training_state& state) = 0;
  virtual training_state load(const std::string& path, const run_identity& identity) = 0;
};

/// The steps of a model of type M, for a task and options that outlive them.
template <class M>
class training_steps_of final : public training_steps {
 public:
  using real = typename M::real;

  training_steps_of(M& model, const task& t, const training_options& o);

  void begin() override;
  index known_layers() const override { return model_.trunk.known ? model_.trunk.known->layers() : 0; }
  batch_loss add_gradient(const batch& b, std::uint64_t number, std::int64_t parts, bool stop) override;
  double clip(double limit) override;
  void update(double rate, double mixing_rate) override;
  void drop_gradients() override;
  std::string unsound_parameter() const override;
  std::optional<evaluation> evaluate(std::span<const features> rows, const std::atomic<bool>* stop) override;
  void keep_best() override;
  void use_best() override;
  void save(const std::string& path, const run_identity& identity, const training_state& state) override;
  training_state load(const std::string& path, const run_identity& identity) override;

  context& ctx() { return context_; }

 private:
  M& model_;
  task task_;
  training_options options_;
  adamw<real> optimizer_;
  std::vector<matrix<real>> best_;
  context context_;
  micro_batch_gradients<M> gradient_;
};

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/train/training_steps-inl.hpp"  // IWYU pragma: export
#endif
