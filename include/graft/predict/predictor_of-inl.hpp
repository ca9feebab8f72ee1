#pragma once
// Bodies of graft/predict/predictor_of.hpp that depend on the precision.

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <type_traits>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/threads.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/lora.hpp"
#include "graft/model/packed_loading.hpp"
#include "graft/model/prefix.hpp"
#include "graft/predict/predictor.hpp"
#include "graft/predict/predictor_of.hpp"
#include "graft/train/evaluation.hpp"

namespace graft::detail {

template <class P>
predictor_of<P>::predictor_of(const predictor_options& o, const encoder_config& c, const tensor_source& stored)
    : predictor_base(o, c, stored), trunk_(make_plain_classifier<P>(c, 1)) {
  trunk_.trunk.int8 = o.precision == precision::int8;
}

template <class P>
void predictor_of<P>::load_encoder(const tensor_source& stored) {
  load_packed_trunk(trunk_, stored, encoder_fingerprint, usable_threads());
  pack_frozen(trunk_, false, usable_threads());
  const auto version = stored.metadata().find(packed_version_field);
  if (version != stored.metadata().end() && version->second != packed_version)
    notes.push_back(stored.path() +
                    ": holds packed weights of another version of graft, which are not read: exported again, it starts sooner");
  lacks_pooler = trunk_.head.pretrained_dense() && !brings_pooler(stored);
  ways_.push_back({std::ssize(trunk_.trunk.layers), true, rows_of::sequences});
}

template <class P>
tensor_source predictor_of<P>::encoder_tensors() const {
  tensor_source all(encoder_path);
  const_cast<plain_classifier<P>&>(trunk_).for_each_parameter([&](const auto& p) {
    const bool there = trunk_name(p.name, config.model_type) && !(lacks_pooler && is_pooler(p.name));
    const auto numbers = std::span(p.value().data(), static_cast<std::size_t>(p.size()));
    if (there) all.add(p.name, {dtype_of<typename P::real>(), p.shape(), std::as_bytes(numbers)});
  });
  return all;
}

template <class P>
void predictor_of<P>::check_encoder(const adapter_file& file) {
  trunk_.for_each_parameter([&](const auto& p) {
    check_of_trunk(file, [&](const std::string& one) { return one != p.name || holds_values(file.of_trunk, one, p); });
  });
}

template <class P>
void predictor_of<P>::add_model(const model_description& d, const tensor_source& tuned) {
  any_model made = make_model(d);
  std::visit(
      [&](auto& model) {
        std::map<std::string, const parameter<typename P::real>*> trunk;
        trunk_.for_each_parameter([&](auto& p) { trunk[p.name] = &p; });
        const head_names head(config);
        model.for_each_parameter([&](auto& p) {
          if (embedding && head.is_head(p.name)) return;  // which is never asked
          const auto shared = trunk_name(p.name, config.model_type);
          if (shared && !tuned.contains(p.name)) {
            p.share(*trunk.at(*shared));
            return;
          }
          tuned.expect({{p.name, p.shape()}});
          const std::span numbers(p.edit().data(), static_cast<std::size_t>(p.size()));
          tuned.read(p.name, numbers);
          const auto at = shared ? trunk.find(*shared) : trunk.end();
          if (at == trunk.end() || at->second->size() != p.size()) return;
          if (std::equal(numbers.begin(), numbers.end(), at->second->value().data())) p.share(*at->second);  // a file may repeat them
        });
        model.trunk.int8 = trunk_.trunk.int8;
        pack_frozen(model, false, usable_threads());
      },
      made);
  models_.push_back(std::move(made));
  ways_.push_back(std::visit([&](auto& model) { return way_of(model); }, models_.back()));
  route();
}

template <class P>
template <class Model>
auto predictor_of<P>::way_of(Model& model) -> way {
  std::set<const real*> trunk;  // where the encoder's numbers lie
  trunk_.for_each_parameter([&](auto& p) { trunk.insert(p.value().data()); });
  const auto differs = [&](auto& part) {
    bool found = false;
    part.for_each_parameter([&](auto& p) { found = found || !trunk.contains(p.value().data()); });
    return found;
  };
  auto& layers = model.trunk.layers;
  const bool mixes = std::is_same_v<Model, multi_adapter_classifier<P>>;  // whose layers have weights that others visit
  const bool distances = model.trunk.relative && differs(*model.trunk.relative);
  const bool enters = model.trunk.invertible || differs(model.trunk.embedded);
  way result{mixes || enters || distances ? -1 : std::ssize(layers), !distances, model.reads()};
  for (index l = 0; l < std::ssize(layers); ++l) {
    auto& layer = layers[static_cast<std::size_t>(l)];
    const bool reads = layer.attention_site.reads_sequences() || layer.feed_site.reads_sequences();
    const bool parts = differs(layer.attention) || differs(layer.feed) || (layer.attention_norm && differs(*layer.attention_norm)) ||
                       (layer.feed_norm && differs(*layer.feed_norm));
    if (parts || reads) result.by_sites = false;
    if (parts || reads || differs(layer.attention_site) || differs(layer.feed_site)) result.shared = std::min(result.shared, l);
  }
  return result;
}

template <class P>
void predictor_of<P>::route() {
  auto& base = trunk_.trunk;
  if (!together_) {
    together_.emplace(config.model_type, config, [](const std::string&, site_location) { return routed_site<P>(); });
    together_->embedded = base.embedded;
    together_->relative = base.relative;
    for (std::size_t l = 0; l < base.layers.size(); ++l) {
      auto& layer = together_->layers[l];
      auto& from = base.layers[l];
      layer.attention = from.attention;
      layer.feed = from.feed;
      layer.attention_norm = from.attention_norm;
      layer.feed_norm = from.feed_norm;
      layer.attention_site.choices.push_back(&from.attention_site);
      layer.feed_site.choices.push_back(&from.feed_site);
    }
  }
  for (std::size_t l = 0; l < base.layers.size(); ++l) {
    auto& layer = together_->layers[l];
    std::visit(
        [&](auto& model) {
          using choice = typename routed_site<P>::choice;
          auto& own_layer = model.trunk.layers[l];
          const bool along = ways_.back().by_sites;  // if not, its number is never asked here
          layer.attention_site.choices.push_back(along ? choice(&own_layer.attention_site) : choice(&base.layers[l].attention_site));
          layer.feed_site.choices.push_back(along ? choice(&own_layer.feed_site) : choice(&base.layers[l].feed_site));
        },
        models_.back());
  }
}

template <class P>
std::vector<matrix<double>> predictor_of<P>::outputs(std::span<const features> contents, std::span<const asked_row> asked, index batch_size,
                                                     context& ctx, stop_flag stop) const {
  std::vector<matrix<double>> all(asked.size());
  const std::vector<index> start = starts(contents, asked);
  const bool shares = std::any_of(start.begin(), start.end(), [](index s) { return s >= 0; });
  const index most = 8 * usual_micro_batch_tokens * ctx.threads;  // of which states are kept; enough for threads to end about together
  for (std::size_t first = 0, last = 0; first < asked.size() && !(stop != nullptr && stop->load()); first = last) {
    scratch::mark mark(ctx.memory);
    climb c{contents, {}, {}, {}, std::vector<index>(contents.size()), nullptr, all.data() + first, batch_size, stop};
    index rows = 0;
    while (last < asked.size() && (!shares || rows < most)) {
      const std::size_t content = asked[last].content;
      bool shared_by_some = false;
      for (; last < asked.size() && asked[last].content == content; ++last) shared_by_some = shared_by_some || start[last] >= 0;
      if (!shared_by_some) continue;
      c.shared.push_back(content);
      c.first_row[content] = std::exchange(rows, rows + std::ssize(contents[content].input_ids));
    }
    c.asked = asked.subspan(first, last - first);
    c.start.assign(start.begin() + static_cast<std::ptrdiff_t>(first), start.begin() + static_cast<std::ptrdiff_t>(last));
    c.states = ctx.memory.take<real>(rows, config.hidden_size).data();
    answer_some(c, ctx);
  }
  return all;
}

/// Where rows leave the encoder's way for their own: those whose content is asked of several that begin as the encoder does. Where few
/// would go on from a layer, they begin further down, with more of them.
template <class P>
std::vector<index> predictor_of<P>::starts(std::span<const features> contents, std::span<const asked_row> asked) const {
  std::vector<index> start(asked.size(), -1);
  std::vector<std::size_t> along;  // those that can go through together
  for (std::size_t first = 0, last = 0; first < asked.size(); first = last) {
    index count = 0;
    for (; last < asked.size() && asked[last].content == asked[first].content; ++last) count += ways_[asked[last].by].shared >= 0 ? 1 : 0;
    for (std::size_t i = first; i < last && count > 1; ++i) {
      start[i] = ways_[asked[i].by].shared;
      if (start[i] >= 0 && ways_[asked[i].by].by_sites) along.push_back(i);
    }
  }
  std::stable_sort(along.begin(), along.end(), [&](std::size_t a, std::size_t b) { return start[a] > start[b]; });
  index tokens = 0;
  for (std::size_t first = 0, i = 0; i < along.size(); ++i) {
    tokens += std::ssize(contents[asked[along[i]].content].input_ids);
    const index here = start[along[i]];
    if (i + 1 < along.size() && (start[along[i + 1]] == here || tokens < usual_micro_batch_tokens)) continue;
    for (; first <= i; ++first) start[along[first]] = here;
    tokens = 0;
  }
  return start;
}

template <class P>
void predictor_of<P>::answer_some(climb& c, context& ctx) const {
  const auto along = [&](std::size_t i) {  // with whom it goes
    const std::size_t by = c.asked[i].by;
    return !ways_[by].by_sites ? 2 + by : wanted(by) == rows_of::tokens ? 1 : 0;
  };
  const auto key = [&](std::size_t i) { return std::tuple(c.start[i], along(i), c.asked[i].by); };
  std::vector<std::size_t> order(c.asked.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  index at = -1;
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    const index start = c.start[order[first]];
    std::vector<index> tokens;
    std::vector<std::size_t> kinds;
    for (; last < order.size() && c.start[order[last]] == start; ++last) {
      tokens.push_back(std::ssize(c.contents[c.asked[order[last]].content].input_ids));
      kinds.push_back(along(order[last]));
    }
    if (start >= 0) pass_shared(c, std::exchange(at, start), start, ctx);
    const auto batches = batches_by_cost(tokens, kinds, c.batch_size, ctx.threads);
    for_each_unit(std::ssize(batches), ctx, [&](index i, context& worker) {
      const auto [begin, end] = batches[static_cast<std::size_t>(i)];
      if (c.stop == nullptr || !c.stop->load()) answer_batch(c, std::span(order).subspan(first + begin, end - begin), worker);
    });
  }
}

/// Takes the states of the shared contents through the encoder's layers FROM (-1: from their tokens) .. TO - 1.
template <class P>
void predictor_of<P>::pass_shared(const climb& c, index from, index to, context& ctx) const {
  const auto row = [&](std::size_t i) -> const features& { return c.contents[c.shared[i]]; };
  std::vector<index> tokens(c.shared.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = std::ssize(row(i).input_ids);
  const auto batches = batches_by_cost(tokens, std::vector<std::size_t>(tokens.size()), c.batch_size, ctx.threads);
  for_each_unit(std::ssize(batches), ctx, [&](index n, context& worker) {
    if (c.stop != nullptr && c.stop->load()) return;
    const auto [first, last] = batches[static_cast<std::size_t>(n)];
    batch b;
    for (std::size_t i = first; i < last; ++i) b.add(row(i));
    view<real> x(c.states + c.first_row[c.shared[first]] * config.hidden_size, b.rows(), config.hidden_size);
    const auto offsets = worker.with_sequences(b.offsets);
    if (from < 0) trunk_.trunk.embed(b, x, nullptr, worker);
    trunk_.trunk.run_layers(std::max(from, index{0}), to, x, x, nullptr, worker);
  });
}

/// The outputs of NUMBERS, of what is asked, which begin at one layer and go along with each other; those of one model side by side.
template <class P>
void predictor_of<P>::answer_batch(const climb& c, std::span<const std::size_t> numbers, context& ctx) const {
  batch b;
  std::vector<index> routes;
  for (const std::size_t i : numbers) {
    b.add(c.contents[c.asked[i].content]);
    routes.push_back(static_cast<index>(c.asked[i].by));
  }
  const auto for_each_run = [&](auto&& f) {  // f(first, last, model, its part of B)
    for (std::size_t first = 0, last = 0; first < routes.size(); first = last) {
      while (last < routes.size() && routes[last] == routes[first]) ++last;
      batch part;
      for (std::size_t i = first; i < last; ++i) part.add(c.contents[c.asked[numbers[i]].content]);
      f(first, last, static_cast<std::size_t>(routes[first]), part);
    }
  };
  const std::size_t by = c.asked[numbers[0]].by;
  const index start = c.start[numbers[0]], width = config.hidden_size;
  const bool alone = routes.front() == routes.back();
  const rows_of reads = wanted(by);
  scratch::mark mark(ctx.memory);
  view<real> x = ctx.memory.take<real>(b.rows(), width);
  view<real> y = ctx.memory.take<real>(reads == rows_of::tokens ? b.rows() : b.size(), width);
  for_each_run([&](std::size_t first, std::size_t last, std::size_t model_number, const batch& part) {
    if (start < 0 || ways_[model_number].shared < 0) {
      view<real> part_states = x.window(b.offsets[first], 0, part.rows(), width);
      const auto offsets = ctx.with_sequences(part.offsets);
      with_model(model_number, [&](const auto& model) { model.trunk.embed(part, part_states, nullptr, ctx); });
      return;
    }
    for (std::size_t i = first; i < last; ++i) {
      const index rows = b.offsets[i + 1] - b.offsets[i];
      x.middleRows(b.offsets[i], rows) = const_view<real>(c.states + c.first_row[c.asked[numbers[i]].content] * width, rows, width);
    }
  });
  const auto pass = [&](const auto& trunk) {
    const auto offsets = ctx.with_sequences(b.offsets);
    trunk.run_layers(std::max(start, index{0}), std::ssize(trunk.layers), x, y, nullptr, ctx, reads);
  };
  if (alone) {
    with_model(by, [&](const auto& model) { pass(model.trunk); });
  } else {
    const auto chosen = ctx.with_routes(routes);
    pass(*together_);
  }
  for_each_run([&](std::size_t first, std::size_t last, std::size_t model_number, const batch& part) {
    const index row = reads == rows_of::tokens ? b.offsets[first] : static_cast<index>(first);
    view<real> states = y.window(row, 0, reads == rows_of::tokens ? part.rows() : part.size(), width);
    finish(part, model_number, states, numbers.subspan(first, last - first), c.outputs, ctx);
  });
}

/// What model BY makes of the STATES behind its layers.
template <class P>
void predictor_of<P>::finish(const batch& b, std::size_t by, view<real> states, std::span<const std::size_t> numbers,
                             matrix<double>* outputs, context& ctx) const {
  const auto offsets = ctx.with_sequences(b.offsets);
  with_model(by, [&](const auto& model) {
    if (model.trunk.last_norm) model.trunk.last_norm->forward(states, states, nullptr, ctx);
    if (by > 0 && !embedding) {
      matrix<real> logits(model.answers(b), model.head.classes());
      if (logits.rows() > 0) model.answer(b, states, logits, nullptr, ctx);
      const bool words = model.head.answers_for_words();
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const index begin = words ? b.answer_offsets[i] : static_cast<index>(i), end = words ? b.answer_offsets[i + 1] : begin + 1;
        outputs[numbers[i]] = logits.middleRows(begin, end - begin).template cast<double>();
      }
      return;
    }
    const std::vector<pooling> poolings = embedding ? embedding->model.poolings : std::vector{pooling::cls};
    const index width = config.hidden_size;
    const bool tokens = wanted(by) == rows_of::tokens;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const index begin = tokens ? b.offsets[i] : static_cast<index>(i), end = tokens ? b.offsets[i + 1] : begin + 1;
      matrix<double>& output = outputs[numbers[i]];
      output.resize(1, width * std::ssize(poolings));
      double* to = output.data();
      for (const pooling p : poolings) {
        pool_tokens<real>(p, const_view<real>(states).window(begin, 0, end - begin, width), embedding ? embedding->skipped : 0,
                          std::exchange(to, to + width));
      }
    }
  });
}

