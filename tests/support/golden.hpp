#pragma once
// Builds the model of a golden folder and runs it, for comparison with what PyTorch computed.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "graft/core/json.hpp"
#include "graft/data/batch.hpp"
#include "graft/encoder/config.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/losses/losses.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/lora.hpp"
#include "graft/optim/adamw.hpp"
#include "graft/optim/schedule.hpp"

namespace graft_test {

/// The largest differences between graft and a golden; gradients and parameters relative to the tensor's largest element.
struct golden_errors {
  double logits = 0, losses = 0, norms = 0, gradients = 0, weights = 0, parameters = 0;
  double parameters_but_key_biases = 0;
};

inline std::vector<graft::batch> golden_batches(const std::string& folder) {
  std::vector<graft::batch> batches;
  const auto input = graft::read_json(folder + "/input.json");
  for (const auto& one : input["batches"]) {
    graft::batch b;
    for (std::size_t i = 0; i < one["input_ids"].size(); ++i) {
      graft::features row;
      for (std::size_t t = 0; t < one["input_ids"][i].size(); ++t) {
        if (one["attention_mask"][i][t] == 1) row.input_ids.push_back(one["input_ids"][i][t]);
      }
      if (one.contains("token_type_ids")) {
        for (std::size_t t = 0; t < row.input_ids.size(); ++t) row.token_type_ids.push_back(one["token_type_ids"][i][t]);
      }
      row.target = one["labels"][i];
      row.label = static_cast<std::int32_t>(row.target);
      b.add(row);
    }
    batches.push_back(b);
  }
  return batches;
}

/// Largest |a - b| / largest |b|.
template <class M>
double relative_error(const M& a, const std::vector<double>& b) {
  double difference = 0;
  double largest = 0;
  for (graft::index i = 0; i < a.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(a.data()[i]) - b[static_cast<std::size_t>(i)]));
    largest = std::max(largest, std::abs(b[static_cast<std::size_t>(i)]));
  }
  return largest > 0 ? difference / largest : difference;
}

/// The mixing weights after softmax or sigmoid, by layer and site; none without a mix.
template <class M>
std::vector<graft::matrix<typename M::real>> mixing_weights(const M& model) {
  std::vector<graft::matrix<typename M::real>> all;
  if constexpr (requires { model.trunk.layers[0].attention_site.mix; }) {
    for (const auto& l : model.trunk.layers) {
      for (const auto* s : {&l.attention_site, &l.feed_site}) {
        graft::matrix<typename M::real> w(1, s->mix->count());
        s->mix->forward(w);
        all.push_back(w);
      }
    }
  }
  return all;
}

template <class M>
golden_errors run_golden(M model, const std::string& folder, const std::string& variant, bool packed) {
  using real = typename M::real;
  golden_errors e;
  const std::string path = folder + "/" + variant;
  const auto golden = graft::read_json(path + "/golden.json");
  const auto batches = golden_batches(folder);
  const bool regression = golden["variant"]["task"] == "reg";
  const graft::safetensors_file init(path + "/init.safetensors");
  graft::load_parameters(model, init, [](const std::string& name) { return std::optional(name); });
  if (packed) graft::pack_frozen(model, true, 2);

  graft::context ctx;
  typename M::trace trace;
  graft::matrix<real> logits, dlogits;
  for (std::size_t b = 0; b < batches.size(); ++b) {
    logits.resize(batches[b].size(), model.head.classes());
    model.forward(batches[b], logits, nullptr, ctx);
    for (graft::index i = 0; i < logits.rows(); ++i) {
      for (graft::index c = 0; c < logits.cols(); ++c) {
        e.logits =
            std::max(e.logits, std::abs(static_cast<double>(logits(i, c)) -
                                        golden["logits"][b][static_cast<std::size_t>(i)][static_cast<std::size_t>(c)].get<double>()));
      }
    }
  }

  const auto parameters = graft::trainable_parameters(model);
  graft::adamw<real> optimizer(parameters, {});
  const auto steps = golden["steps"].size();
  const graft::rate_schedule schedule{2, static_cast<double>(steps)};
  const graft::training_step training(ctx, 0);
  for (std::size_t k = 0; k < steps; ++k) {
    const auto& b = batches[k % batches.size()];
    const auto& expected = golden["steps"][k];
    logits.resize(b.size(), model.head.classes());
    dlogits.resize(b.size(), model.head.classes());
    model.forward(b, logits, &trace, ctx);
    graft::view<real> d = dlogits;
    const double loss =
        regression ? graft::mean_squared_error<real>(logits, b.targets, &d) : graft::cross_entropy<real>(logits, b.labels, &d);
    model.backward(dlogits, b, trace, ctx);
    e.losses = std::max(e.losses, std::abs(loss - expected["loss"].get<double>()));
    if (k == 0) {
      const graft::safetensors_file grads(path + "/grads.safetensors");
      std::size_t compared = 0;
      for (auto* p : parameters) {
        const bool vanishes = p->name.ends_with("key.bias");  // zero in exact arithmetic: rounding is all there is
        if (grads.contains(p->name) && !vanishes)
          e.gradients = std::max(e.gradients, relative_error(p->gradient(), grads.values<double>(p->name)));
        compared += grads.contains(p->name);
      }
      if (compared != grads.tensors().size() || compared != parameters.size()) e.gradients = 1e9;  // not the same parameters are trained
    }
    const double norm = graft::clip_gradients(parameters, 1.0, ctx);
    e.norms = std::max(e.norms, std::abs(norm - expected["grad_norm"].get<double>()) / norm);
    const double factor = schedule.factor(static_cast<std::int64_t>(k) + 1);
    optimizer.step(1e-3 * factor, 0.01 * factor, ctx.threads);
    optimizer.zero_gradients();
    const auto mixing = mixing_weights(model);
    for (std::size_t i = 0; i < mixing.size(); ++i) {
      const std::string name = (i < 10 ? "layer_0" : "layer_") + std::to_string(i);
      graft::index column = 0;
      for (const auto& adapter : golden["variant"]["adapters"]) {
        e.weights = std::max(e.weights, std::abs(static_cast<double>(mixing[i](0, column++)) -
                                                 expected["weights"][name][adapter.get<std::string>()].get<double>()));
      }
    }
  }
  const graft::safetensors_file last(path + "/final.safetensors");
  for (const auto* p : parameters) {
    const double error = relative_error(p->value(), last.values<double>(p->name));
    e.parameters = std::max(e.parameters, error);
    if (!p->name.ends_with("key.bias")) e.parameters_but_key_biases = std::max(e.parameters_but_key_biases, error);
  }
  return e;
}

