#pragma once
// Trained classifiers in a few lines: one trunk, any number of adapters beside it, and texts in, answers out.

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "graft/core/number_text.hpp"
#include "graft/data/featurize.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/lora.hpp"
#include "graft/predict/trunk_files.hpp"
#include "graft/train/evaluation.hpp"

namespace graft {

/// One row's answer.
struct answer {
  std::string adapter{};                // which answered
  std::string label{};                  // the most probable; for regression the number as text; "" from the bare trunk
  double value = 0;                     // its probability; for regression the number
  std::vector<double> probabilities{};  // by class id; empty for regression
  std::vector<double> hidden_state{};   // from the bare trunk alone: the first token's, after the last layer (H)
};

struct predictor_options {
  /// Where sequences are cut, in tokens, special tokens included. Without it: where they were in training if what was tuned says so, else at the
  /// encoder's longest.
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
  explicit basic_predictor(const trunk_files& files, const predictor_options& options = {})
      : basic_predictor(files, options, read_trunk_config(files)) {}

  /// The trunk with one tuned part.
  basic_predictor(const trunk_files& files, const std::string& tuned_path, const predictor_options& options = {})
      : basic_predictor(files, options) {
    add("tuned", tuned_path);
  }

  /// Loads the tuned part at PATH, whatever open_tuned reads, and calls it NAME. The first one answers where a row names none.
  /// @throws format_error  it does not fit the trunk, was trained around another one, or has no head to answer with
  /// @throws config_error  NAME is taken, empty or "none"
  void add(const std::string& name, const std::string& path) {
    if (name.empty() || name == bare_trunk || find(name) != nullptr) {
      throw config_error("\"" + name +
                         "\" cannot name an adapter: " + (find(name) != nullptr ? "it is taken" : "it has a meaning of its own"));
    }
    const adapter_file file = open_tuned(path, config_);
    check_trunk(file.description, fingerprint_, path);
    trunk_.for_each_parameter([&](const auto& p) {
      check_of_trunk(file, [&](const std::string& part) { return part != p.name || detail::holds_values(file.of_trunk, part, p); });
    });
    if (!file.has_head()) throw format_error(path, "has no head: it can stand in a mix, but cannot answer");
    if (lacks_pooler_ && !brings_pooler(file.tensors)) {
      throw format_error(path, "brings no pooler (bert.pooler.dense.*), and neither does the encoder: it cannot answer around this one");
    }
    tuned_part part{name, file.description, make_model(file.description)};
    std::visit([&](auto& model) { load(model, file.tensors); }, part.model);
    tuned_.push_back(std::move(part));
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const tuned_part& part : tuned_) all.push_back(part.name);
    return all;
  }
  const encoder_config& config() const { return config_; }
  /// Where the sequences that NAME answers are cut.
  /// @throws config_error  there is no adapter of that name
  index max_seq_length(const std::string& name) const {
    const index longest = config_.max_sequence_length();
    if (options_.max_seq_length) return *options_.max_seq_length;
    return name == bare_trunk ? longest : std::min(require(name).description.max_seq_length.value_or(longest), longest);
  }
  /// What the user should know of the encoder and the vocabulary: a line each.
  std::vector<std::string> notes() const {
    auto all = trunk_notes_;
    if (tokenizer_) all.insert(all.end(), tokenizer_->notes().begin(), tokenizer_->notes().end());
    return all;
  }
  /// What NAME is; "" means the first.
  /// @throws config_error  there is no adapter of that name
  const model_description& description(const std::string& name = "") const { return require(name).description; }

