#pragma once
// Bodies of graft/train/micro_batch_gradients.hpp.

#include <algorithm>

#include "graft/core/compiled.hpp"
#include "graft/core/gradients.hpp"
#include "graft/core/workers.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/memory.hpp"
#include "graft/optim/pieces.hpp"
#include "graft/train/micro_batch_gradients.hpp"
#include "graft/train/task_loss.hpp"

namespace graft {

template <class T>
void detail::summing_tree<T>::begin(index leaves, index size, int threads) {
  if (size != size_) memory_.clear();
  leaves_ = leaves;
  size_ = size;
  std::size_t most = static_cast<std::size_t>(threads);  // as a rule: one a thread, and one that waits on every level
  waiting_.clear();
  for (index count = leaves; count > 1; count = (count + 1) / 2, ++most) {
    waiting_.resize(waiting_.size() + static_cast<std::size_t>(count), nullptr);
  }
  for (; memory_.size() < most; memory_.back()->resize(1, size)) memory_.push_back(std::make_unique<buffer<T>>());
  free_.clear();
  for (const auto& block : memory_) free_.push_back(block->get().data());
}

template <class T>
T* detail::summing_tree<T>::take() {
  T* block = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (free_.empty()) {  // threads that are far apart leave more than usual waiting: one a level beside each unit under way
      memory_.push_back(std::make_unique<buffer<T>>());
      free_.push_back(memory_.back()->resize(1, size_).data());
    }
    block = free_.back();
    free_.pop_back();
  }
  std::fill(block, block + size_, T(0));
  return block;
}

template <class T>
void detail::summing_tree<T>::done(index leaf, T* block) {
  index level = 0;  // where it begins
  for (index count = leaves_; count > 1; level += count, count = (count + 1) / 2, leaf /= 2) {
    const index neighbour = leaf ^ 1;
    if (neighbour >= count) continue;
    T* other = exchange(level + leaf, level + neighbour, block);
    if (other == nullptr) return;
    T* left = leaf < neighbour ? block : other;
    T* right = left == block ? other : block;
#pragma omp simd
    for (index i = 0; i < size_; ++i) left[i] += right[i];
    block = left;
    const std::scoped_lock lock(mutex_);
    free_.push_back(right);
  }
  root_ = block;
}

/// The block that waits at NEIGHBOUR, or, where none does, leaves BLOCK to wait at AT.
template <class T>
T* detail::summing_tree<T>::exchange(index at, index neighbour, T* block) {
  const std::scoped_lock lock(mutex_);
  T* other = waiting_[static_cast<std::size_t>(neighbour)];
  if (other == nullptr) waiting_[static_cast<std::size_t>(at)] = block;
  return other;
}

template <class M>
auto micro_batch_gradients<M>::add(M& model, const batch& b, task_kind kind, real scale, index tokens, context& ctx, const loss_options& o)
    -> result {
  micro_batches(b, tokens, cuts_);
  const index count = std::ssize(cuts_) - 1;
  trainable_parameters(model, parameters_);
  const index size = lay_out_gradients(parameters_);
  walks_.resize(static_cast<std::size_t>(std::max(1, ctx.threads)));
  results_.resize(static_cast<std::size_t>(count));
  const auto pass_of = [&](index i, context& own) {
    const auto n = static_cast<std::size_t>(i);
    walk& w = walks_[static_cast<std::size_t>(own.worker_number)];
    results_[n] = pass(model, b, cuts_[n], cuts_[n + 1], kind, scale, o, w, own);
  };
  if (size * static_cast<index>(sizeof(real)) > most_gradient_bytes || count == 1) {
    for (index i = 0; i < count; ++i) pass_of(i, ctx);
  } else {
    sums_.begin(count, size, ctx.threads);
    pack_trained(model, ctx);
    for_each_unit(count, ctx, [&](index i, context& own) {
      real* gradients = sums_.take();
      const gradients_into scope(own, gradients);
      pass_of(i, own);
      sums_.done(i, gradients);
    });
    for (auto* p : parameters_) p->gradient();
    detail::for_each_piece(parameters_, ctx.threads, [&](std::size_t i, index, index begin, index end) {
      real* to = parameters_[i]->gradient().data();
      const real* from = sums_.root() + parameters_[i]->gradient_offset;
#pragma omp simd
      for (index e = begin; e < end; ++e) to[e] += from[e];
    });
  }
  result sum;
  for (const result& r : results_) {
    sum.loss += r.loss;
    sum.entropy += r.entropy;
  }
  return sum;
}

template <class M>
auto micro_batch_gradients<M>::pass(M& model, const batch& b, index first, index last, task_kind kind, real scale, const loss_options& o,
                                    walk& w, context& ctx) -> result {
  const batch& own = last - first == b.size() ? b : w.part.assign(b, first, last);
  ctx.tokens_before = b.offsets[static_cast<std::size_t>(first)];
  ctx.sequences_before = first;
  const double share = static_cast<double>(own.size()) / static_cast<double>(b.size());
  const double of_loss = o.plain() ? share : loss_weight(kind, b, first, last, o) / loss_weight(kind, b, 0, b.size(), o);
  w.logits.resize(own.size(), model.head.classes());
  w.dlogits.resize(own.size(), model.head.classes());
  model.forward(own, w.logits, &w.trace, ctx);
  view<real> d = w.dlogits;
  const real own_scale = scale * static_cast<real>(of_loss);
  const double loss = task_loss<real>(kind, w.logits, own, &d, own_scale, o);
  model.backward(w.dlogits, own, w.trace, ctx);
  ctx.tokens_before = ctx.sequences_before = 0;
  return {of_loss * loss, share * answer_entropy<real>(kind, w.logits)};
}

}  // namespace graft
