#pragma once
// A site that mixes several adapters and, if wanted, the untouched base.

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/adapters/adapter_site.hpp"
#include "graft/layers/mixing_weights.hpp"
#include "graft/ops/mixed_adapters.hpp"

namespace graft {

/// c = sum_k w_k y_k,   y_k = LN_k(A_k(h) + x) or what else adapter_site computes,   y_base = LN_base(h + x);
/// y = c, or with flex y = LN_flex(A_flex(c) + x)
/// A member that has no adapter here, because it is of another kind, is as the base with LayerNorms of its own.
/// In mode `fusion` it is an adapter_site with a fusion, and nothing of this.
/// Backward:  dw_k = <dc, y_k>;   w_k dc goes through branch k to dh and dx;   with flex, dc comes from that site first.
/// @param  h, x  (N, H) sub-layer output and residual            @param[out] y  (N, H)
/// Saved: plain loop: what every branch saves, and its y_k; fused: h + x (N, H) and the z_k (N, sum K); with flex, what that site saves.
/// Source: nlprunners' multi-adapter, with LayerNorm statistics per adapter.   Tested:
/// tests/adapters/multi_adapter_site_test.cpp
template <class P>
class multi_adapter_site {
 public:
  using real = typename P::real;
  struct saved {
    std::vector<typename adapter_site<P>::saved> branches;  // plain loop
    std::vector<buffer<real>> y;                            // plain loop: y_k (N, H)
    ops::mixed_adapters_saved<P> fused;
    buffer<real> w;
    typename adapter_site<P>::saved flex;
    typename adapter_site<P>::saved fusion;
  };

  /// Parameters PREFIX.multi_adapter.{adapter_dict,layer_norm_dict}.NAME.*; MIX is visited here only when OWNS_MIX.
  multi_adapter_site(const std::string& prefix, index hidden_size, double eps, const multi_adapter_options& o,
                     std::shared_ptr<mixing_weights<P>> shared_mix, bool owns_mix, site_location where = {});

  void forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx);

  void for_each_parameter(parameter_visitor<real> f) {
    if (fusion) fusion->for_each_parameter(f);
    if (owns_mix_ && !fusion) mix->for_each_parameter(f);
    for (auto& b : branches) b.for_each_parameter(f);
    if (flex) flex->for_each_parameter(f);
  }

  /// F(the pointer to the mixing weights).
  template <class F>
  void for_each_shared_part(F&& f) {
    f(mix);
  }

  bool reads_sequences() const {
    return std::any_of(branches.begin(), branches.end(), [](const auto& branch) { return branch.reads_sequences(); });
  }
  /// Whether the fused kernel runs: it was asked for, it knows every kind in the mix, and everything that is mixed is frozen.
  bool fused() const;

  std::shared_ptr<mixing_weights<P>> mix;  // w; one for all sites that share it
  std::vector<adapter_site<P>> branches;   // the adapters, then the base
  std::optional<adapter_site<P>> flex;     // on top of the mix c; null: y = c
  std::optional<adapter_site<P>> fusion;   // of the adapters, in mode `fusion`

 private:
  /// The branches as the fused kernel takes them, in scratch memory.
  std::span<const ops::mixed_branch<P>> frozen_branches(context& ctx) const;

  void mix_forward(const_view<real> h, const_view<real> x, const_view<real> w, view<real> c, saved* s, context& ctx) const;
  void mix_backward(const_view<real> dc, const saved& s, view<real>* dh, view<real>* dx, context& ctx);

  bool owns_mix_;
  bool optimized_;
};

static_assert(site<multi_adapter_site<f64>> && site<multi_adapter_site<f32>> && site<multi_adapter_site<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/multi_adapter_site-inl.hpp"  // IWYU pragma: export
#endif