  /// Answers to rows of text (or ready-made ids), in order, each by the adapter that it names; those that name none by the first adapter.
  /// @throws row_error  a row that cannot be read, names an adapter that is not there (the message lists those that are), or whose answer
  /// is
  ///                    no finite number
  std::vector<answer> predict(std::span<const example> rows, index batch_size, context& ctx) const {
    std::map<std::string, std::vector<std::size_t>> rows_of;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string name = !rows[i].adapter.empty() ? rows[i].adapter : tuned_.empty() ? bare_trunk : tuned_.front().name;
      if (name != bare_trunk && find(name) == nullptr) throw row_error(static_cast<index>(i), unknown(name));
      rows_of[name].push_back(i);
    }
    std::vector<answer> answers(rows.size());
    for (const auto& [name, places] : rows_of) {
      const auto ready = featurize(rows, places, name, ctx.threads);
      const tuned_part* part = name == bare_trunk ? nullptr : &require(name);
      auto own = at_their_rows(
          places, [&] { return part == nullptr ? hidden_states(ready, batch_size, ctx) : answers_of(*part, ready, batch_size, ctx); });
      for (std::size_t i = 0; i < places.size(); ++i) {
        own[i].adapter = name;
        answers[places[i]] = std::move(own[i]);
      }
    }
    return answers;
  }
  std::vector<answer> predict(std::span<const example> rows, index batch_size = 8) const {
    context ctx;
    return predict(rows, batch_size, ctx);
  }

 private:
  basic_predictor(const trunk_files& files, const predictor_options& options, const encoder_config& config)
      : basic_predictor(files, options, config, open_model(files.model_path, config.model_type)) {}
  /// What CONFIG promises is compared with the tensors before anything is as large as it says.
  basic_predictor(const trunk_files& files, const predictor_options& options, const encoder_config& config, const tensor_source& stored)
      : config_(config),
        options_(options),
        fingerprint_(fingerprint(stored, to_json(config), trunk_tensors(config, stored))),
        trunk_(make_plain_classifier<P>(config, 1)) {
    if (options.max_seq_length && (*options.max_seq_length < 1 || *options.max_seq_length > config.max_sequence_length())) {
      throw config_error("max_seq_length is " + std::to_string(*options.max_seq_length) + ", the encoder takes sequences of at most " +
                         std::to_string(config.max_sequence_length()) + " tokens");
    }
    trunk_notes_ = trunk_notes(config, stored);
    lacks_pooler_ = trunk_.head.pretrained_dense() && !brings_pooler(stored);
    if (!files.tokenizer_path.empty()) tokenizer_ = read_vocabulary(files.tokenizer_path, config_);
    load_trunk(trunk_, stored);
    pack_frozen(trunk_, false, omp_get_max_threads());
  }

  using any_model = std::variant<plain_classifier<P>, adapter_classifier<P>, multi_adapter_classifier<P>>;
  struct tuned_part {
    std::string name;
    model_description description;
    any_model model;
  };

  const tuned_part* find(const std::string& name) const {
    const auto found = std::find_if(tuned_.begin(), tuned_.end(), [&](const tuned_part& part) { return part.name == name; });
    return found == tuned_.end() ? nullptr : &*found;
  }
  std::string unknown(const std::string& name) const {
    std::string known;
    for (const tuned_part& part : tuned_) known += part.name + ", ";
    return "there is no adapter \"" + name + "\"; known: " + known + bare_trunk;
  }
  const tuned_part& require(const std::string& name) const {
    const tuned_part* part = name.empty() && !tuned_.empty() ? &tuned_.front() : find(name);
    if (part == nullptr) throw config_error(unknown(name));
    return *part;
  }

  any_model make_model(const model_description& d) const {
    const index classes = d.num_labels();
    if (d.kind == "adapter") return make_adapter_classifier<P>(config_, classes, d.adapter_size, d.adapter_hidden_act, d.placement);
    if (d.kind == "multi_adapter") return make_multi_adapter_classifier<P>(config_, classes, d.mix, d.num_weight_sets);
    auto model = make_plain_classifier<P>(config_, classes);
    if (d.kind == "lora") add_lora(model, d.lora);
    return model;
  }

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
                                  int threads) const {
    std::vector<example> chosen;
    for (const std::size_t place : places) chosen.push_back(rows[place]);
    const index length = max_seq_length(name);
    return at_their_rows(places, [&] {
      if (tokenizer_) return featurize_all(chosen, *tokenizer_, length, threads);
      return featurize_all(chosen, known_ids_of(config_), length, threads);
    });
  }
  /// F(), which counts the rows that stand in PLACES from 0.
  template <class F>
  static auto at_their_rows(const std::vector<std::size_t>& places, F&& f) {
    try {
      return f();
    } catch (const row_error& failure) {
      throw row_error(static_cast<index>(places[static_cast<std::size_t>(failure.row())]), failure.reason());
    }
  }

  std::vector<answer> hidden_states(std::span<const features> rows, index batch_size, context& ctx) const {
    std::vector<answer> all;
    matrix<typename P::real> h;
    batch b;
    for (std::size_t first = 0, next = 0; first < rows.size(); first = next) {
      next = b.fill(rows, first, batch_size, usual_tokens_at_once);
      h.resize(b.size(), config_.hidden_size);
      trunk_.trunk.forward(b, h, nullptr, ctx, rows_of::sequences);
      for (index i = 0; i < b.size(); ++i) {
        const auto state = h.row(i);
        if (!state.allFinite()) throw row_error(static_cast<index>(first) + i, "the encoder's answer is no finite number");
        all.emplace_back().hidden_state.assign(state.begin(), state.end());
      }
    }
    return all;
  }

  std::vector<answer> answers_of(const tuned_part& part, std::span<const features> rows, index batch_size, context& ctx) const {
    const matrix<double> logits = std::visit([&](const auto& model) { return *predict_logits(model, rows, batch_size, ctx); }, part.model);
    require_finite(logits);
    std::vector<answer> all;
    for (index r = 0; r < logits.rows(); ++r) {
      answer a;
      if (part.description.output == task_kind::regression) {
        a.value = logits(r, 0);
        a.label = fixed_text(a.value, 6);
      } else {
        matrix<double> p = logits.row(r);
        ops::softmax_row(p.row(0));
        index best = 0;
        a.value = p.row(0).maxCoeff(&best);
        a.label = part.description.labels[static_cast<std::size_t>(best)];
        a.probabilities.assign(p.data(), p.data() + p.size());
      }
      all.push_back(std::move(a));
    }
    return all;
  }

  encoder_config config_;
  predictor_options options_;
  std::string fingerprint_;
  std::vector<std::string> trunk_notes_;
  bool lacks_pooler_ = false;
  std::optional<tokenizer> tokenizer_;
  plain_classifier<P> trunk_;
  std::deque<tuned_part> tuned_;  // references from `description` stay good while more are added
};

using predictor = basic_predictor<f32>;

}  // namespace graft
