#pragma once
// Bodies of graft/predict/predictor.hpp, and what of graft/predict/predictor_of.hpp does not depend on the precision.

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/text_list.hpp"
#include "graft/core/threads.hpp"
#include "graft/core/utf8.hpp"
#include "graft/core/workers.hpp"
#include "graft/data/data_set.hpp"
#include "graft/data/tags.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/exchange/checkpoint.hpp"
#include "graft/exchange/merge_adapter.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/choose_precision.hpp"
#include "graft/ops/softmax.hpp"
#include "graft/predict/predictor.hpp"
#include "graft/predict/predictor_of.hpp"
#include "graft/text/utf8.hpp"
#include "graft/train/evaluation.hpp"

namespace graft::detail {

GRAFT_INLINE predictor_base::predictor_base(const predictor_options& o, const encoder_config& c, const tensor_source& stored)
    : config(c),
      max_seq_length(o.max_seq_length),
      encoder_path(stored.path()),
      encoder_fingerprint(fingerprint(stored, to_json(c), trunk_tensors(c, stored))) {
  if (o.max_seq_length && (*o.max_seq_length < 1 || *o.max_seq_length > c.max_sequence_length())) {
    throw config_error("max_seq_length is " + std::to_string(*o.max_seq_length) + ", the encoder takes sequences of at most " +
                       std::to_string(c.max_sequence_length()) + " tokens");
  }
  notes = trunk_notes(c, stored);
}

GRAFT_INLINE void predictor_base::take_own_head(const trunk_files& files, const tensor_source& stored) {
  try {
    model_head = read_own_head(stored, files, config);
  } catch (const format_error&) {  // it has none, or one of another kind: what is added may bring its own
    return;
  }
  add_model(model_head->description, model_head->tensors);
  parts.push_back({predictor::model_head, model_head->description});
}

GRAFT_INLINE void predictor_base::add(const std::string& name, const std::string& path) {
  if (name.empty() || name == predictor::bare_trunk || find(name) != nullptr) {
    throw config_error("\"" + name +
                       "\" cannot name an adapter: " + (find(name) != nullptr ? "it is taken" : "it has a meaning of its own"));
  }
  adapter_file file = open_tuned(path, config);
  check_trunk(file.description, encoder_fingerprint, path);
  check_encoder(file);
  if (model_head) file = with_own_head(std::move(file), *model_head);
  if (!file.has_head() && !embedding) throw format_error(path, "has no head: it can stand in a mix, but cannot answer");
  const head_names names(config);
  const bool brings_pooler = file.tensors.contains(names.dense + ".weight");
  if (lacks_pooler && !embedding && file.description.head.dense_layers > 0 && !brings_pooler) {
    throw format_error(path, "brings no pooler (" + name_in_files(family_of(config.model_type), names.dense) +
                                 ".*), and neither does the encoder: it cannot answer around this one");
  }
  const adapter_file computed = needs_merging(file.description) ? merged_tensors(encoder_tensors(), file) : file;
  add_model(computed.description, computed.tensors);
  parts.push_back({name, file.description});
  notes.insert(notes.end(), file.notes.begin(), file.notes.end());
}

GRAFT_INLINE index predictor_base::length_of(const part* tuned) const {
  const index longest = config.max_sequence_length();
  if (max_seq_length) return *max_seq_length;
  return tuned == nullptr ? longest : std::min(tuned->description.max_seq_length.value_or(longest), longest);
}

GRAFT_INLINE auto predictor_base::find(const std::string& name) const -> const part* {
  const auto found = std::find_if(parts.begin(), parts.end(), [&](const part& one) { return one.name == name; });
  return found == parts.end() ? nullptr : &*found;
}

GRAFT_INLINE auto predictor_base::usual() const -> const part* {
  if (parts.empty()) return nullptr;
  return &parts[model_head && parts.size() > 1 ? 1 : 0];
}

GRAFT_INLINE std::string predictor_base::unknown(const std::string& name) const {
  std::string known;
  for (std::size_t i = model_head ? 1 : 0; i < parts.size(); ++i) known += parts[i].name + ", ";
  if (model_head) known += std::string(predictor::model_head) + ", ";
  return "there is no adapter \"" + name + "\"; known: " + known + predictor::bare_trunk;
}

/// NAME, that of a part or of the bare encoder, in a sentence.
GRAFT_INLINE std::string display_name(const std::string& name) {
  if (name == predictor::bare_trunk) return "the bare encoder";
  return name == predictor::model_head ? "the model's own head" : "the adapter \"" + name + "\"";
}

GRAFT_INLINE auto predictor_base::require(const std::string& name) const -> const part& {
  const part* one = name.empty() ? usual() : find(name);
  if (one == nullptr) throw config_error(unknown(name));
  return *one;
}

/// The tags of A, an answer of a model that D describes to the words at WORD_SPANS of ROW, and what they mark.
GRAFT_INLINE void add_tags(answer& a, const model_description& d, const example& row, std::span<const text_span> word_spans) {
  const auto classes = d.labels.size();
  std::vector<std::string> tags;
  std::vector<double> scores;
  for (std::size_t k = 0; k < word_spans.size(); ++k) {
    matrix<double> p(1, static_cast<index>(classes));
    std::copy_n(a.logits.data() + k * classes, classes, p.data());
    ops::softmax_row(p.row(0));
    index best = 0;
    scores.push_back(p.row(0).maxCoeff(&best));
    tags.push_back(d.labels[static_cast<std::size_t>(best)]);
  }
  const code_points text(row.text_a);  // of words: none
  const auto space_at = [&](index i) { return is_white_space(text.values[static_cast<std::size_t>(i)]); };
  for (const tagged_entity& one : marked_by(tags, marks_entities(d.labels))) {
    tagged_span span{one.type, word_spans[static_cast<std::size_t>(one.begin)].begin,
                     word_spans[static_cast<std::size_t>(one.end - 1)].end};
    for (index k = one.begin; k < one.end; ++k)
      span.score += scores[static_cast<std::size_t>(k)] / static_cast<double>(one.end - one.begin);
    if (row.words.empty()) {
      while (span.begin < span.end && space_at(span.begin)) ++span.begin;  // that a token begins with
      while (span.begin < span.end && space_at(span.end - 1)) --span.end;
      if (span.begin == span.end) continue;
      span.text = text.part({static_cast<std::int32_t>(span.begin), static_cast<std::int32_t>(span.end)});
    } else {
      for (index w = span.begin; w < span.end; ++w) span.text += (w > span.begin ? " " : "") + row.words[static_cast<std::size_t>(w)];
    }
    a.spans.push_back(std::move(span));
  }
  if (row.words.empty()) {
    a.tags = std::move(tags);
    a.words.assign(word_spans.begin(), word_spans.end());
  } else {
    a.tags.resize(row.words.size());
    for (std::size_t k = 0; k < word_spans.size(); ++k) a.tags[static_cast<std::size_t>(word_spans[k].begin)] = std::move(tags[k]);
  }
}

/// Whether a model sees the same in both.
inline bool same_content(const features& a, const features& b) {
  return a.input_ids == b.input_ids && a.token_type_ids == b.token_type_ids && a.words == b.words && a.answering == b.answering;
}

/// Longer ones first, then those of one content side by side.
inline bool goes_before(const features& a, const features& b) {
  if (a.input_ids.size() != b.input_ids.size()) return a.input_ids.size() > b.input_ids.size();
  if (a.input_ids != b.input_ids) return a.input_ids < b.input_ids;
  if (a.token_type_ids != b.token_type_ids) return a.token_type_ids < b.token_type_ids;
  return a.words != b.words ? a.words : a.answering < b.answering;
}

/// Where rows of these COSTS begin a batch when none, but of one row, costs more than MOST.
inline std::vector<std::size_t> batch_starts(std::span<const index> costs, std::span<const std::size_t> kinds, index batch_size,
                                             index most) {
  std::vector<std::size_t> starts;
  index sum = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const bool joins = i > 0 && kinds[i] == kinds[i - 1] && static_cast<index>(i - starts.back()) < batch_size && sum + costs[i] <= most;
    if (!joins) starts.push_back(i);
    sum = joins ? sum + costs[i] : costs[i];
  }
  return starts;
}

