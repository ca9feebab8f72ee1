#pragma once
// The loss of a batch and its gradients, a micro-batch at a time, on as many threads as there are.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "graft/core/context.hpp"
#include "graft/core/gradients.hpp"
#include "graft/core/parameter.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/tasks.hpp"
#include "graft/losses/loss_options.hpp"
#include "graft/train/spread_sum.hpp"

namespace graft {

namespace detail {

/// Blocks of numbers, summed in one fixed tree: ((0 + 1) + (2 + 3)) + (4), whichever are ready first, a segment of them after the other.
/// Any thread may call it. In memory are, as a rule, two blocks a thread and one for every level, and no more than leaves.
template <class T>
class summing_tree {
 public:
  void begin(index leaves, std::span<const gradient_segment> segments, int threads);
  /// Zeros, for LEAF.
  T* take(index leaf);
  /// Segment S of LEAF is complete: it is added to its neighbor's if that is, and so on.
  void done(index leaf, std::size_t s);
  /// The sum of the leaves of NODE, in those segments in which all of them are done.
  T* at(tree_node node) const { return leaves_[static_cast<std::size_t>(node.first())].block; }

 private:
  struct leaf_state {
    T* block = nullptr;     // where the sums of all nodes are whose first leaf this is
    std::size_t added = 0;  // segments of it that have been added to another's
  };
  bool is_second(std::size_t at, std::size_t neighbor);
  void give_back(leaf_state& leaf);

  index size_ = 0;
  std::vector<gradient_segment> segments_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<buffer<T>>> memory_;
  std::vector<T*> free_;
  std::vector<leaf_state> leaves_;
  std::vector<std::uint8_t> waits_;  // of every segment, level and node below the top: its sum waits for the neighbor's
};

template <class T>
std::uint64_t sum_of_bits(const std::vector<parameter<T>*>& parameters);

}  // namespace detail

/// Forward and backward over a batch of any size.   Tested: tests/training/micro_batch_gradients_test.cpp, threads_test.cpp
template <class M>
class micro_batch_gradients {
 public:
  using real = typename M::real;
  struct result {
    double loss = 0, entropy = 0;  // means over the batch; no entropy in regression
    bool stop = false;             // a rank wishes to
  };

  /// grad += SCALE dL/dp for every trained parameter, L the mean loss of B as O says. The batch is cut into micro-batches (`micro_batches`
  /// of data/batch.hpp), which depend on it and TOKENS alone. Each thread takes one through the whole model, forward and backward, and
  /// their gradients are summed in one fixed tree: no bit depends on the number of threads. Models whose gradients are larger than
  /// `most_gradient_bytes` (model/memory.hpp) take one after the other, all threads together.
  /// Masks of dropout are those of the whole batch.
  /// Where ctx.group is set, each rank takes its share of the micro-batches, and every rank gets the gradients of all, to the bit as from
  /// one process (train/spread_sum.hpp), of which the upper layers' travel while lower ones are computed; gradients that are too large for
  /// the tree, and a batch of one micro-batch, each rank computes whole. All must hold the same parameters and the same B. STOP: this rank
  /// wishes to stop; the result says whether any does.
  /// @throws backend_error  the ranks hold different parameters, or cannot reach each other
  result add(M& model, const batch& b, task_kind kind, real scale, index tokens, context& ctx, const loss_options& o = {},
             bool stop = false);

 private:
  struct walk {  // what a thread needs for one micro-batch
    batch part;
    typename M::trace trace;
    matrix<real> logits, dlogits;
  };
  struct part_result {
    double loss = 0, entropy = 0;
  };
  /// Forward and backward of the sequences FIRST .. LAST - 1 of B. RESULT, before backward: loss and entropy, as shares of the batch's
  /// means.
  void pass(M& model, const batch& b, index first, index last, task_kind kind, real scale, const loss_options& o, walk& w, context& ctx,
            part_result& result);

  std::vector<parameter<real>*> parameters_;
  std::vector<index> cuts_, costs_, order_;
  std::vector<part_result> results_;
  std::vector<walk> walks_;
  std::vector<gradient_segment> segments_;
  detail::summing_tree<real> sums_;
  detail::spread_sum<real> spread_;
  std::vector<detail::rank_word> words_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/micro_batch_gradients-inl.hpp"  // IWYU pragma: export
#endif
