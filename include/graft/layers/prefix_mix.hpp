#pragma once
// What the prefixes in a mix change of one attention, each with its weight.

#include <algorithm>
#include <vector>

#include "graft/layers/attention_prefix.hpp"
#include "graft/layers/mixing_weights.hpp"
#include "graft/ops/attention_core.hpp"

namespace graft {

/// c = (1 - sum_k w_k) c_0 + sum_k w_k c_k,   c_k = attention(q, keys and values behind prefix k's), c_0 with those of the tokens alone,
/// which is what every other member has: where all w of the mix sum to one, c = sum of w times what each member alone would give here.
/// Backward:  dw_k = <dc, c_k - c_0>;   dc times its weight goes through each attention to q, keys, values and prefix.
/// @param  q  (QUERIES, H)      @param kv  (N, 2 H) keys beside values      @param c  (QUERIES, H) in: c_0, out: c
/// Saved: c_0, c_k, the keys and values behind each prefix.   Tested: tests/model/gradient_test.cpp, tests/model/mix_test.cpp
template <class P>
class prefix_mix : public mixed_parts<P, attention_prefix<P>> {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  using parts = mixed_parts<P, attention_prefix<P>>;
  using parts::parts, parts::members, parts::weights;
  struct saved {
    struct one {
      buffer<operand> kv, c;
      typename attention_prefix<P>::saved prefix;
    };
    buffer<operand> alone;  // c_0
    std::vector<one> with;
  };

  /// x is what q, keys and values were made of, O and MORE how the attention around it is computed; a prefix has no numbers of MORE.
  void forward(const_view<real> x, const_view<operand> q, const_view<operand> kv, view<operand> c, saved* s,
               const ops::attention_options& o, const ops::score_numbers<P>& more, context& ctx) const;
  /// Overwrites dq and dkv. Returns the beta with which the caller is to add to dx, as attention_prefix's backward.
  real backward(const_view<operand> dc, const_view<operand> x, const_view<operand> q, const_view<operand> kv, const saved& s,
                view<operand> dq, view<operand> dkv, view<real>* dx, real beta, ops::attention_options o, const ops::score_numbers<P>& more,
                context& ctx);

  /// Whether a gradient needs x.
  bool needs_input() const {
    return std::ranges::any_of(members, [](const auto& m) { return m.by.needs_input(); });
  }

 private:
  /// w (1, M), in scratch memory, and 1 - sum_k w_k.
  std::pair<view<real>, real> current(context& ctx) const;
};

static_assert(parameterized<prefix_mix<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/layers/prefix_mix-inl.hpp"  // IWYU pragma: export
#endif