GRAFT_INLINE std::vector<row_range> batches_by_cost(std::span<const index> tokens, std::span<const std::size_t> kinds, index batch_size,
                                                    int threads) {
  std::vector<index> costs(tokens.size());
  std::transform(tokens.begin(), tokens.end(), costs.begin(), sequence_cost);
  index least = 0, most = usual_micro_batch_tokens * 9 / 8;
  std::vector<std::size_t> starts = batch_starts(costs, kinds, batch_size, most);
  const index fewest = std::ssize(starts), count = fewest < threads ? fewest : (fewest + threads - 1) / threads * threads;
  while (most - least > 1) {  // the least that a batch may cost, so that they are even
    const index between = (least + most) / 2;
    std::vector<std::size_t> finer = batch_starts(costs, kinds, batch_size, between);
    (std::ssize(finer) <= count ? most : least) = between;
    if (most == between) starts = std::move(finer);
  }
  std::vector<row_range> cut;
  std::vector<index> sums, order;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    cut.push_back({starts[i], i + 1 < starts.size() ? starts[i + 1] : costs.size()});
    sums.push_back(std::accumulate(costs.begin() + static_cast<std::ptrdiff_t>(cut[i].begin),
                                   costs.begin() + static_cast<std::ptrdiff_t>(cut[i].end), index{0}));
  }
  largest_first(sums, std::ssize(sums), order);
  std::vector<row_range> batches;
  batches.reserve(order.size());
  for (const index i : order) batches.push_back(cut[static_cast<std::size_t>(i)]);
  return batches;
}

