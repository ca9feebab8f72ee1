#pragma once
// Bodies of graft/train/micro_batch_gradients.hpp.

#include <algorithm>
#include <cstdint>

#include "graft/core/compiled.hpp"
#include "graft/core/workers.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/memory.hpp"
#include "graft/optim/chunks.hpp"
#include "graft/train/micro_batch_gradients.hpp"
#include "graft/train/task_loss.hpp"

namespace graft {

template <class T>
void detail::summing_tree<T>::begin(index leaves, std::span<const gradient_segment> segments, int threads) {
  segments_.assign(segments.begin(), segments.end());
  const index size = segments_.front().end;
  if (size != size_) memory_.clear();
  size_ = size;
  leaves_.assign(static_cast<std::size_t>(leaves), {});
  // as a rule: one a thread, as many that came before their neighbors, and one that waits on every level
  index most = index{2} * threads, nodes = 0;
  for (index count = leaves; count > 1; count = (count + 1) / 2, ++most) nodes += count;
  waits_.assign(static_cast<std::size_t>(nodes) * segments_.size(), 0);
  for (most = std::min(most, leaves); std::ssize(memory_) < most; memory_.back()->resize(1, size))
    memory_.push_back(std::make_unique<buffer<T>>());
  free_.clear();
  for (const auto& block : memory_) free_.push_back(block->get().data());
}

template <class T>
T* detail::summing_tree<T>::take(index leaf) {
  T* block = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (free_.empty()) {  // threads that are far apart leave more than usual waiting
      memory_.push_back(std::make_unique<buffer<T>>());
      free_.push_back(memory_.back()->resize(1, size_).data());
    }
    block = free_.back();
    free_.pop_back();
    leaves_[static_cast<std::size_t>(leaf)].block = block;
  }
  std::fill(block, block + size_, T(0));
  return block;
}

template <class T>
void detail::summing_tree<T>::done(index leaf, std::size_t s) {
  const gradient_segment segment = segments_[s];
  std::size_t before = waits_.size() / segments_.size() * s;
  tree_node node{0, leaf};
  for (index count = std::ssize(leaves_); count > 1; before += static_cast<std::size_t>(count), count = (count + 1) / 2) {
    const tree_node neighbor{node.level, node.at ^ 1};
    if (neighbor.at < count) {
      if (!is_second(before + static_cast<std::size_t>(node.at), before + static_cast<std::size_t>(neighbor.at))) return;
      leaf_state& second = leaves_[static_cast<std::size_t>(std::max(node.first(), neighbor.first()))];
      T* const left = at(node.at < neighbor.at ? node : neighbor);
      const T* const right = second.block;
#pragma omp simd
      for (index i = segment.begin; i < segment.end; ++i) left[i] += right[i];
      give_back(second);
    }
    node = {node.level + 1, node.at / 2};
  }
}

/// Whether what waits at NEIGHBOR is there already; else what is AT waits.
template <class T>
bool detail::summing_tree<T>::is_second(std::size_t at, std::size_t neighbor) {
  const std::scoped_lock lock(mutex_);
  if (waits_[neighbor] != 0) return true;
  waits_[at] = 1;
  return false;
}

/// A segment of LEAF is part of another's sum; after the last one others may have its block.
template <class T>
void detail::summing_tree<T>::give_back(leaf_state& leaf) {
  const std::scoped_lock lock(mutex_);
  if (++leaf.added == segments_.size()) free_.push_back(leaf.block);
}

