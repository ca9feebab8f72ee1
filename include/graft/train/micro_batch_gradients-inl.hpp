#pragma once
// Bodies of graft/train/micro_batch_gradients.hpp.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

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

template <class T>
T* detail::summing_tree<T>::at(tree_node node) const {
  index place = node.at;
  for (index count = leaves_, level = 0; level < node.level; ++level, count = (count + 1) / 2) place += count;
  return waiting_[static_cast<std::size_t>(place)];
}

/// The block that waits at NEIGHBOUR, or, where none does, leaves BLOCK to wait at AT.
template <class T>
T* detail::summing_tree<T>::exchange(index at, index neighbour, T* block) {
  const std::scoped_lock lock(mutex_);
  T* other = waiting_[static_cast<std::size_t>(neighbour)];
  if (other == nullptr) waiting_[static_cast<std::size_t>(at)] = block;
  return other;
}

/// A sum over the bits of PARAMETERS, each of which counts.
template <class T>
std::uint64_t detail::sum_of_bits(const std::vector<parameter<T>*>& parameters) {
  using word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::uint64_t sum = 0, factor = 1;
  for (const auto* p : parameters) {
    const T* const numbers = p->value().data();
    std::uint64_t own = 0;
#pragma omp simd reduction(+ : own)
    for (index i = 0; i < p->size(); ++i) own += std::bit_cast<word>(numbers[i]) * (2 * static_cast<std::uint64_t>(i) + 1);
    sum += own * factor;
    factor += 2;
  }
  return sum;
}

template <class M>
auto micro_batch_gradients<M>::add(M& model, const batch& b, task_kind kind, real scale, index tokens, context& ctx, const loss_options& o,
                                   bool stop) -> result {
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
  rank_group* const group = ctx.group;
  const int ranks = group == nullptr ? 1 : group->size(), self = group == nullptr ? 0 : group->rank();
  words_.assign(static_cast<std::size_t>(ranks), {});
  words_[static_cast<std::size_t>(self)] = {stop ? 1U : 0U, ranks > 1 ? detail::sum_of_bits(parameters_) : 0};
  if (size * static_cast<index>(sizeof(real)) > most_gradient_bytes || count == 1) {
    if (ranks > 1) exchange_words(*group);
    for (index i = 0; i < count; ++i) pass_of(i, ctx);
  } else {
    const index first = detail::first_leaf(count, self, ranks), last = detail::first_leaf(count, self + 1, ranks);
    sums_.begin(count, size, ctx.threads);
    pack_trained(model, ctx);
    for_each_unit(last - first, ctx, [&](index i, context& own) {
      real* gradients = sums_.take();
      const gradients_into scope(own, gradients);
      pass_of(first + i, own);
      sums_.done(first + i, gradients);
    });
    for (auto* p : parameters_) p->gradient();
    const real* total = sums_.root();
    if (ranks > 1) {
      const timed time(ctx.times, operation::wait);
      total = spread_.add(*group, count, size, std::span(results_), words_, [&](detail::tree_node node) { return sums_.at(node); });
    }
    detail::for_each_piece(parameters_, ctx.threads, [&](std::size_t i, index, index begin, index end) {
      real* to = parameters_[i]->gradient().data();
      const real* from = total + parameters_[i]->gradient_offset;
#pragma omp simd
      for (index e = begin; e < end; ++e) to[e] += from[e];
    });
  }
  result sum;
  sum.stop = detail::agreed_stop(words_);
  for (const part_result& r : results_) {
    sum.loss += r.loss;
    sum.entropy += r.entropy;
  }
  return sum;
}

template <class M>
void micro_batch_gradients<M>::exchange_words(rank_group& group) {
  std::vector<std::size_t> begins;
  for (std::size_t r = 0; r <= words_.size(); ++r) begins.push_back(r * sizeof(detail::rank_word));
  group.all_gather(std::as_writable_bytes(std::span(words_)), begins);
}

template <class M>
auto micro_batch_gradients<M>::pass(M& model, const batch& b, index first, index last, task_kind kind, real scale, const loss_options& o,
                                    walk& w, context& ctx) -> part_result {
  const batch& own = last - first == b.size() ? b : w.part.assign(b, first, last);
  const index answers = model.answers(own);
  if (answers == 0) return {};
  ctx.tokens_before = b.offsets[static_cast<std::size_t>(first)];
  ctx.sequences_before = model.head.answers_for_words() ? b.answer_offsets[static_cast<std::size_t>(first)] : first;
  const double share = static_cast<double>(answers) / static_cast<double>(model.answers(b));
  const double of_loss = o.plain() ? share : loss_weight(kind, b, first, last, o) / loss_weight(kind, b, 0, b.size(), o);
  w.logits.resize(answers, model.head.classes());
  w.dlogits.resize(answers, model.head.classes());
  model.forward(own, w.logits, &w.trace, ctx);
  view<real> d = w.dlogits;
  const real own_scale = scale * static_cast<real>(of_loss);
  const double loss = task_loss<real>(kind, w.logits, own, &d, own_scale, o);
  model.backward(w.dlogits, own, w.trace, ctx);
  ctx.tokens_before = ctx.sequences_before = 0;
  return {of_loss * loss, share * answer_entropy<real>(kind, w.logits)};
}

}  // namespace graft