GRAFT_INLINE std::vector<answer> predictor_base::predict_each(std::span<const example> rows, index batch_size, int threads,
                                                              stop_flag stop) const {
  std::vector<answer> answers(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const part* one = usual();
    answer& a = answers[i];
    a.adapter = !rows[i].adapter.empty() ? rows[i].adapter : one == nullptr ? predictor::bare_trunk : one->name;
    a.line = rows[i].line;
    a.error = rows[i].error;
    if (a.error.empty() && a.adapter != predictor::bare_trunk && find(a.adapter) == nullptr) a.error = unknown(a.adapter);
  }
  std::unique_ptr<context> ctx;
  if (const std::scoped_lock lock(free_mutex_); !free_.empty()) {
    ctx = std::move(free_.back());
    free_.pop_back();
  }
  if (!ctx) ctx = std::make_unique<context>();
  ctx->threads = usable_threads(threads);

  std::vector<features> ready = featurize(rows, answers, ctx->threads);
  std::vector<std::vector<text_span>> word_spans;  // of words: two texts of the same tokens may have them elsewhere
  std::vector<std::int32_t> cuts;
  for (features& one : ready) {
    word_spans.push_back(std::move(one.word_spans));
    cuts.push_back(one.cut_at);
  }
  std::vector<std::size_t> by(rows.size());  // who is asked: 0 is the bare encoder, k part k - 1
  std::vector<std::size_t> order;            // the rows that can be answered
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!answers[i].error.empty()) continue;
    const auto found = std::find_if(parts.begin(), parts.end(), [&](const part& one) { return one.name == answers[i].adapter; });
    if (found != parts.end()) by[i] = 1 + static_cast<std::size_t>(found - parts.begin());
    order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return goes_before(ready[a], ready[b]) || (by[a] < by[b] && !goes_before(ready[b], ready[a]));
  });
  std::vector<features> contents;  // that differ
  std::vector<asked_row> asked;    // of whom, each once
  std::vector<std::size_t> which;  // of that each row is
  for (const std::size_t i : order) {
    const bool known = !contents.empty() && same_content(contents.back(), ready[i]);
    if (!known) contents.push_back(std::move(ready[i]));
    if (!known || asked.back().by != by[i]) asked.push_back({contents.size() - 1, by[i]});
    which.push_back(asked.size() - 1);
  }
  const auto all = outputs(contents, asked, batch_size > 0 ? batch_size : std::ssize(asked), *ctx, stop);
  if (stop != nullptr && stop->load()) {
    answers.clear();
    order.clear();
  }
  std::vector<answer> said(order.empty() ? 0 : asked.size());