/// A sum over the bits of PARAMETERS, each of which counts.
template <class T>
std::uint64_t detail::sum_of_bits(const std::vector<parameter<T>*>& parameters) {
  std::uint64_t sum = 0, factor = 1;
  for (const auto* p : parameters) {
    sum += graft::sum_of_bits(*p) * factor;
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
  const auto pass_of = [&](index i, context& worker) {
    const auto n = static_cast<std::size_t>(i);
    walk& w = walks_[static_cast<std::size_t>(worker.worker_number)];
    pass(model, b, cuts_[n], cuts_[n + 1], kind, scale, o, w, worker, results_[n]);
  };
  rank_group* const group = ctx.group;
  const int ranks = group == nullptr ? 1 : group->size(), self = group == nullptr ? 0 : group->rank();
  words_.assign(static_cast<std::size_t>(ranks), {});
  words_[static_cast<std::size_t>(self)] = {stop ? 1U : 0U, ranks > 1 ? detail::sum_of_bits(parameters_) : 0};
  if (size * static_cast<index>(sizeof(real)) > most_gradient_bytes || count == 1) {
    if (ranks > 1) detail::gather_words(*group, words_, std::span<part_result>());
    for (index i = 0; i < count; ++i) pass_of(i, ctx);
  } else {
    const index least = ranks > 1 ? group->least_bytes_at_once() / static_cast<index>(sizeof(real)) : size;
    cut_into_segments(model, size, least, segments_);
    sums_.begin(count, segments_, ctx.threads);
    pack_trained(model, ctx);
    const index first = detail::first_leaf(count, self, ranks), last = detail::first_leaf(count, self + 1, ranks);
    costs_.clear();
    for (auto cut = cuts_.begin() + first; cut < cuts_.begin() + last; ++cut) costs_.push_back(b.cost(cut[0], cut[1]));
    largest_first(costs_, index{2} * ctx.threads, order_);  // not all: sums of what is not next in the tree wait in memory
    const auto compute = [&](auto&& segment_done) {
      for_each_unit(last - first, ctx, [&](index i, context& worker) {
        const index leaf = first + order_[static_cast<std::size_t>(i)];
        std::size_t next = 0;  // of the segments
        const auto done = [&] {
          sums_.done(leaf, next);
          segment_done(next++);
        };
        const auto layer_done = [&](index l) {
          if (segments_[next].layer == l && l > 0) done();
        };
        const function_view<void(index)> told = layer_done;
        const gradients_into scope(worker, sums_.take(leaf), &told);
        pass_of(leaf, worker);
        while (next < segments_.size()) done();
      });
    };
    for (auto* p : parameters_) p->gradient();
    const real* total = nullptr;
    if (ranks > 1) {
      total = spread_.add(
          *group, count, segments_, [&](detail::tree_node node) { return sums_.at(node); },
          [&] { detail::gather_words(*group, words_, std::span(results_)); }, compute, ctx.times);
    } else {
      compute([](std::size_t) {});
      total = sums_.at(detail::top_node(count));
    }
    detail::for_each_chunk(parameters_, ctx.threads, [&](std::size_t i, index, index begin, index end) {
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
void micro_batch_gradients<M>::pass(M& model, const batch& b, index first, index last, task_kind kind, real scale, const loss_options& o,
                                    walk& w, context& ctx, part_result& result) {
  const batch& part_batch = last - first == b.size() ? b : w.part.assign(b, first, last);
  const index answers = model.answers(part_batch);
  result = {};
  if (answers == 0) return;
  const auto n = static_cast<std::size_t>(first);
  const batch_part part(ctx, b.offsets[n], model.head.answers_for_words() ? b.answer_offsets[n] : first);
  const double share = static_cast<double>(answers) / static_cast<double>(model.answers(b));
  const double of_loss = o.plain() ? share : loss_weight(kind, b, first, last, o) / loss_weight(kind, b, 0, b.size(), o);
  w.logits.resize(answers, model.head.classes());
  w.dlogits.resize(answers, model.head.classes());
  model.forward(part_batch, w.logits, &w.trace, ctx);
  view<real> d = w.dlogits;
  const real part_scale = scale * static_cast<real>(of_loss);
  const double loss = task_loss<real>(kind, w.logits, part_batch, &d, part_scale, o);
  result = {of_loss * loss, share * answer_entropy<real>(kind, w.logits)};
  model.backward(w.dlogits, part_batch, w.trace, ctx);
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class micro_batch_gradients<plain_classifier<GRAFT_PRECISION>>;
template class micro_batch_gradients<adapter_classifier<GRAFT_PRECISION>>;
template class micro_batch_gradients<multi_adapter_classifier<GRAFT_PRECISION>>;
#endif

}  // namespace graft