template <class P>
rows_of predictor_of<P>::wanted(std::size_t by) const {
  if (!embedding) return ways_[by].wanted;
  const auto& all = embedding->model.poolings;
  const bool first_alone = embedding->skipped == 0 && std::all_of(all.begin(), all.end(), [](pooling p) { return p == pooling::cls; });
  return first_alone ? rows_of::sequences : rows_of::tokens;
}

template <class P>
auto predictor_of<P>::make_model(const model_description& d) const -> any_model {
  const index classes = std::max(index{1}, d.num_labels());  // none where no head is asked
  if (d.kind == tuning_kind::adapter) return make_adapter_classifier<P>(config, classes, d.adapter, d.head);
  if (d.kind == tuning_kind::multi_adapter) return make_multi_adapter_classifier<P>(config, classes, d.mix, d.num_weight_sets, d.head);
  auto model = make_plain_classifier<P>(config, classes, d.head);
  if (d.kind == tuning_kind::lora) add_lora(model, d.lora);
  if (d.kind == tuning_kind::ia3 && d.ia3.gates) add_gates(model, d.ia3.targets);
  if (d.kind == tuning_kind::prefix) add_prefix(model, d.prefix);
  return model;
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class predictor_of<GRAFT_PRECISION>;
#endif

}  // namespace graft::detail