#pragma omp parallel for schedule(static) num_threads(ctx->threads) if (embedding)
  for (std::size_t i = 0; i < said.size(); ++i) said[i] = answer_of(asked[i].by, all[i]);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t row = order[i];
    answer& a = answers[row];
    answer given = said[which[i]];
    given.adapter = std::move(a.adapter);
    given.line = a.line;
    a = std::move(given);
    if (contents[asked[which[i]].content].words && a.error.empty()) add_tags(a, parts[by[row] - 1].description, rows[row], word_spans[row]);
    if (cuts[row] >= 0 && a.error.empty()) a.cut_at = cuts[row];
  }
  const std::scoped_lock lock(free_mutex_);
  free_.push_back(std::move(ctx));
  return answers;
}

GRAFT_INLINE std::vector<features> predictor_base::featurize(std::span<const example> rows, std::vector<answer>& answers,
                                                             int threads) const {
  const known_ids known = known_ids_of(config);
  const bool several = parts.size() > (model_head ? 2 : 1);
  std::vector<features> ready(rows.size());
  for_each_item(std::ssize(rows), threads, [&](index row) {
    const auto i = static_cast<std::size_t>(row);
    if (!answers[i].error.empty()) return;
    try {
      const part* const tuned = find(answers[i].adapter);  // null: the bare encoder
      const bool one_separator = tuned == nullptr || tuned->description.one_separator;
      const index length = length_of(tuned);
      const bool words = tuned != nullptr && tuned->description.head.tokens && !embedding;
      if (!rows[i].words.empty() && !words) throw config_error("has \"tokens\", words, and who answers it takes texts");
      if (words) {
        if (!texts) throw config_error("is text, for which there is no vocabulary");
        ready[i] = featurize_words(rows[i], *texts, length, tuned->description.as_trained);
      } else if (embedding && texts) {
        ready[i] = embedding->featurize(rows[i], *texts, length, one_separator);
      } else {
        ready[i] = texts ? graft::featurize(rows[i], *texts, length, one_separator) : graft::featurize(rows[i], known, length);
      }
    } catch (const error& refused) {
      answers[i].error = refused.what() + (several ? "; asked was " + display_name(answers[i].adapter) : "");
    }
  });
  return ready;
}

/// What LOGITS say, of a model that D describes.
GRAFT_INLINE answer answer_from_logits(const model_description& d, matrix<double> logits) {
  answer a;
  const bool regression = d.output == task_kind::regression;
  a.logits.assign(logits.data(), logits.data() + logits.size());
  if (d.sigmoid) logits = (1 + (-logits.array()).exp()).inverse();
  if (!regression && !d.sigmoid) ops::softmax_row(logits.row(0));
  std::vector<double>& numbers = regression ? a.numbers : a.probabilities;
  numbers.assign(logits.data(), logits.data() + logits.size());
  index best = 0;
  a.score = regression ? numbers[0] : logits.row(0).maxCoeff(&best);
  if (!regression && !d.sigmoid) a.label = d.labels[static_cast<std::size_t>(best)];
  for (std::size_t k = 0; k < numbers.size() && (regression || d.sigmoid); ++k) {
    if (!regression && numbers[k] < 0.5) continue;
    add_to_list(a.label, regression ? fixed_text(numbers[k], 6) : d.labels[k], ",");
  }
  return a;
}

