#pragma once
// A trained classifier in a few lines: a trunk, what was tuned around it, and texts in, answers out.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "graft/data/featurize.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/description.hpp"
#include "graft/model/loading.hpp"
#include "graft/text/tokenizer.hpp"
#include "graft/train/evaluation.hpp"

namespace graft {

/// Where a trunk lies.
struct trunk_files {
  std::string model_path;      // flat model file, safetensors, PyTorch file, or a folder with one
  std::string config_path;     // config.json; "": the one that the flat model file carries
  std::string tokenizer_path;  // folder; "": none, rows bring their ids
};

/// The config of the trunk F.
/// @throws format_error  as read_encoder_config, model_file_config
inline encoder_config read_trunk_config(const trunk_files& f) {
  if (!f.config_path.empty()) return read_encoder_config(f.config_path);
  return parse_encoder_config(model_file_config(f.model_path), f.model_path);
}

/// F with what is not given looked for beside the model: its Hugging Face config.json, if there is one, and the vocabulary.
inline trunk_files beside_model(trunk_files f) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::is_directory(f.model_path) ? fs::path(f.model_path) : fs::path(f.model_path).parent_path();
  const std::string config = (folder / "config.json").string();
  if (f.config_path.empty() && fs::exists(config) && read_json(config).contains("hidden_size")) f.config_path = config;
  if (f.tokenizer_path.empty()) f.tokenizer_path = folder.string();
  return f;
}

/// One row's answer.
struct answer {
  std::string label;                  // the most probable; for regression the number as text
  double value = 0;                   // its probability; for regression the number
  std::vector<double> probabilities;  // by class id; empty for regression
};

/// @throws config_error  the vocabulary is larger than the trunk's table of word embeddings
inline void check_vocabulary(const tokenizer& t, const encoder_config& c, const std::string& tokenizer_path) {
  if (t.size() <= c.vocab_size) return;
  throw config_error(tokenizer_path + ": the vocabulary has " + std::to_string(t.size()) + " entries, the model only " +
                     std::to_string(c.vocab_size) + ": they do not belong together");
}

/// A trunk with an adapter, a mix, or a tuned model around it, ready to answer.
/// Source: none; the embedding API of graft.   Tested: tests/program/train_test.cpp
class predictor {
 public:
  /// TUNED_PATH is a model.safetensors that graft saved.
  /// @throws format_error  a file is missing or damaged, does not fit the trunk, or was trained on another trunk
  predictor(const trunk_files& files, const std::string& tuned_path)
      : config_(read_trunk_config(files)), description_(parse_description(safetensors_file(tuned_path).metadata(), tuned_path)) {
    const tensor_source trunk = open_model(files.model_path, config_.model_type);
    trunk.expect(trunk_tensors(config_));
    check_trunk(description_, fingerprint(trunk, to_json(config_), trunk_tensors(config_)), tuned_path);
    if (!files.tokenizer_path.empty()) {
      tokenizer_ = tokenizer::from_folder(files.tokenizer_path);
      check_vocabulary(*tokenizer_, config_, files.tokenizer_path);
    }
    model_.emplace(make_model());
    std::visit([&](auto& m) { load_trunk(m, trunk); }, *model_);
    load_tuned(tuned_path);
  }

  const model_description& description() const { return description_; }
  const encoder_config& config() const { return config_; }

  /// The features of ROWS, cut to the length that was trained with.
  std::vector<features> featurize(std::span<const example> rows, int threads = 1) const {
    const index length = std::min(description_.max_seq_length, config_.max_sequence_length());
    if (tokenizer_) return featurize_all(rows, *tokenizer_, length, threads);
    return featurize_all(rows, static_cast<std::int32_t>(config_.vocab_size), length, threads);
  }

  /// Logits (n, C) of ROWS. Safe from several threads, each with its own context.
  matrix<double> logits(std::span<const features> rows, index batch_size, context& ctx) const {
    return std::visit([&](const auto& m) { return *predict_logits(m, rows, batch_size, ctx); }, *model_);
  }

  /// Answers to rows of text (or ready-made ids), in order.
  std::vector<answer> predict(std::span<const example> rows, index batch_size = 8) const {
    context ctx;
    const auto ready = featurize(rows);
    return answers(logits(ready, batch_size, ctx));
  }

  std::vector<answer> answers(const_view<double> logits) const {
    std::vector<answer> all;
    for (index r = 0; r < logits.rows(); ++r) {
      answer a;
      if (description_.output == task_kind::regression) {
        a.value = logits(r, 0);
        a.label = std::to_string(a.value);
      } else {
        matrix<double> p = logits.row(r);
        ops::softmax_row(p.row(0));
        index best = 0;
        a.value = p.row(0).maxCoeff(&best);
        a.label = description_.labels[static_cast<std::size_t>(best)];
        a.probabilities.assign(p.data(), p.data() + p.size());
      }
      all.push_back(std::move(a));
    }
    return all;
  }

 private:
  using any_model = std::variant<plain_classifier<f32>, adapter_classifier<f32>, multi_adapter_classifier<f32>>;

  any_model make_model() const {
    const index classes = description_.num_labels();
    if (description_.kind == "adapter")
      return make_adapter_classifier<f32>(config_, classes, description_.adapter_size, description_.adapter_hidden_act);
    if (description_.kind == "multi_adapter") {
      return make_multi_adapter_classifier<f32>(config_, classes, description_.mix, description_.num_weight_sets);
    }
    return make_plain_classifier<f32>(config_, classes);
  }
  /// Everything that the file of a tuned model holds; what it must hold but does not is an error.
  void load_tuned(const std::string& path) {
    const safetensors_file tuned(path);
    std::visit(
        [&](auto& m) {
          m.for_each_parameter([&](auto& p) {
            const bool tuned_only = p.name.starts_with("classifier.") || p.name.find(".adapter.") != std::string::npos ||
                                    p.name.find(".multi_adapter.") != std::string::npos;
            if (tuned_only) tuned.expect({{p.name, p.shape()}});
          });
          load_by_name(m, tuned);
        },
        *model_);
  }

  encoder_config config_;
  model_description description_;
  std::optional<tokenizer> tokenizer_;
  std::optional<any_model> model_;
};

}  // namespace graft
