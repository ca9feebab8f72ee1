#pragma once
// Several adapters at one site, among which each token chooses (AdapterFusion).

#include <optional>
#include <string>
#include <vector>

#include "graft/adapters/adapter_options.hpp"
#include "graft/adapters/general_adapter.hpp"
#include "graft/layers/layer_norm.hpp"
#include "graft/layers/linear.hpp"

namespace graft {

/// With U_k the adapters' modules, s_k and LNb_k as general_adapter's, LN the site's; t, r and what is added, as the last of them says:
///   t = h, LN(h + x) (original_ln_before), or x (is_parallel);   r = h, h + x or t;   is_parallel: r = x
///   u_k = s_k U_k(LNb_k(t));   q = W_q z + b_q,   z = t, or h with query_before_ln;   p = softmax_k <q, W_k u_k>
///   c = sum_k p_k u_k;   o = W_v c + r, is_parallel: and + h;   y = LN(o + x), or o
/// with the identity for each of W_q, W_k, W_v that is left out. residual_before: u_k + r stands for u_k, and r is not added once more.
/// The key's bias moves all scores of a token alike, and thus nothing: it is kept for the files that have it, its gradient is zero. So are
/// gates and LayerNorms behind the modules, which the library leaves out here.
/// Backward, from d, LN's dx of dy:  dc = d W_v;   dp_k = <dc, u_k>;   ds = p (dp - <p, dp>);   with g = q W_k and e = sum_k ds_k u_k:
///   dq = e W_k^T;   dW_k += q^T e;   du_k = p_k dc + ds_k g, and on through the modules
/// Saved: LN's, the modules', the u_k (N each), q, g, p, c.
/// Source: Pfeiffer et al. 2021, section 3.2; AdapterHub's library, methods/bottleneck.py and BertFusion, without its dropout of scores and
/// its regularization of W_v.   Tested: tests/adapters/fusion_adapter_test.cpp
template <class P>
class fusion_adapter {
 public:
  using precision = P;
  using real = typename P::real;
  static constexpr std::string_view name = "fusion";
  struct saved {
    typename layer_norm<P>::saved inner, norm;
    std::vector<typename general_adapter<P>::saved> modules;
    buffer<real> u;  // (M N, H): adapter after adapter
    buffer<real> z, q, g, p, c;
  };

  /// Parameters PREFIX.adapter_dict.NAME.*, PREFIX.fusion.{query,key}.* and PREFIX.fusion.value.weight.
  /// @throws config_error  as check_fused
  fusion_adapter(const std::string& prefix, index hidden_size, const std::vector<mixed_adapter>& fused, const fusion_options& o,
                 site_location where);

  static bool stands_at(const std::vector<mixed_adapter>& fused, site_location where);

  void forward(const_view<real> h, const_view<real> x, const layer_norm<P>& norm, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, layer_norm<P>& norm, view<real>* dh, view<real>* dx, context& ctx);

  void for_each_parameter(parameter_visitor<real> f) {
    for (auto& m : modules) m.for_each_parameter(f);
    for_each_fusion_parameter(f);
  }
  /// Those of the fusion alone.
  template <class F>
  void for_each_fusion_parameter(F&& f) {
    if (query) query->for_each_parameter(f);
    if (key) key->for_each_parameter(f);
    if (value) f(*value);
  }
  /// Numbers that a row of width H saves.
  index saved_numbers(index h) const;

  std::vector<general_adapter<P>> modules;  // U_k
  std::optional<linear<P>> query, key;      // W_q, b_q and W_k, with a bias
  std::optional<parameter<real>> value;     // W_v

 private:
  fusion_options options_;
  general_adapter_options form_;  // the last one's
};

static_assert(parameterized<fusion_adapter<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/fusion_adapter-inl.hpp"  // IWYU pragma: export
#endif
