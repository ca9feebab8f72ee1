#pragma once
// Keys and values of their own in front of every sequence (prefix tuning).

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/layer.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/range.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/layers/linear.hpp"
#include "graft/ops/activation.hpp"

namespace graft {

/// t = a(E W^T + b) (L, B), a row a position: what the layers' prefixes share where a network makes them.
template <class P>
struct prefix_network {
  using real = typename P::real;

  /// Parameters PREFIX.embedding.weight (L, H) and PREFIX.down_project.*
  prefix_network(const std::string& prefix, index hidden_size, const prefix_options& o)
      : embedding(parameter<real>::table(prefix + ".embedding.weight", parameter_role::adapter, o.length, hidden_size)),
        down_project(prefix + ".down_project", hidden_size, o.bottleneck, parameter_role::adapter),
        act(o.act) {}

  template <class F>
  void for_each_parameter(F&& f) {
    f(embedding);
    down_project.for_each_parameter(f);
  }

  parameter<real> embedding;  // E
  linear<P> down_project;     // W, b
  activation act;             // a
};

/// all_i = [g_i p; own_i], for the keys and values of every sequence i: L rows of its own stand in front of its tokens'.
///   flat  p is a parameter (L, 2 H), keys beside values        network  p = t U^T + c
///   g_i = mean of s(V x + v) over the sequence's tokens, s the logistic function: one number, or one for keys and one for values;
///   without gates g_i = 1
/// Backward:  dp = sum_i g_i dall_i's first rows, and on to t's parameters;   dg_i = <those rows, p>, and on to V, v and x
/// Saved: of the network, while it is trained, its z (L, B); with gates, s (N, 1 or 2).
/// Source: Li & Liang 2021, sections 4.2 and 4.3, with prefixes of keys and values in every layer; gates: Mao et al. 2022, section 3.2; as
/// in AdapterHub's library, methods/prefix_tuning.py.   Tested: tests/layers/attention_prefix_test.cpp
template <class P>
class attention_prefix {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  struct saved {
    buffer<real> z;
    buffer<real> gates;
  };

  /// Parameters PREFIX.key_values, or PREFIX.up_project.* behind SHARED, whose own are visited here only when OWNS_NETWORK; PREFIX.gate.*
  attention_prefix(const std::string& prefix, index hidden_size, const prefix_options& o, std::shared_ptr<prefix_network<P>> shared = {},
                   bool owns_network = false)
      : network(std::move(shared)), length_(o.length), owns_network_(owns_network) {
    if (network == nullptr) {
      key_values = parameter<real>::table(prefix + ".key_values", parameter_role::adapter, o.length, 2 * hidden_size);
    } else {
      up_project.emplace(prefix + ".up_project", o.bottleneck, 2 * hidden_size, parameter_role::adapter);
    }
    if (o.gates > 0) gate.emplace(prefix + ".gate", hidden_size, o.gates, parameter_role::adapter);
  }

  index length() const { return length_; }
  /// Whether a gradient needs x.
  bool needs_input() const { return gate && gate->needs_input(); }
  /// Computes what a frozen network makes once and for all; its parameters are not to be edited any more.
  void settle(int threads) {
    settled_.reset();
    if (network == nullptr || is_trainable(*network) || is_trainable(*up_project)) return;
    context ctx;
    ctx.threads = threads;
    settled_ = std::make_shared<const matrix<real>>(values(nullptr, ctx));
  }

