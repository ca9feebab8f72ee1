#pragma once
// Bodies of graft/predict/predictor.hpp.

#include <algorithm>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/number_text.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/lora.hpp"
#include "graft/ops/softmax.hpp"
#include "graft/predict/predictor.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/train/evaluation.hpp"

namespace graft {

template <class P>
basic_predictor<P>::basic_predictor(const trunk_files& files, const predictor_options& options)
    : basic_predictor(files, options, read_trunk_config(files)) {}

template <class P>
basic_predictor<P>::basic_predictor(const trunk_files& files, const std::string& tuned_path, const predictor_options& options)
    : basic_predictor(files, options) {
  add("tuned", tuned_path);
}

template <class P>
void basic_predictor<P>::add(const std::string& name, const std::string& path) {
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
  notes_.insert(notes_.end(), file.notes.begin(), file.notes.end());
}

template <class P>
std::vector<std::string> basic_predictor<P>::names() const {
  std::vector<std::string> all;
  for (const tuned_part& part : tuned_) all.push_back(part.name);
  return all;
}

template <class P>
index basic_predictor<P>::max_seq_length(const std::string& name) const {
  const index longest = config_.max_sequence_length();
  if (options_.max_seq_length) return *options_.max_seq_length;
  return name == bare_trunk ? longest : std::min(require(name).description.max_seq_length.value_or(longest), longest);
}

template <class P>
std::vector<std::string> basic_predictor<P>::notes() const {
  auto all = notes_;
  if (tokenizer_) all.insert(all.end(), tokenizer_->notes().begin(), tokenizer_->notes().end());
  return all;
}

template <class P>
const model_description& basic_predictor<P>::description(const std::string& name) const {
  return require(name).description;
}

template <class P>
std::vector<answer> basic_predictor<P>::predict(std::span<const example> rows, index batch_size, context& ctx) const {
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

template <class P>
std::vector<answer> basic_predictor<P>::predict(std::span<const example> rows, index batch_size) const {
  context ctx;
  return predict(rows, batch_size, ctx);
}

template <class P>
basic_predictor<P>::basic_predictor(const trunk_files& files, const predictor_options& options, const encoder_config& config)
    : basic_predictor(files, options, config, open_model(files.model_path, config.model_type)) {}

template <class P>
basic_predictor<P>::basic_predictor(const trunk_files& files, const predictor_options& options, const encoder_config& config,
                                    const tensor_source& stored)
    : config_(config),
      options_(options),
      fingerprint_(fingerprint(stored, to_json(config), trunk_tensors(config, stored))),
      trunk_(make_plain_classifier<P>(config, 1)) {
  if (options.max_seq_length && (*options.max_seq_length < 1 || *options.max_seq_length > config.max_sequence_length())) {
    throw config_error("max_seq_length is " + std::to_string(*options.max_seq_length) + ", the encoder takes sequences of at most " +
                       std::to_string(config.max_sequence_length()) + " tokens");
  }
  notes_ = trunk_notes(config, stored);
  lacks_pooler_ = trunk_.head.pretrained_dense() && !brings_pooler(stored);
  if (!files.tokenizer_path.empty()) tokenizer_ = read_vocabulary(files.tokenizer_path, config_);
  load_trunk(trunk_, stored);
  pack_frozen(trunk_, false, omp_get_max_threads());
}

template <class P>
auto basic_predictor<P>::find(const std::string& name) const -> const tuned_part* {
  const auto found = std::find_if(tuned_.begin(), tuned_.end(), [&](const tuned_part& part) { return part.name == name; });
  return found == tuned_.end() ? nullptr : &*found;
}

template <class P>
std::string basic_predictor<P>::unknown(const std::string& name) const {
  std::string known;
  for (const tuned_part& part : tuned_) known += part.name + ", ";
  return "there is no adapter \"" + name + "\"; known: " + known + bare_trunk;
}

template <class P>
auto basic_predictor<P>::require(const std::string& name) const -> const tuned_part& {
  const tuned_part* part = name.empty() && !tuned_.empty() ? &tuned_.front() : find(name);
  if (part == nullptr) throw config_error(unknown(name));
  return *part;
}

template <class P>
auto basic_predictor<P>::make_model(const model_description& d) const -> any_model {
  const index classes = d.num_labels();
  if (d.kind == "adapter") return make_adapter_classifier<P>(config_, classes, d.adapter_size, d.adapter_hidden_act, d.placement);
  if (d.kind == "multi_adapter") return make_multi_adapter_classifier<P>(config_, classes, d.mix, d.num_weight_sets);
  auto model = make_plain_classifier<P>(config_, classes);
  if (d.kind == "lora") add_lora(model, d.lora);
  return model;
}

template <class P>
std::vector<features> basic_predictor<P>::featurize(std::span<const example> rows, const std::vector<std::size_t>& places,
                                                    const std::string& name, int threads) const {
  std::vector<example> chosen;
  for (const std::size_t place : places) chosen.push_back(rows[place]);
  const index length = max_seq_length(name);
  return at_their_rows(places, [&] {
    if (tokenizer_) return featurize_all(chosen, *tokenizer_, length, threads);
    return featurize_all(chosen, known_ids_of(config_), length, threads);
  });
}

template <class P>
std::vector<answer> basic_predictor<P>::hidden_states(std::span<const features> rows, index batch_size, context& ctx) const {
  std::vector<answer> all(rows.size());
  for_each_batch(rows, batch_size, usual_tokens_at_once, ctx, nullptr, [&](const batch& b, index first, context& own) {
    matrix<typename P::real> h(b.size(), config_.hidden_size);
    trunk_.trunk.forward(b, h, nullptr, own, rows_of::sequences);
    for (index i = 0; i < b.size(); ++i) {
      const auto state = h.row(i);
      if (!state.allFinite()) throw row_error(first + i, "the encoder's answer is no finite number");
      all[static_cast<std::size_t>(first + i)].hidden_state.assign(state.begin(), state.end());
    }
  });
  return all;
}

template <class P>
std::vector<answer> basic_predictor<P>::answers_of(const tuned_part& part, std::span<const features> rows, index batch_size,
                                                   context& ctx) const {
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

}  // namespace graft
