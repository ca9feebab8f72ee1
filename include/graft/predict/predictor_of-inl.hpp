#pragma once
// Bodies of graft/predict/predictor_of.hpp that depend on the precision.

#include <omp.h>

#include <algorithm>
#include <map>
#include <utility>

#include "graft/core/compiled.hpp"
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
predictor_of<P>::predictor_of(const trunk_files& files, const predictor_options& o, const encoder_config& c, const tensor_source& stored)
    : predictor_base(files, o, c, stored), trunk_(make_plain_classifier<P>(c, 1)), int8_(o.precision == precision::int8) {}

template <class P>
void predictor_of<P>::load_encoder(const tensor_source& stored) {
  load_packed_trunk(trunk_, stored, encoder_fingerprint, int8_);
  pack_frozen(trunk_, false, omp_get_max_threads(), int8_);
  lacks_pooler = trunk_.head.pretrained_dense() && !brings_pooler(stored);
}

template <class P>
tensor_source predictor_of<P>::encoder_tensors() const {
  tensor_source all("the encoder");
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
          tuned.read(p.name, std::span(p.edit().data(), static_cast<std::size_t>(p.size())));
        });
        pack_frozen(model, false, omp_get_max_threads(), int8_);
      },
      made);
  models_.push_back(std::move(made));
}

template <class P>
matrix<double> predictor_of<P>::pooled(std::optional<std::size_t> number, std::span<const pooling> poolings, index skipped,
                                       std::span<const features> rows, index batch_size, context& ctx, stop_flag stop) const {
  const index width = config.hidden_size;
  const bool first_alone = skipped == 0 && std::all_of(poolings.begin(), poolings.end(), [](pooling p) { return p == pooling::cls; });
  matrix<double> all(static_cast<index>(rows.size()), width * std::ssize(poolings));
  const auto pool = [&](const auto& model) {
    for_each_batch(rows, batch_size, usual_tokens_at_once, ctx, stop, [&](const batch& b, index first, context& own) {
      matrix<typename P::real> h(first_alone ? b.size() : b.rows(), width);
      model.trunk.forward(b, h, nullptr, own, first_alone ? rows_of::sequences : rows_of::tokens);
      for (index s = 0; s < b.size(); ++s) {
        const index begin = first_alone ? s : b.offsets[static_cast<std::size_t>(s)];
        const index count = first_alone ? 1 : b.offsets[static_cast<std::size_t>(s) + 1] - begin;
        const auto tokens = const_view<typename P::real>(h).window(begin, 0, count, width);
        double* to = all.row(first + s).data();
        for (const pooling p : poolings) pool_tokens<typename P::real>(p, tokens, skipped, std::exchange(to, to + width));
      }
    });
  };
  if (number) {
    std::visit(pool, models_[*number]);
  } else {
    pool(trunk_);
  }
  return all;
}

template <class P>
matrix<double> predictor_of<P>::logits(std::size_t number, std::span<const features> rows, index batch_size, context& ctx,
                                       stop_flag stop) const {
  return std::visit([&](const auto& model) { return predict_logits(model, rows, batch_size, ctx, stop).value_or(matrix<double>()); },
                    models_[number]);
}

template <class P>
auto predictor_of<P>::make_model(const model_description& d) const -> any_model {
  const index classes = std::max(index{1}, d.num_labels());  // none where no head is asked
  if (d.kind == "adapter") return make_adapter_classifier<P>(config, classes, d.adapter, d.head);
  if (d.kind == "multi_adapter") return make_multi_adapter_classifier<P>(config, classes, d.mix, d.num_weight_sets, d.head);
  auto model = make_plain_classifier<P>(config, classes, d.head);
  if (d.kind == "lora") add_lora(model, d.lora);
  if (d.kind == "ia3" && d.ia3.gates) add_gates(model, d.ia3.targets);
  if (d.kind == "prefix") add_prefix(model, d.prefix);
  return model;
}

}  // namespace graft::detail
