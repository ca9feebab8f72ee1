#pragma once
// What a call needs besides its arguments: the mode, where sequences begin, randomness, scratch memory, counters.

#include <omp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "graft/core/cpu.hpp"
#include "graft/core/function_view.hpp"
#include "graft/core/profile.hpp"
#include "graft/core/random.hpp"
#include "graft/core/scratch.hpp"
#include "graft/core/types.hpp"

namespace graft {

class rank_group;

/// What the rows of a matrix stand for: all tokens of a batch, or its sequences, of which there are the first tokens alone. Their numbers
/// do not tell: where every sequence has one token they are equal, and dropout masks still differ.
enum class rows_of : std::uint8_t { tokens, sequences };

/// Work that frozen parameters must not cause; tests read these.
struct work_counters {
  std::uint64_t weight_gradient_products = 0;  // dW = dy^T x products
  std::uint64_t products = 0;                  // all matrix products that went through the gemm door
};

/// Something of a context that is another as long as this lives: then it is what it was.
template <class T>
class set_for_scope {
 public:
  set_for_scope(T& target, std::type_identity_t<T> value) : target_(target), before_(std::exchange(target, std::move(value))) {}
  ~set_for_scope() { target_ = before_; }
  set_for_scope(const set_for_scope&) = delete;
  set_for_scope& operator=(const set_for_scope&) = delete;

 private:
  T& target_;
  T before_;
};

/// One per thread of control; passed down through every forward and backward. Nothing here is global. Callers set up what is public; the
/// rest holds for some of their calls, and is set for a scope: with_sequences and its like, training_step, batch_part, gradients_into.
class context {
 public:
  std::uint64_t seed = 0;  // of dropout
  int threads = omp_get_max_threads();
  rank_group* group = nullptr;       // the processes that share the work of a call, as its docstring says; null: this one alone
  std::optional<tile_path> tiles{};  // how bf16 products are computed; nothing: the best that works (gemm/product.hpp)
  profile* times = nullptr;          // where the time goes is added here
  scratch memory{};
  work_counters counters{};
  int worker_number = 0;  // among the workers of another context

  /// Whether dropout is active: in a training_step, and not where the result of without_dropout lives.
  bool training() const { return training_; }
  [[nodiscard]] auto without_dropout() { return set_for_scope(training_, false); }
  /// The first row of every sequence, and the end (B + 1).
  std::span<const index> offsets() const { return offsets_; }
  [[nodiscard]] auto with_sequences(std::span<const index> offsets) { return set_for_scope(offsets_, offsets); }
  index sequences() const { return static_cast<index>(offsets_.size()) - 1; }
  /// The first row of sequence B, and how many it has.
  index first_row(index b) const { return offsets_[static_cast<std::size_t>(b)]; }
  index length(index b) const { return first_row(b + 1) - first_row(b); }
  /// What the rows of a layer's input are, and of its output unless it is told what is wanted.
  rows_of rows() const { return rows_; }
  [[nodiscard]] auto with_rows(rows_of rows) { return set_for_scope(rows_, rows); }
  /// Of a batch of several models, which is each sequence's (B) (adapters/routed_site.hpp).
  std::span<const index> routes() const { return routes_; }
  [[nodiscard]] auto with_routes(std::span<const index> routes) { return set_for_scope(routes_, routes); }
  /// Where in the whole batch a matrix of such rows begins.
  index rows_before(rows_of which) const { return which == rows_of::tokens ? tokens_before_ : sequences_before_; }

  /// The random numbers of this step in the stream NUMBER, which a place of the model has for itself.
  random_stream stream(std::uint64_t number) const { return {seed, step_, number}; }
  /// The block that backward adds gradients to (core/gradients.hpp); null: to the parameters' own.
  void* gradients() const { return gradients_; }
  /// Told by backward which layer it is through with; null: nobody asks.
  const function_view<void(index)>* layer_done() const { return layer_done_; }

  /// The contexts of ctx.threads threads that each work alone (core/workers.hpp); their scratch memory is kept.
  void begin_workers();
  context& worker(int number) { return *workers_[static_cast<std::size_t>(number)]; }
  void end_workers();

 private:
  friend class training_step;
  friend class batch_part;
  friend class gradients_into;
  bool training_ = false;
  std::span<const index> offsets_{}, routes_{};
  rows_of rows_ = rows_of::tokens;
  std::uint64_t step_ = 0;
  index tokens_before_ = 0, sequences_before_ = 0;
  void* gradients_ = nullptr;
  const function_view<void(index)>* layer_done_ = nullptr;
  std::vector<std::unique_ptr<context>> workers_;
  std::unique_ptr<profile> worker_times_;  // of a worker
};

/// CTX is in training as long as this lives, at the step NUMBER: dropout is active, and each step has masks of its own.
class training_step {
 public:
  training_step(context& ctx, std::uint64_t number) : training_(ctx.training_, true), step_(ctx.step_, number) {}

 private:
  set_for_scope<bool> training_;
  set_for_scope<std::uint64_t> step_;
};

/// As long as this lives, CTX is for a part of the batch that it was for: the part behind TOKENS tokens and SEQUENCES sequences, or words
/// where the head answers for those. Its masks are cut out of the whole batch's.
class batch_part {
 public:
  batch_part(context& ctx, index tokens, index sequences)
      : tokens_(ctx.tokens_before_, ctx.tokens_before_ + tokens), sequences_(ctx.sequences_before_, ctx.sequences_before_ + sequences) {}

 private:
  set_for_scope<index> tokens_, sequences_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/context-inl.hpp"  // IWYU pragma: export
#endif
