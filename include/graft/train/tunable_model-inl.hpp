#pragma once
// Bodies of graft/train/tunable_model.hpp.

#include <iterator>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/range.hpp"
#include "graft/core/threads.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/choose_precision.hpp"
#include "graft/train/tunable_model.hpp"
#include "graft/train/tunable_of.hpp"

namespace graft::detail {

GRAFT_INLINE tunable_base& tunable_base::of(tunable_model& model) { return *model.base_; }

GRAFT_INLINE std::unique_ptr<tunable_base> make_tunable(const encoder_config& c, const model_description& what, const tuning_start& start) {
  if (what.kind == tuning_kind::ia3 || what.kind == tuning_kind::fusion || what.kind == tuning_kind::unknown) {
    throw config_error("kind \"" + tuning_kind_name(what.kind) +
                       "\" is not trained: adapter, multi_adapter, lora, prefix, full or head was expected");
  }
  if (start.precision == precision::int8 && what.kind == tuning_kind::full) {
    throw config_error("precision is int8, in which frozen layers multiply, and none is frozen here: auto, f32 or bf16 was expected");
  }
  if (what.kind == tuning_kind::lora) {
    check_range("lora_alpha", what.lora.alpha, ranges::trained_lora_alpha);
    for (const auto& [layer, alpha] : what.lora.alphas) check_range(("alpha of " + layer).c_str(), alpha, ranges::trained_lora_alpha);
  }
  return in_precision(start.precision, [&]<class P>(P) -> std::unique_ptr<tunable_base> {
    if (what.kind == tuning_kind::adapter) return std::make_unique<tunable_of<adapter_classifier<P>>>(c, what, start);
    if (what.kind == tuning_kind::multi_adapter) return std::make_unique<tunable_of<multi_adapter_classifier<P>>>(c, what, start);
    return std::make_unique<tunable_of<plain_classifier<P>>>(c, what, start);
  });
}

GRAFT_INLINE context context_of(int threads) {
  context ctx;
  ctx.threads = usable_threads(threads);
  return ctx;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE tunable_model::tunable_model(const encoder_config& c, const model_description& what, const tuning_start& start)
    : base_(detail::make_tunable(c, what, start)) {}

GRAFT_INLINE tunable_model::tunable_model(const trunk_files& files, const model_description& what, const tuning_start& start) {
  const encoder_config c = read_trunk_config(files);
  const tensor_source encoder = open_model(files.model_path, c.model_type);
  model_description described = what;
  described.trunk_fingerprint = fingerprint(encoder, to_json(c), trunk_tensors(c, encoder));
  base_ = detail::make_tunable(c, described, start);
  load_encoder(encoder);
}

GRAFT_INLINE tunable_model::tunable_model(tunable_model&&) noexcept = default;
GRAFT_INLINE tunable_model::~tunable_model() = default;

GRAFT_INLINE const encoder_config& tunable_model::config() const { return base_->config; }
GRAFT_INLINE const model_description& tunable_model::description() const { return base_->description; }
GRAFT_INLINE model_size tunable_model::size() const { return base_->size(); }
GRAFT_INLINE std::int64_t tunable_model::training_bytes(index rows, index longest, int threads, bool keeps_best) const {
  return base_->training_bytes(rows, longest, threads, keeps_best);
}

GRAFT_INLINE bool tunable_model::load_encoder(const tensor_source& encoder, bool for_training, int threads) {
  return base_->load_encoder(encoder, for_training ? usable_threads(threads) : 0);
}
GRAFT_INLINE void tunable_model::load_mixed_adapter(const std::string& name, const tensor_source& adapter, const tensor_source& norms) {
  base_->load_mixed_adapter(name, adapter, norms);
}
GRAFT_INLINE taken_start tunable_model::start_from(const tensor_source& source, const std::vector<std::string>& notes) {
  return base_->start_from(source, notes);
}
GRAFT_INLINE index tunable_model::start_head(const tensor_source& head, const std::vector<std::optional<std::size_t>>& rows) {
  return base_->start_head(head, rows);
}
GRAFT_INLINE void tunable_model::load_trained(const tensor_source& saved) { base_->load_trained(saved); }
GRAFT_INLINE void tunable_model::share_trained(rank_group& group) { base_->share_trained(group); }
GRAFT_INLINE index tunable_model::use_prefix_cache(const std::string& folder) { return base_->use_prefix_cache(folder, context()); }
GRAFT_INLINE bool tunable_model::fill_prefix_cache(std::span<const features> rows, int threads, const prefix_progress& progress,
                                                   const std::atomic<bool>* stop) {
  context ctx = detail::context_of(threads);
  return base_->fill_prefix_cache(rows, ctx, progress, stop);
}
GRAFT_INLINE void tunable_model::pack(int threads) { base_->pack(usable_threads(threads)); }

GRAFT_INLINE std::optional<evaluation> tunable_model::evaluate(const task& t, std::span<const features> rows, index batch_size, int threads,
                                                               const std::atomic<bool>* stop, index tokens, rank_group* group) const {
  context ctx = detail::context_of(threads);
  ctx.group = group;
  return base_->evaluate(t, rows, batch_size, ctx, stop, tokens);
}

GRAFT_INLINE std::optional<std::vector<double>> tunable_model::predict_logits(std::span<const features> rows, index batch_size, int threads,
                                                                              const std::atomic<bool>* stop, index tokens,
                                                                              rank_group* group) const {
  context ctx = detail::context_of(threads);
  ctx.group = group;
  const auto logits = base_->predict_logits(rows, batch_size, ctx, stop, tokens);
  if (!logits) return std::nullopt;
  return std::vector<double>(logits->data(), logits->data() + logits->size());
}

GRAFT_INLINE std::vector<std::vector<double>> tunable_model::mixing_weights() const { return base_->mixing_weights(); }

GRAFT_INLINE void tunable_model::save_tuned(const std::string& path, const std::map<std::string, std::string>& more) const {
  auto metadata = to_metadata(description());
  metadata.insert(more.begin(), more.end());
  base_->save(path, metadata, false);
}
GRAFT_INLINE void tunable_model::save_everything(const std::string& path, const std::map<std::string, std::string>& more) const {
  auto metadata = to_metadata(description());
  metadata.insert(more.begin(), more.end());
  base_->save(path, metadata, true);
}

}  // namespace graft
