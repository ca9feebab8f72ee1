#pragma once
// Keys and values of their own in front of every sequence (prefix tuning).

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/layer.hpp"
#include "graft/core/range.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/layers/linear.hpp"

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

  void for_each_parameter(parameter_visitor<real> f) {
    f(embedding);
    down_project.for_each_parameter(f);
  }

  parameter<real> embedding;  // E
  linear<P> down_project;     // W, b
  activation act;             // a
};

/// all_i = [g_i p; kv_i], for the keys and values of every sequence i: L rows of its own stand in front of its tokens'.
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
  void precompute(int threads);

  /// @param  x    (N, H) what the keys were made of      @param kv  (N, 2 H) keys beside values, sequences from ctx.offsets()
  /// @param[out] all  (N + B L, 2 H)
  void forward(const_view<real> x, const_view<operand> kv, view<operand> all, saved* s, context& ctx) const;
  /// @param  x  as forward's; empty where needs_input() is false     @param[out] down  (N, 2 H)
  /// Returns the beta with which the caller is to add to dx:  dx = BETA dx + what comes through the gates, and then 1, where there are
  /// some.
  real backward(const_view<operand> dall, const_view<operand> x, const saved& s, view<operand> down, view<real>* dx, real beta,
                context& ctx);

  void for_each_parameter(parameter_visitor<real> f) {
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
  const_view<real> values(buffer<real>* saved_z, context& ctx) const;
  /// g (B, 1 or 2), in scratch memory, from s (N, 1 or 2).
  view<real> means(const_view<real> gates, context& ctx) const;
  void network_backward(const_view<real> dp, const_view<real> z, context& ctx);
  /// Whether p changes by training what makes it.
  bool trains_network() const { return network != nullptr && (is_trainable(*network) || is_trainable(*up_project)); }

  index length_;
  bool owns_network_;
  std::shared_ptr<const matrix<real>> precomputed_;
};

/// @throws config_error  a number of O is out of range, or no layer of LAYERS is left
inline void check_prefix(const prefix_options& o, index layers) {
  check_range("prefix_length", static_cast<double>(o.length), ranges::prefix_length);
  check_range("prefix_bottleneck", static_cast<double>(o.bottleneck), ranges::prefix_bottleneck);
  check_range("prefix_gates", static_cast<double>(o.gates), ranges::prefix_gates);
  index l = 0;
  while (l < layers && std::find(o.leave_out.begin(), o.leave_out.end(), l) != o.leave_out.end()) ++l;
  if (l == layers) throw config_error("a prefix that leaves out all " + std::to_string(layers) + " layers is none");
}

/// The prefix of every layer of an encoder called MODEL_TYPE; nothing where O leaves a layer out. INFIX comes before ".prefix" in the names
/// of parameters.
template <class P>
std::vector<std::optional<attention_prefix<P>>> make_prefixes(const std::string& model_type, index layers, index hidden_size,
                                                              const prefix_options& o, const std::string& infix = "") {
  std::vector<std::optional<attention_prefix<P>>> all;
  std::shared_ptr<prefix_network<P>> network;  // shared by the layers; null: flat
  for (index l = 0; l < layers; ++l) {
    all.emplace_back();
    if (std::find(o.leave_out.begin(), o.leave_out.end(), l) != o.leave_out.end()) continue;
    const bool first = network == nullptr && o.bottleneck > 0;
    if (first) network = std::make_shared<prefix_network<P>>(model_type + infix + ".prefix", hidden_size, o);
    all.back().emplace(model_type + ".encoder.layer." + std::to_string(l) + ".attention.self" + infix + ".prefix", hidden_size, o, network,
                       first);
  }
  return all;
}

static_assert(parameterized<attention_prefix<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/attention_prefix-inl.hpp"  // IWYU pragma: export
#endif