GRAFT_INLINE answer predictor_base::answer_of(std::size_t by, const matrix<double>& output) const {
  answer a;
  try {
    const model_description* const d = by > 0 ? &parts[by - 1].description : nullptr;
    if (d != nullptr && d->head.tokens && !embedding) a.logits.assign(output.data(), output.data() + output.size());
    require_finite(output);
    if (embedding) {
      a.embedding = embedding->embedding_of(output.row(0).transpose());
      const bool finite = std::all_of(a.embedding.begin(), a.embedding.end(), [](float x) { return std::isfinite(x); });
      if (!finite) a.error = "the embedding is no finite number";
    } else if (d == nullptr) {
      a.hidden_state.assign(output.data(), output.data() + output.size());
    } else if (!d->head.tokens) {
      a = answer_from_logits(*d, output);
    }
  } catch (const row_error& failure) {
    a.error = by == 0 ? "the encoder's answer is no finite number" : failure.reason();
  }
  return a;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE predictor::predictor(const trunk_files& files, const predictor_options& options) {
  const encoder_config config = read_trunk_config(files);
  const tensor_source stored = open_model(files.model_path, config.model_type);
  // the vocabulary beside the weights: each takes a good part of a start
  auto texts = in_background([&] {
    return files.tokenizer_path.empty() ? std::optional<tokenizer>() : read_vocabulary(files.tokenizer_path, config);
  });
  base_ = in_precision(options.precision, [&]<class P>(P) -> std::unique_ptr<detail::predictor_base> {
    return std::make_unique<detail::predictor_of<P>>(options, config, stored);
  });
  base_->load_encoder(stored);
  base_->texts = texts.get();
  if (options.embedding) {
    base_->embedding.emplace(*options.embedding, files.model_path, base_->config, base_->texts);
    const auto& model = base_->embedding->model;
    base_->notes.insert(base_->notes.end(), model.notes.begin(), model.notes.end());
    if (!options.max_seq_length) base_->max_seq_length = model.max_seq_length;
  } else {
    base_->take_own_head(files, stored);
  }
}

GRAFT_INLINE predictor predictor::from_folder(const std::string& folder, const predictor_options& options) {
  return predictor(find_trunk_files({.model_path = folder}), options);
}

GRAFT_INLINE predictor::predictor(const trunk_files& files, const std::string& tuned_path, const predictor_options& options)
    : predictor(files, options) {
  add("tuned", tuned_path);
}

GRAFT_INLINE predictor::predictor(predictor&&) noexcept = default;
GRAFT_INLINE predictor& predictor::operator=(predictor&&) noexcept = default;
GRAFT_INLINE predictor::~predictor() = default;

GRAFT_INLINE void predictor::add(const std::string& name, const std::string& path) { base_->add(name, path); }

GRAFT_INLINE std::vector<std::string> predictor::names() const {
  std::vector<std::string> all;
  for (const auto& one : base_->parts) {
    if (!base_->model_head || one.name != model_head) all.push_back(one.name);
  }
  return all;
}

GRAFT_INLINE const encoder_config& predictor::config() const { return base_->config; }

GRAFT_INLINE index predictor::embedding_size() const { return base_->embedding ? base_->embedding->dimensions : 0; }

GRAFT_INLINE index predictor::max_seq_length(const std::string& name) const {
  return base_->length_of(name == bare_trunk ? nullptr : &base_->require(name));
}

GRAFT_INLINE std::vector<std::string> predictor::notes() const {
  auto all = base_->notes;
  if (base_->model_head && base_->parts.size() == 1) {
    all.insert(all.end(), base_->model_head->notes.begin(), base_->model_head->notes.end());
  }
  if (base_->texts) all.insert(all.end(), base_->texts->notes().begin(), base_->texts->notes().end());
  return all;
}

GRAFT_INLINE const model_description& predictor::description(const std::string& name) const { return base_->require(name).description; }

GRAFT_INLINE std::vector<answer> predictor::predict(std::span<const example> rows, index batch_size, int threads) const {
  auto answers = predict_each(rows, batch_size, threads);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].error.empty()) throw row_error(static_cast<index>(i), answers[i].error);
  }
  return answers;
}

GRAFT_INLINE std::vector<answer> predictor::predict_all(std::span<const example> rows, index batch_size, int threads) const {
  const std::vector<std::string> all = names();
  std::vector<example> each;
  for (const example& row : rows) {
    for (const std::string& name : all) each.emplace_back(row).adapter = name;
  }
  auto answers = predict_each(each, batch_size, threads);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].error.empty()) throw row_error(static_cast<index>(i / all.size()), answers[i].error);
  }
  return answers;
}

GRAFT_INLINE std::vector<answer> predictor::predict_each(std::span<const example> rows, index batch_size, int threads,
                                                         const std::atomic<bool>* stop) const {
  return base_->predict_each(rows, batch_size, threads, stop);
}

}  // namespace graft
