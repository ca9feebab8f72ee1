#pragma once
// How much memory a training run will need, before it starts.

#include <algorithm>
#include <cstdint>

#include "graft/model/model.hpp"
#include "graft/ops/attention_core.hpp"

namespace graft {

/// Gradients up to this size are held apart for the micro-batches that are under way (train/micro_batch_gradients.hpp).
inline constexpr std::int64_t most_gradient_bytes = std::int64_t{1} << 26;

/// Numbers that a model consists of.
struct parameter_counts {
  std::int64_t all = 0;
  std::int64_t trained = 0;
};

/// Numbers in MODEL's parameters, and in those that are trained.
template <class M>
parameter_counts count_parameters(const M& model) {
  parameter_counts n;
  const_cast<M&>(model).for_each_parameter([&](const auto& p) {
    n.all += p.size();
    if (p.is_trained()) n.trained += p.size();
  });
  return n;
}

namespace detail {

/// Numbers that a site saves for a row of width H.
template <class P>
index site_numbers(const plain_site<P>&, index h) {
  return h + 1;
}
template <class P>
index site_numbers(const adapter_site<P>& s, index h) {
  return s.saved_numbers(h);
}
template <class P>
index site_numbers(const multi_adapter_site<P>& s, index h) {
  if (s.fusion) return s.fusion->saved_numbers(h);
  index total = s.flex ? site_numbers(*s.flex, h) : 0;
  const bool fused = s.fused();
  if (fused) total += h + 2 * std::ssize(s.branches);  // and a mean and a variance a branch
  for (const adapter_site<P>& branch : s.branches) {
    if (!fused) {
      total += site_numbers(branch, h) + h;
    } else if (branch.module() != nullptr) {
      total += branch.module()->size();
    }
  }
  return total;
}

}  // namespace detail

/// Bytes that training in batches of ROWS tokens (the longest SEQUENCE tokens) takes: packed weights (whose values are in the mapped
/// file), other values, gradients, Adam's moments and the best copy, saved activations, scratch. An estimate, somewhat high when batches
/// are shorter, and for attention in windows and DeBERTa's of long texts: code and file caches are not in it.
template <class M>
std::int64_t training_bytes(const M& model, index rows, index sequence, int threads, bool keeps_best) {
  using real = typename M::real;
  using operand = typename M::precision::operand;
  const encoder_config& c = model.config;
  const index h = c.hidden_size;
  const parameter_counts n = count_parameters(model);
  const index lowest = model.trunk.lowest_trainable();
  index per_row = lowest < 0 ? h + 1 : 0;
  if (lowest < 0 && model.trunk.invertible) {
    for (const auto& one : model.trunk.invertible->members) {
      per_row += 2 * h + 2 * (one.by.f.down_project.out() + one.by.g.down_project.out());
    }
  }
  index derivatives = 0, per_sequence = 0, in_front = 0, attentions = 0;
  for (index l = std::max<index>(lowest, 0); l < c.num_hidden_layers; ++l) {
    const auto& layer = model.trunk.layers[static_cast<std::size_t>(l)];
    const bool attention = l > lowest || is_trainable(layer.attention);
    const bool feed = attention || is_trainable(layer.attention_site) || is_trainable(layer.feed);
    if (layer.attention_norm && attention) per_row += h + 1;
    attentions += attention ? 1 : 0;
    if (attention) per_row += 3 * h + (layer.attention.query.needs_input() ? h : 0) + (layer.attention.output.needs_input() ? h : 0);
    if (layer.attention.prefix) in_front = std::max(in_front, layer.attention.prefix->length());
    if (attention && layer.attention.prefix) per_sequence += 2 * h * layer.attention.prefix->length();
    if (layer.attention.mix && attention) {
      per_row += h;
      for (const auto& member : layer.attention.mix->members) {
        in_front = std::max(in_front, member.by.length());
        per_row += 3 * h;
        per_sequence += 2 * h * member.by.length();
      }
    }
    if (feed) {
      if (layer.feed_norm) per_row += 2 * c.intermediate_size + h + 1;
      derivatives += layer.feed_norm ? 0 : c.intermediate_size;
      per_row += (layer.feed.intermediate.needs_input() ? h : 0) + (layer.feed.output.needs_input() ? c.intermediate_size : 0);
    }
    per_row += detail::site_numbers(layer.attention_site, h) + detail::site_numbers(layer.feed_site, h);
  }
  double packed = 0;  // numbers; the product of all sizes may be more than 64 bits hold
  double rest = static_cast<double>(n.trained) * (keeps_best ? 4 : 3);
  if (n.trained * static_cast<std::int64_t>(sizeof(real)) <= most_gradient_bytes)
    rest += static_cast<double>(n.trained) * (2 * threads + 1);
  const auto count = [&](const auto& part, bool backward) {
    const_cast<std::remove_cvref_t<decltype(part)>&>(part).for_each_parameter([&](const auto& p) {
      const bool frozen_factor = p.is_product_weight() && !p.is_trained();
      packed += static_cast<double>(frozen_factor ? (backward ? 2 : 1) * p.size() : 0);
      rest += static_cast<double>(frozen_factor ? 0 : p.size());
    });
  };
  count(model.trunk.embedded, false);
  if (model.trunk.relative) {  // the tables, and what each layer makes of vectors
    count(*model.trunk.relative, false);
    if (c.max_relative_positions > 0) packed += static_cast<double>(c.num_hidden_layers * 2 * model.trunk.relative->table.size());
  }
  double largest = 0;  // of the weights whose rows get lengths of their own: what stands in their place, and two matrices a thread
  for (index l = 0; l < c.num_hidden_layers; ++l) {
    count(model.trunk.layers[static_cast<std::size_t>(l)], l >= lowest);
    const_cast<M&>(model).trunk.layers[static_cast<std::size_t>(l)].for_each_projection([&](const auto& one) {
      if (!one.dora) return;
      const auto numbers = static_cast<double>(one.weight.size());
      packed += 2 * numbers;
      largest = std::max(largest, numbers);
    });
  }
  rest += 2 * largest * threads;
  count(model.head, true);
  const auto n_rows = static_cast<double>(rows), longest = static_cast<double>(sequence + in_front);
  constexpr auto scores = static_cast<double>(ops::scores_at_once);
  rest += n_rows * 6 * static_cast<double>(h) + 3 * std::min(longest * longest, std::max(scores, 32 * longest)) * threads;
  if (sequence + in_front > ops::most_whole_keys) {  // y and a number a head of each layer, and a thread's sums of a head
    packed += n_rows * static_cast<double>(attentions * h);
    const index sums = 3 * (h / c.num_attention_heads) + 2;
    rest += n_rows * static_cast<double>(attentions * c.num_attention_heads) + longest * static_cast<double>(sums) * threads;
  }
  packed += n_rows / static_cast<double>(std::max<index>(1, sequence)) * static_cast<double>(per_sequence + 4 * h * in_front);
  packed += n_rows * static_cast<double>(per_row + c.intermediate_size + 5 * h);
  const double bytes = rest * sizeof(real) + packed * sizeof(operand) +
                       n_rows * static_cast<double>(derivatives) * sizeof(typename M::precision::gelu_derivative);
  return static_cast<std::int64_t>(std::min(bytes, 9e18));
}

}  // namespace graft