  /// @param  x    (N, H) what the keys were made of      @param own  (N, 2 H) keys beside values, sequences from ctx.offsets()
  /// @param[out] all  (N + B L, 2 H)
  void forward(const_view<real> x, const_view<operand> own, view<operand> all, saved* s, context& ctx) const {
    scratch::mark mark(ctx.memory);
    const const_view<real> p = values(s != nullptr ? &s->z : nullptr, ctx);
    const index sequences = ctx.sequences(), width = p.cols(), half = width / 2;
    const index n = gate ? gate->out() : 0;
    view<real> gates = gate && s != nullptr ? s->gates.resize(x.rows(), n) : ctx.memory.take<real>(gate ? x.rows() : 0, n);
    if (gate) {
      gate->forward(x, gates, nullptr, ctx);
      gates.array() = (real(1) + (-gates.array()).exp()).inverse();
    }
    const view<real> g = means(gates, ctx);
    view<real> rows = ctx.memory.take_rows<real>(ctx.threads, width);  // gated, before they are rounded
    parallel_for(sequences, 1, ctx.threads, [&](index b, index) {
      const index first = ctx.first_row(b), end = ctx.first_row(b + 1);
      const index to = first + b * length_;
      for (index l = 0; l < length_; ++l) {
        const real* from = p.row_data(l);
        if (gate) {
          real* gated = rows.row_data(omp_get_thread_num());
          for (index c = 0; c < width; ++c) gated[c] = g(b, c < half ? 0 : g.cols() - 1) * from[c];
          from = gated;
        }
        convert(from, all.row_data(to + l), width);
      }
      for (index r = first; r < end; ++r) std::copy(own.row_data(r), own.row_data(r) + width, all.row_data(to + length_ + r - first));
    });
  }
  /// @param  x  as forward's; empty where needs_input() is false     @param[out] down  (N, 2 H)
  /// Returns the beta with which the caller is to add to dx:  dx = BETA dx + what comes through the gates, and then 1, where there are
  /// some.
  real backward(const_view<operand> dall, const_view<operand> x, const saved& s, view<operand> down, view<real>* dx, real beta,
                context& ctx) {
    scratch::mark mark(ctx.memory);
    const index sequences = ctx.sequences(), width = dall.cols(), half = width / 2;
    parallel_for(sequences, 1, ctx.threads, [&](index b, index) {
      for (index r = ctx.first_row(b); r < ctx.first_row(b + 1); ++r) {
        const operand* from = dall.row_data(r + (b + 1) * length_);
        std::copy(from, from + width, down.row_data(r));
      }
    });
    const bool through_gate = gate && (dx != nullptr || is_trainable(*gate));
    const view<real> g = means(s.gates, ctx);
    const bool trains_network = network != nullptr && (is_trainable(*network) || is_trainable(*up_project));
    if (trains_network || (key_values && key_values->is_trained())) {
      view<real> dp = key_values ? gradient_of(*key_values, ctx) : ctx.memory.take<real>(length_, width);
      if (network != nullptr) dp.setZero();
      parallel_for(length_, 1, ctx.threads, [&](index l, index) {
        real* to = dp.row_data(l);
        for (index b = 0; b < sequences; ++b) {
          const operand* from = dall.row_data(ctx.first_row(b) + b * length_ + l);
          const real of_keys = gate ? g(b, 0) : real(1), of_values = gate ? g(b, g.cols() - 1) : real(1);
          for (index c = 0; c < half; ++c) to[c] += of_keys * number(from[c]);
          for (index c = half; c < width; ++c) to[c] += of_values * number(from[c]);
        }
      });
      if (trains_network) network_backward(dp, s.z, ctx);
    }
    if (!through_gate) return beta;
    const const_view<real> p = values(nullptr, ctx), gates = s.gates;
    view<real> dz = ctx.memory.take<real>(gates.rows(), gates.cols());
    parallel_for(sequences, 1, ctx.threads, [&](index b, index) {
      real dg[2] = {0, 0};  // of the keys' gate, and of the values'
      for (index l = 0; l < length_; ++l) {
        const operand* from = dall.row_data(ctx.first_row(b) + b * length_ + l);
        for (index c = 0; c < width; ++c) dg[c < half ? 0 : g.cols() - 1] += p(l, c) * number(from[c]);
      }
      const index tokens = ctx.first_row(b + 1) - ctx.first_row(b);
      for (index r = ctx.first_row(b); r < ctx.first_row(b + 1); ++r) {
        for (index k = 0; k < gates.cols(); ++k) dz(r, k) = dg[k] / real(tokens) * gates(r, k) * (real(1) - gates(r, k));
      }
    });
    gate->accumulate_gradients(const_view<real>(dz), x, ctx);
    if (dx == nullptr) return beta;
    gate->product_back(dz, {}, ctx, ops::accumulate{*dx, beta});
    return real(1);
  }

  template <class F>
  void for_each_parameter(F&& f) {
    if (owns_network_) network->for_each_parameter(f);
    if (key_values) f(*key_values);
    if (up_project) up_project->for_each_parameter(f);
    if (gate) gate->for_each_parameter(f);
  }

  std::shared_ptr<prefix_network<P>> network;  // shared by the layers; null: flat
  std::optional<parameter<real>> key_values;   // p, flat
  std::optional<linear<P>> up_project;         // U, c
  std::optional<linear<P>> gate;               // V, v

