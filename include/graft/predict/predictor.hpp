#pragma once
// Trained classifiers in a few lines: one trunk, any number of adapters beside it, and texts in, answers out.

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "graft/data/featurize.hpp"
#include "graft/model/description.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/loading.hpp"
#include "graft/predict/trunk_files.hpp"

namespace graft {

/// One row's answer.
struct answer {
  std::string adapter{};                // which answered
  std::string label{};                  // the most probable; for regression the number as text; "" from the bare trunk
  double value = 0;                     // its probability; for regression the number
  std::vector<double> probabilities{};  // by class id; empty for regression
  std::vector<double> hidden_state{};   // from the bare trunk alone: the first token's, after the last layer (H)
};

/// How texts are cut, and rows computed.
struct predictor_options {
  /// Where sequences are cut, in tokens, special tokens included. Without it: where they were in training if what was tuned says so, else
  /// at the encoder's longest.
  std::optional<index> max_seq_length{};
};

/// A trunk with adapters, mixes or tuned models around it, each under a name, ready to answer. They share one copy of the trunk: each has
/// memory for what it tuned alone. Once all are added, every call is safe from several threads, each with its own context.
/// Source: none; the embedding API of graft.   Tested: tests/predict/predictor_test.cpp
/// P is the number type of products (core/precision.hpp).
template <class P>
class basic_predictor {
 public:
  static constexpr const char* bare_trunk = "none";

  /// The trunk alone, which answers with hidden states until something is added.
  /// @throws format_error  a file is missing or damaged, or does not fit the configuration
  /// @throws config_error  OPTIONS ask for longer sequences than the encoder takes, or for none
  explicit basic_predictor(const trunk_files& files, const predictor_options& options = {});

  /// The trunk with one tuned part.
  basic_predictor(const trunk_files& files, const std::string& tuned_path, const predictor_options& options = {});

  /// Loads the tuned part at PATH, whatever open_tuned reads, and calls it NAME. The first one answers where a row names none.
  /// @throws format_error  it does not fit the trunk, was trained around another one, or has no head to answer with
  /// @throws config_error  NAME is taken, empty or "none"
  void add(const std::string& name, const std::string& path);

  std::vector<std::string> names() const;
  const encoder_config& config() const { return config_; }
  /// Where the sequences that NAME answers are cut.
  /// @throws config_error  there is no adapter of that name
  index max_seq_length(const std::string& name) const;
  /// What the user should know of the encoder, the vocabulary and how what was tuned was read: a line each.
  std::vector<std::string> notes() const;
  /// What NAME is; "" means the first.
  /// @throws config_error  there is no adapter of that name
  const model_description& description(const std::string& name = "") const;

  /// Answers to rows of text (or ready-made ids), in order, each by the adapter that it names; those that name none by the first adapter.
  /// @throws row_error  a row that cannot be read, names an adapter that is not there (the message lists those that are), or whose answer
  /// is
  ///                    no finite number
  std::vector<answer> predict(std::span<const example> rows, index batch_size, context& ctx) const;
  std::vector<answer> predict(std::span<const example> rows, index batch_size = 8) const;

 private:
  basic_predictor(const trunk_files& files, const predictor_options& options, const encoder_config& config);
  /// What CONFIG promises is compared with the tensors before anything is as large as it says.
  basic_predictor(const trunk_files& files, const predictor_options& options, const encoder_config& config, const tensor_source& stored);

  using any_model = std::variant<plain_classifier<P>, adapter_classifier<P>, multi_adapter_classifier<P>>;
  struct tuned_part {
    std::string name;
    model_description description;
    any_model model;
  };

  const tuned_part* find(const std::string& name) const;
  std::string unknown(const std::string& name) const;
  const tuned_part& require(const std::string& name) const;

  any_model make_model(const model_description& d) const;

  /// What TUNED holds goes into MODEL's own memory; what it does not hold is the trunk's, or missing.
  template <class M>
  void load(M& model, const tensor_source& tuned) {
    std::map<std::string, const parameter<typename P::real>*> trunk;
    trunk_.for_each_parameter([&](auto& p) { trunk[p.name] = &p; });
    model.for_each_parameter([&](auto& p) {
      const auto shared = trunk_name(p.name, config_.model_type);
      if (shared && !tuned.contains(p.name)) {
        p.share(*trunk.at(*shared));
        return;
      }
      tuned.expect({{p.name, p.shape()}});
      tuned.read(p.name, std::span(p.edit().data(), static_cast<std::size_t>(p.size())));
    });
    pack_frozen(model, false, omp_get_max_threads());
  }

  /// The features of those ROWS that stand in PLACES, cut to the length of NAME.
  std::vector<features> featurize(std::span<const example> rows, const std::vector<std::size_t>& places, const std::string& name,
                                  int threads) const;
  /// F(), which counts the rows that stand in PLACES from 0.
  template <class F>
  static auto at_their_rows(const std::vector<std::size_t>& places, F&& f) {
    try {
      return f();
    } catch (const row_error& failure) {
      throw row_error(static_cast<index>(places[static_cast<std::size_t>(failure.row())]), failure.reason());
    }
  }

  std::vector<answer> hidden_states(std::span<const features> rows, index batch_size, context& ctx) const;

  std::vector<answer> answers_of(const tuned_part& part, std::span<const features> rows, index batch_size, context& ctx) const;

  encoder_config config_;
  predictor_options options_;
  std::string fingerprint_;
  std::vector<std::string> notes_;
  bool lacks_pooler_ = false;
  std::optional<tokenizer> tokenizer_;
  plain_classifier<P> trunk_;
  std::deque<tuned_part> tuned_;  // references from `description` stay good while more are added
};

/// The predictor that most programs want.
using predictor = basic_predictor<f32>;

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/predict/predictor-inl.hpp"  // IWYU pragma: export
#endif
