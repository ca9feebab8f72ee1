#pragma once
// Logits, loss and metrics of a data set.

#include <atomic>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "graft/core/rank_group.hpp"
#include "graft/core/workers.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/tasks.hpp"
#include "graft/train/metrics.hpp"
#include "graft/train/task_loss.hpp"

namespace graft {

/// Where ROWS are cut into batches of up to BATCH_SIZE rows or about TOKENS tokens: 0, ..., their number.
std::vector<std::size_t> batch_cuts(std::span<const features> rows, index batch_size, index tokens);

/// Calls f(batch, first, ctx) for all of ROWS, FIRST the number of the batch's first row: up to BATCH_SIZE rows or about TOKENS tokens (0:
/// however many) at once, on threads that each take one batch through a model, ctx.threads in number (core/workers.hpp). What is computed
/// for a row does not depend on the others. Where ctx.group is set, this rank's share of the batches alone. False when *STOP turns true on
/// the way.
template <class F>
bool for_each_batch(std::span<const features> rows, index batch_size, index tokens, context& ctx, const std::atomic<bool>* stop, F&& f) {
  const std::vector<std::size_t> cuts = batch_cuts(rows, batch_size, tokens);
  const dealt_share share(ctx.group);
  std::vector<index> costs(share.count(cuts.size() - 1), 0);
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const std::size_t n = share.number(i);
    for (const features& row : rows.subspan(cuts[n], cuts[n + 1] - cuts[n])) costs[i] += sequence_cost(std::ssize(row.input_ids));
  }
  std::vector<index> order;
  largest_first(costs, std::ssize(costs), order);
  const auto training = ctx.without_dropout();
  const auto stopped = [&] { return stop != nullptr && stop->load(); };
  for_each_unit(std::ssize(order), ctx, [&](index i, context& worker) {
    if (stopped()) return;
    const std::size_t n = share.number(static_cast<std::size_t>(order[static_cast<std::size_t>(i)]));
    batch part;
    part.fill(rows.first(cuts[n + 1]), cuts[n], batch_size, tokens);
    f(part, static_cast<index>(cuts[n]), worker);
  });
  return !stopped();
}

/// ALL, of which each rank of GROUP has the rows of its batches, dealt out by CUTS, where among them each begins, becomes whole on every
/// rank. False, and ALL stays as it is, where one of them has not DONE its share.
/// @throws as the group
bool gather_rows(rank_group& group, std::span<const std::size_t> cuts, bool done, matrix<double>& all);

/// The logits (n, C) of ROWS, in order, finite or not, or of their words where those are asked; nothing when *STOP turns true on the way.
/// The rest as for_each_batch. Where ctx.group is set, each rank computes its share, and every rank gets all.
template <class M>
std::optional<matrix<double>> predict_logits(const M& model, std::span<const features> rows, index batch_size, context& ctx,
                                             const std::atomic<bool>* stop = nullptr, index tokens = usual_micro_batch_tokens) {
  const std::vector<index> begins = answer_offsets(rows, model.head.answers_for_words());
  matrix<double> all(begins.back(), model.head.classes());
  const bool done = for_each_batch(rows, batch_size, tokens, ctx, stop, [&](const batch& b, index first, context& worker) {
    matrix<typename M::real> logits(model.answers(b), model.head.classes());
    model.forward(b, logits, nullptr, worker);
    all.middleRows(begins[static_cast<std::size_t>(first)], logits.rows()) = logits.template cast<double>();
  });
  if (ctx.group == nullptr) return done ? std::optional(std::move(all)) : std::nullopt;
  std::vector<std::size_t> cuts = batch_cuts(rows, batch_size, tokens);
  for (std::size_t& cut : cuts) cut = static_cast<std::size_t>(begins[cut]);
  if (!gather_rows(*ctx.group, cuts, done, all)) return std::nullopt;
  return all;
}

/// Checks that ANSWERS, one row each, are finite: what is not must not become a label.
/// @throws row_error  for the first row that is not
void require_finite(const_view<double> answers);

/// What an evaluation finds out.
struct evaluation {
  double loss = 0;  // mean over examples, or words
  task_metrics metrics;
  matrix<double> logits;
};

/// Loss and metrics of labeled ROWS; all NaN when a logit is not finite. The rest as predict_logits.
template <class M>
std::optional<evaluation> evaluate(const M& model, const task& t, std::span<const features> rows, index batch_size, context& ctx,
                                   const std::atomic<bool>* stop = nullptr, index tokens = usual_micro_batch_tokens) {
  auto logits = predict_logits(model, rows, batch_size, ctx, stop, tokens);
  if (!logits) return std::nullopt;
  batch answers;
  for (const features& row : rows) answers.add_answer(row);
  evaluation e;
  e.metrics = evaluate(t, *logits, rows);
  e.loss = task_loss<double>(t.kind, *logits, answers, nullptr);
  if (!logits->allFinite()) {  // whose largest one is no answer
    e.loss = e.metrics.major = std::numeric_limits<double>::quiet_NaN();
    for (auto& [name, value] : e.metrics.minor) value = e.loss;
  }
  e.logits = std::move(*logits);
  return e;
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/evaluation-inl.hpp"  // IWYU pragma: export
#endif
