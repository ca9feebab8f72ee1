#pragma once
// Bodies of graft/train/training_steps.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/rank_group.hpp"
#include "graft/core/threads.hpp"
#include "graft/model/freezing.hpp"
#include "graft/optim/schedule.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/train/class_weights.hpp"
#include "graft/train/training_steps.hpp"

namespace graft::detail {

template <class M>
training_steps_of<M>::training_steps_of(M& model, const task& t, const training_options& o)
    : model_(model), task_(t), options_(o), optimizer_(trainable_parameters(model), o.optimizer) {
  check_loss(o.loss, t);
  context_.seed = o.seed;
  context_.threads = usable_threads(o.threads);
  context_.group = o.group;
}

template <class M>
void training_steps_of<M>::begin() {
  pack_frozen(model_, true, context_.threads);
}

template <class M>
batch_loss training_steps_of<M>::add_gradient(const batch& b, std::uint64_t number, std::int64_t parts, bool stop) {
  const training_step step(context_, number);
  const auto result =
      gradient_.add(model_, b, task_.kind, real(1) / static_cast<real>(parts), options_.micro_batch_tokens, context_, options_.loss, stop);
  return {result.loss, result.entropy, result.stop};
}

template <class M>
double training_steps_of<M>::clip(double limit) {
  return clip_gradients(optimizer_.parameters(), limit, context_);
}

template <class M>
void training_steps_of<M>::update(double rate, double mixing_rate) {
  optimizer_.step(rate, mixing_rate, context_.threads);
  optimizer_.zero_gradients();
}

template <class M>
void training_steps_of<M>::drop_gradients() {
  optimizer_.zero_gradients();
}

template <class M>
std::string training_steps_of<M>::unsound_parameter() const {
  for (const auto* p : optimizer_.parameters()) {
    if (!p->value().allFinite()) return p->name;
  }
  return "";
}

template <class M>
std::optional<evaluation> training_steps_of<M>::evaluate(std::span<const features> rows, const std::atomic<bool>* stop) {
  return graft::evaluate(model_, task_, rows, options_.eval_batch_size, context_, stop, options_.micro_batch_tokens);
}

template <class M>
void training_steps_of<M>::keep_best() {
  best_.clear();
  for (const auto* p : optimizer_.parameters()) best_.emplace_back(p->value());
}

template <class M>
void training_steps_of<M>::use_best() {
  for (std::size_t i = 0; i < best_.size(); ++i) optimizer_.parameters()[i]->edit() = best_[i];
}

template <class M>
void training_steps_of<M>::save(const std::string& path, const run_identity& identity, const training_state& state) {
  if (context_.group == nullptr || context_.group->rank() == 0) save_checkpoint(path, identity, state, optimizer_, best_);
}

template <class M>
training_state training_steps_of<M>::load(const std::string& path, const run_identity& identity) {
  rank_group* const group = context_.group;
  if (group == nullptr) return load_checkpoint(path, identity, optimizer_, best_);
  std::string text;
  if (group->rank() == 0) text = state_text({}, load_checkpoint(path, identity, optimizer_, best_));
  const training_state state = state_of_text(text_of_first_rank(*group, text), path);
  best_.resize(state.best_score ? optimizer_.parameters().size() : 0);
  for (std::size_t i = 0; i < optimizer_.parameters().size(); ++i) {
    auto& p = *optimizer_.parameters()[i];
    const auto share = [&](auto&& m) { group->broadcast(std::as_writable_bytes(elements(m))); };
    share(p.edit());
    share(optimizer_.state()[i].m);
    share(optimizer_.state()[i].v);
    if (!best_.empty()) best_[i].resize(p.rows(), p.cols());
    if (!best_.empty()) share(best_[i]);
  }
  optimizer_.set_steps(state.global_step);
  return state;
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class training_steps_of<plain_classifier<GRAFT_PRECISION>>;
template class training_steps_of<adapter_classifier<GRAFT_PRECISION>>;
template class training_steps_of<multi_adapter_classifier<GRAFT_PRECISION>>;
#endif

}  // namespace graft::detail