/// The model that VARIANT of the golden FOLDER describes, set to train what the variant trains; OPTIMIZED: the fused multi-adapter,
/// and frozen weights packed.
template <class P>
golden_errors run_golden_variant(const std::string& folder, const std::string& variant, bool optimized = true) {
  const auto config = graft::read_encoder_config(folder + "/config.json");
  const auto classes = graft::required<graft::index>(graft::read_json(folder + "/config.json"), "num_labels", folder);
  const auto golden = graft::read_json<graft::ordered_json>(folder + "/" + variant + "/golden.json");
  const graft::safetensors_file init(folder + "/" + variant + "/init.safetensors");
  const auto size_of = [&](const std::string& prefix) { return init.at(prefix + ".down_project.weight").shape[0]; };
  const std::string site = config.model_type + ".encoder.layer.0.output";
  if (variant == "plain") {
    auto model = graft::make_plain_classifier<P>(config, classes);
    graft::tune_everything(model);
    return run_golden(std::move(model), folder, variant, optimized);
  }
  if (variant == "single") {
    auto model = graft::make_adapter_classifier<P>(config, classes, {size_of(site + ".adapter")});
    graft::tune_adapters(model);
    return run_golden(std::move(model), folder, variant, optimized);
  }
  const auto& v = golden["variant"];
  if (variant == "pfeiffer") {
    auto model = graft::make_adapter_classifier<P>(config, classes, {size_of(site + ".adapter"), graft::activation::relu, "pfeiffer"});
    graft::tune_adapters(model);
    return run_golden(std::move(model), folder, variant, optimized);
  }
  if (variant == "lora") {
    auto model = graft::make_plain_classifier<P>(config, classes);
    graft::add_lora(model, {v["r"], v["alpha"], {"query", "value"}});
    graft::tune_lora(model);
    return run_golden(std::move(model), folder, variant, optimized);
  }
  const auto mode = graft::parse_ft_mode(v["ft"].get<std::string>());
  graft::multi_adapter_options o;
  o.include_flex = mode == graft::multi_adapter_ft_mode::flex;
  o.include_base = !o.include_flex;
  o.mode = graft::parse_mixing_mode(v.value("wmode", "softmax"));
  o.optimized = optimized;
  for (const auto& name : v["adapters"].get<std::vector<std::string>>()) {
    o.adapters.push_back({name, {size_of(site + ".multi_adapter.adapter_dict." + name)}});
    if (name == "pfeiffer") {
      o.adapters.back().adapter.act = graft::activation::relu;
      o.adapters.back().adapter.kind = "pfeiffer";
    }
  }
  if (o.include_flex) o.flex_size = size_of(site + ".multi_adapter.adapter_dict.flex");
  auto model = graft::make_multi_adapter_classifier<P>(config, classes, o, v.value("sets", 1));
  graft::tune_mix(model, mode);
  return run_golden(std::move(model), folder, variant, optimized);
}

}  // namespace graft_test