 private:
  /// p, in scratch memory where it is computed.
  const_view<real> values(buffer<real>* kept, context& ctx) const {
    if (network == nullptr) return key_values->value();
    const bool trains = is_trainable(*network) || is_trainable(*up_project);
    if (settled_ && !trains) return *settled_;
    const linear<P>& down = network->down_project;
    view<real> p = ctx.memory.take<real>(length_, up_project->out());
    view<real> t = ctx.memory.take<real>(length_, down.out());
    view<real> z = kept != nullptr && trains ? kept->resize(length_, down.out()) : t;
    down.forward(network->embedding.value(), z, nullptr, ctx);
    for (index l = 0; l < length_; ++l) ops::activate_row<real>(network->act, z.row(l), t.row(l));
    up_project->forward(t, p, nullptr, ctx);
    return p;
  }
  /// g (B, 1 or 2), in scratch memory, from s (N, 1 or 2).
  view<real> means(const_view<real> gates, context& ctx) const {
    view<real> g = ctx.memory.take<real>(gate ? ctx.sequences() : 0, gates.cols());
    for (index b = 0; b < g.rows(); ++b) {
      g.row(b) = gates.middleRows(ctx.first_row(b), ctx.length(b)).colwise().sum() / real(ctx.length(b));
    }
    return g;
  }
  void network_backward(const_view<real> dp, const_view<real> z, context& ctx) {
    linear<P>& down = network->down_project;
    view<real> t = ctx.memory.take<real>(length_, down.out()), dt = ctx.memory.take<real>(length_, down.out());
    for (index l = 0; l < length_; ++l) ops::activate_row<real>(network->act, z.row(l), t.row(l));
    up_project->accumulate_gradients(dp, const_view<real>(t), ctx);
    if (!is_trainable(*network)) return;
    up_project->product_back(dp, {}, ctx, ops::store{dt});
    for (index l = 0; l < length_; ++l) ops::activate_row_backward<real>(network->act, dt.row(l), z.row(l), dt.row(l));
    down.accumulate_gradients(const_view<real>(dt), network->embedding.value(), ctx);
    if (network->embedding.is_trained()) {
      ++ctx.counters.weight_gradient_products;
      view<real> gradient = gradient_of(network->embedding, ctx);
      down.product_back(dt, {}, ctx, ops::accumulate{gradient});
    }
  }

  index length_;
  bool owns_network_;
  std::shared_ptr<const matrix<real>> settled_;
};

/// @throws config_error  a number of O is out of range, or no layer of LAYERS is left
inline void check_prefix(const prefix_options& o, index layers) {
  check_range("prefix_length", static_cast<double>(o.length), ranges::prefix_length);
  check_range("prefix_bottleneck", static_cast<double>(o.bottleneck), ranges::prefix_bottleneck);
  check_range("prefix_gates", static_cast<double>(o.gates), ranges::prefix_gates);
  index left = 0;
  for (index l = 0; l < layers; ++l) left += std::find(o.leave_out.begin(), o.leave_out.end(), l) == o.leave_out.end() ? 1 : 0;
  if (left == 0) throw config_error("a prefix that leaves out all " + std::to_string(layers) + " layers is none");
}

/// The prefix of every layer of an encoder called MODEL_TYPE; nothing where O leaves a layer out. OWN comes before ".prefix" in the names
/// of parameters.
template <class P>
std::vector<std::optional<attention_prefix<P>>> make_prefixes(const std::string& model_type, index layers, index hidden_size,
                                                              const prefix_options& o, const std::string& own = "") {
  std::vector<std::optional<attention_prefix<P>>> all;
  std::shared_ptr<prefix_network<P>> network;  // shared by the layers; null: flat
  for (index l = 0; l < layers; ++l) {
    all.emplace_back();
    if (std::find(o.leave_out.begin(), o.leave_out.end(), l) != o.leave_out.end()) continue;
    const bool first = network == nullptr && o.bottleneck > 0;
    if (first) network = std::make_shared<prefix_network<P>>(model_type + own + ".prefix", hidden_size, o);
    all.back().emplace(model_type + ".encoder.layer." + std::to_string(l) + ".attention.self" + own + ".prefix", hidden_size, o, network,
                       first);
  }
  return all;
}

static_assert(parameterized<attention_prefix<f64>>);

}  // namespace graft
