#pragma once
// A batch of sequences as packed rows: one row a real token, no padding.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graft/core/index.hpp"
#include "graft/data/example.hpp"

namespace graft {

/// Tokens of a micro-batch, which one thread takes through a model, unless told otherwise: enough for its products, few enough for its
/// caches.
inline constexpr index usual_micro_batch_tokens = 216;

/// What a sequence of TOKENS takes of a model's time, in tokens of short ones:   T + T^2 / 1024. Products grow with T, attention with its
/// square, and as long as all the rest takes from about 850 tokens on in bf16 and 1900 in f32 (docs/benchmarks.md).
constexpr index sequence_cost(index tokens) { return tokens + tokens * tokens / 1024; }

/// B sequences, their N tokens laid end to end; sequence b owns rows offsets[b] .. offsets[b + 1] - 1.
struct batch {
  std::vector<std::int32_t> input_ids;       // (N)
  std::vector<std::int32_t> token_type_ids;  // (N)
  std::vector<index> offsets{0};             // (B + 1)
  std::vector<std::int32_t> labels;          // (B) class ids, or of tags for words as many as ANSWERING
  std::vector<double> targets;               // (B) regression values
  std::vector<std::int32_t> label_sets;      // of several labels at once, the ids that hold, sequence after sequence
  std::vector<index> set_offsets{0};         // (B + 1) where those of a sequence begin
  std::vector<index> answering;              // of tags for words, the rows that are asked for one
  std::vector<index> answer_offsets{0};      // (B + 1) where those of a sequence begin

  index rows() const { return offsets.back(); }
  index size() const;
  /// Of the sequences FIRST .. LAST - 1 together (sequence_cost).
  index cost(index first, index last) const;

  void clear();
  /// Becomes the sequences FIRST .. LAST - 1 of WHOLE.
  batch& assign(const batch& whole, index first, index last);
  /// Becomes the rows of ROWS from FIRST on: up to COUNT of them, and about TOKENS tokens (0: however many), but at least one. Returns
  /// where the next ones begin.
  std::size_t fill(std::span<const features> rows_of_set, std::size_t first, index count, index tokens);
  void add(const features& row);
  /// What is known of a row's answer alone.
  void add_answer(const features& row);
};

/// Where the batch of ROWS that begins at FIRST ends: `batch::fill` takes the rows before.
std::size_t end_of_batch(std::span<const features> rows, std::size_t first, index count, index tokens);

/// CUTS becomes where B is cut into micro-batches, whole sequences each: 0, ..., B. They hold TOKENS tokens and an eighth at most, or one
/// longer sequence, and cost equally much (`sequence_cost`) as far as that goes: one, two, four, or a multiple of four, which two and four
/// threads share without waiting, and more where sequences do not fit into those. TOKENS 0: one.
void micro_batches(const batch& b, index tokens, std::vector<index>& cuts);

/// ORDER becomes the numbers of micro-batches, or of batches, in the order in which threads take them: as they come, but the LAST ones by
/// falling COSTS, so that threads end about together. Equal ones as they come.
void largest_first(std::span<const index> costs, index last, std::vector<index>& order);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/data/batch-inl.hpp"  // IWYU pragma: export
#endif
