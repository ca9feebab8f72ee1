#pragma once
// Logits, loss and metrics of a data set.

#include <atomic>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "graft/core/context.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/tasks.hpp"
#include "graft/losses/losses.hpp"
#include "graft/train/metrics.hpp"

namespace graft {

/// The logits (n, C) of ROWS, in order, finite or not; BATCH_SIZE rows or about TOKENS tokens go through at once (0: however many), which
/// changes no number. Nothing when *STOP turns true on the way.
template <class M>
std::optional<matrix<double>> predict_logits(const M& model, std::span<const features> rows, index batch_size, context& ctx,
                                             const std::atomic<bool>* stop = nullptr, index tokens = usual_tokens_at_once) {
  using real = typename M::real;
  const bool training = std::exchange(ctx.training, false);
  matrix<double> all(static_cast<index>(rows.size()), model.head.classes());
  batch b;
  matrix<real> logits;
  for (std::size_t first = 0, next = 0; first < rows.size(); first = next) {
    if (stop != nullptr && stop->load()) {
      ctx.training = training;
      return std::nullopt;
    }
    next = b.fill(rows, first, batch_size, tokens);
    logits.resize(b.size(), model.head.classes());
    model.forward(b, logits, nullptr, ctx);
    all.middleRows(static_cast<index>(first), b.size()) = logits.template cast<double>();
  }
  ctx.training = training;
  return all;
}

/// Checks that ANSWERS, one row each, are finite: what is not must not become a label.
/// @throws row_error  for the first row that is not
void require_finite(const_view<double> answers);

/// What an evaluation finds out.
struct evaluation {
  double loss = 0;  // mean over examples
  task_metrics metrics;
  matrix<double> logits;
};

/// Loss and metrics of labeled ROWS; all NaN when a logit is not finite. The rest as predict_logits.
template <class M>
std::optional<evaluation> evaluate(const M& model, const task& t, std::span<const features> rows, index batch_size, context& ctx,
                                   const std::atomic<bool>* stop = nullptr, index tokens = usual_tokens_at_once) {
  auto logits = predict_logits(model, rows, batch_size, ctx, stop, tokens);
  if (!logits) return std::nullopt;
  batch labels;
  for (const features& row : rows) {
    labels.labels.push_back(row.label);
    labels.targets.push_back(row.target);
  }
  evaluation e;
  e.metrics = evaluate(t, *logits, rows);
  e.loss = t.kind == task_kind::regression ? mean_squared_error<double>(*logits, labels.targets, nullptr)
                                           : cross_entropy<double>(*logits, labels.labels, nullptr);
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
