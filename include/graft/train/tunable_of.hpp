#pragma once
// What is behind a tunable_model: a classifier of one of the three types, in one precision.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "graft/encoder/config.hpp"
#include "graft/io/tensor_source.hpp"
#include "graft/model/description.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/model.hpp"
#include "graft/train/evaluation.hpp"
#include "graft/train/prefix_cache.hpp"
#include "graft/train/training_steps.hpp"

namespace graft {

class tunable_model;
struct model_size;
struct tuning_start;

}  // namespace graft

namespace graft::detail {

struct tunable_base {
  tunable_base(const encoder_config& c, const model_description& d) : config(c), description(d) {}
  virtual ~tunable_base() = default;

  static tunable_base& of(tunable_model& model);

  virtual std::unique_ptr<training_steps> steps(const task& t, const training_options& o) = 0;
  virtual model_size size() const = 0;
  virtual std::int64_t training_bytes(index rows, index longest, int threads, bool keeps_best) const = 0;
  virtual bool load_encoder(const tensor_source& encoder, int packing_threads) = 0;
  virtual void load_mixed_adapter(const std::string& name, const tensor_source& adapter, const tensor_source& norms) = 0;
  virtual taken_start start_from(const tensor_source& source, const std::vector<std::string>& notes) = 0;
  virtual index start_head(const tensor_source& head, const std::vector<std::optional<std::size_t>>& rows) = 0;
  virtual void load_trained(const tensor_source& saved) = 0;
  virtual void share_trained(rank_group& group) = 0;
  virtual void pack(int threads) = 0;
  virtual index use_prefix_cache(const std::string& folder, const context& ctx) = 0;
  virtual bool fill_prefix_cache(std::span<const features> rows, context& ctx, const prefix_progress& progress,
                                 const std::atomic<bool>* stop) = 0;
  virtual std::optional<evaluation> evaluate(const task& t, std::span<const features> rows, index batch_size, context& ctx,
                                             const std::atomic<bool>* stop, index tokens) const = 0;
  virtual std::optional<matrix<double>> predict_logits(std::span<const features> rows, index batch_size, context& ctx,
                                                       const std::atomic<bool>* stop, index tokens) const = 0;
  virtual std::vector<std::vector<double>> mixing_weights() const = 0;
  virtual void save(const std::string& path, const std::map<std::string, std::string>& metadata, bool everything) const = 0;

  encoder_config config;
  model_description description;
};

/// M is a plain, adapter or multi-adapter classifier.
template <class M>
class tunable_of final : public tunable_base {
 public:
  using real = typename M::real;
  using precision = typename M::precision;

  tunable_of(const encoder_config& c, const model_description& d, const tuning_start& start);

  std::unique_ptr<training_steps> steps(const task& t, const training_options& o) override;
  model_size size() const override;
  std::int64_t training_bytes(index rows, index longest, int threads, bool keeps_best) const override;
  bool load_encoder(const tensor_source& encoder, int packing_threads) override;
  void load_mixed_adapter(const std::string& name, const tensor_source& adapter, const tensor_source& norms) override;
  taken_start start_from(const tensor_source& source, const std::vector<std::string>& notes) override;
  index start_head(const tensor_source& head, const std::vector<std::optional<std::size_t>>& rows) override;
  void load_trained(const tensor_source& saved) override;
  void share_trained(rank_group& group) override;
  void pack(int threads) override;
  index use_prefix_cache(const std::string& folder, const context& ctx) override;
  bool fill_prefix_cache(std::span<const features> rows, context& ctx, const prefix_progress& progress,
                         const std::atomic<bool>* stop) override;
  std::optional<evaluation> evaluate(const task& t, std::span<const features> rows, index batch_size, context& ctx,
                                     const std::atomic<bool>* stop, index tokens) const override;
  std::optional<matrix<double>> predict_logits(std::span<const features> rows, index batch_size, context& ctx,
                                               const std::atomic<bool>* stop, index tokens) const override;
  std::vector<std::vector<double>> mixing_weights() const override;
  void save(const std::string& path, const std::map<std::string, std::string>& metadata, bool everything) const override;

 private:
  /// Names of LayerNorms that are saved though they are not trained: those of layers without an adapter, since readers look for all.
  std::set<std::string> extra_saved_norms() const;

  static M make(const encoder_config& c, const model_description& d);

  M model_;
  std::shared_ptr<prefix_cache> cache_;
  std::uint64_t seed_;
};

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/train/tunable_of-inl.hpp"  // IWYU pragma: export
#endif
