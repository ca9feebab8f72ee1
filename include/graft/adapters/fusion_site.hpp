#pragma once
// A site where each token chooses among several adapters (AdapterFusion).

#include <optional>
#include <string>
#include <vector>

#include "graft/adapters/adapter_options.hpp"
#include "graft/adapters/bottleneck.hpp"
#include "graft/core/layer.hpp"
#include "graft/layers/layer_norm.hpp"

namespace graft {

/// With U_k the adapters' modules, LN the encoder's, t = h (houlsby) or LN(h + x) (pfeiffer), as what they read:
///   u_k = U_k(t);   q = W_q z + b_q,   z = t, or h with query_before_ln;   p = softmax_k <q, W_k u_k>
///   c = sum_k p_k u_k;   y = LN(W_v c + h + x)
/// with the identity for each of W_q, W_k, W_v that is left out. residual_before: u_k + h stands for u_k, and nothing more is added.
/// The key's bias moves all scores of a token alike, and thus nothing: it is kept for the files that have it, its gradient is zero.
/// Backward, from d, LN's dx of dy:  dc = d W_v;   dp_k = <dc, u_k>;   ds = p (dp - <p, dp>);   with g = q W_k and e = sum_k ds_k u_k:
///   dq = e W_k^T;   dW_k += q^T e;   du_k = p_k dc + ds_k g, and on through the modules
/// Saved: LN's, the modules', the u_k (N each), q, g, p, c.
/// Source: Pfeiffer et al. 2021, section 3.2; AdapterHub's library, methods/bottleneck.py and BertFusion, without its dropout of scores and
/// its regularization of W_v.   Tested: tests/adapters/fusion_site_test.cpp
template <class P>
class fusion_site {
 public:
  using real = typename P::real;
  struct saved {
    typename layer_norm<P>::saved inner, norm;
    std::vector<typename bottleneck<P>::saved> modules;
    buffer<real> u;  // (M N, H): adapter after adapter
    buffer<real> z, q, g, p, c;
  };

  /// Parameters PREFIX.multi_adapter.adapter_dict.NAME.{down,up}_project.*, PREFIX.multi_adapter.fusion.{query,key}.*, ....value.weight,
  /// and PREFIX.LayerNorm.*, alone where the adapters do not stand.
  fusion_site(const std::string& prefix, index hidden_size, double eps, const multi_adapter_options& o, site_location where);

  void forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx);

  template <class F>
  void for_each_parameter(F&& f) {
    for (auto& m : modules) m.for_each_parameter(f);
    for_each_fusion_parameter(f);
    norm.for_each_parameter(f);
  }
  /// Those of the fusion alone.
  template <class F>
  void for_each_fusion_parameter(F&& f) {
    if (query) query->for_each_parameter(f);
    if (key) key->for_each_parameter(f);
    if (value) f(*value);
  }
  bool reads_sequences() const { return false; }
  /// Numbers that a row of width H saves.
  index saved_numbers(index h) const;

  std::vector<bottleneck<P>> modules;    // U_k
  std::optional<linear<P>> query, key;   // W_q, b_q and W_k, with a bias
  std::optional<parameter<real>> value;  // W_v
  layer_norm<P> norm;

 private:
  fusion_options options_;
  bool behind_;  // t is LN(h + x)
};

static_assert(site<fusion_site<f64>> && site<fusion_site<f32>> && site<fusion_site<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/fusion_site-inl.hpp"  // IWYU pragma: export
#endif
