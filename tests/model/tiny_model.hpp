#pragma once
// Whole models in f64 behind one interface, so that the expensive templates are compiled once for all tests of this room.

#include <memory>
#include <string>
#include <vector>

#include "graft/core/gradients.hpp"
#include "graft/model/lora.hpp"
#include "graft/model/prefix.hpp"

namespace graft_test {

class tiny_model {
 public:
  virtual ~tiny_model() = default;

  virtual graft::matrix<double> logits(const graft::batch& b, graft::context& ctx) const = 0;
  /// Cross entropy, or the squared error when the model has one output.
  virtual double loss(const graft::batch& b, graft::context& ctx) const = 0;
  /// The same; adds gradients, through the same trace at every call.
  virtual double learn(const graft::batch& b, graft::context& ctx) = 0;

  virtual std::vector<graft::parameter<double>*> parameters() = 0;
  /// graft::cut_into_segments
  virtual std::vector<graft::gradient_segment> segments(graft::index least) = 0;
  /// Numbers that the last `learn` kept: in the trunk, and in all.
  virtual graft::index trunk_numbers() const = 0;
  virtual graft::index all_numbers() const = 0;
  /// graft::training_bytes
  virtual std::int64_t training_bytes(graft::index rows, graft::index sequence, int threads, bool keeps_best) const = 0;

  /// Those that are trained.
  std::vector<graft::parameter<double>*> trained() {
    std::vector<graft::parameter<double>*> all;
    for (auto* p : parameters()) {
      if (p->is_trained()) all.push_back(p);
    }
    return all;
  }
};

/// Two layers of width 6, RoBERTa's unless changed; both dropouts P.
graft::encoder_config tiny_config(double p = 0, graft::index layers = 2);

/// The same for BERT, with two segments.
graft::encoder_config tiny_bert(double p = 0);

/// Sequences of the given lengths, ids and labels seeded; SEGMENTS: the second half of each is segment 1.
graft::batch tiny_batch(const std::vector<graft::index>& lengths, std::uint64_t seed = 1, bool segments = false);

/// Two adapters of different sizes and activations, and what O says besides.
graft::multi_adapter_options tiny_mix(bool base, bool flex, graft::mixing_mode mode = graft::mixing_mode::softmax, bool optimized = true);

/// Models with random parameters, set to train what the run trains.
std::unique_ptr<tiny_model> make_tiny_plain(const graft::encoder_config& c, bool whole, graft::index classes = 3);
std::unique_ptr<tiny_model> make_tiny_single(const graft::encoder_config& c, graft::index classes = 3, const std::string& kind = "houlsby",
                                             bool layer_norms = true, const std::string& settings = "",
                                             const std::vector<graft::index>& leave_out = {}, double dropout = 0);
std::unique_ptr<tiny_model> make_tiny_lora(const graft::encoder_config& c, const graft::lora_options& o);
std::unique_ptr<tiny_model> make_tiny_prefix(const graft::encoder_config& c, const graft::prefix_options& o);
std::unique_ptr<tiny_model> make_tiny_multi(const graft::encoder_config& c, const graft::multi_adapter_options& o,
                                            graft::multi_adapter_ft_mode mode, graft::index weight_sets = 1, graft::index classes = 3);

}  // namespace graft_test
