#pragma once
// One transformer layer, with whatever stands at its two sites.

#include <optional>
#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/encoder/config.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/layers/feed_forward.hpp"
#include "graft/layers/layer_norm.hpp"
#include "graft/layers/self_attention.hpp"

namespace graft {

/// m = site_1(attention(x), x);   y = site_2(feed_forward(m), m)            (post-LayerNorm: the LayerNorms are in the sites)
/// In a family that normalizes first, m = x + site_1(attention(n), n), n = LN_1(x), and y = m + site_2(feed_forward(k), k), k = LN_2(m);
/// the first layer has no LN_1. Backward goes down only as far as something is trained or dx is wanted.
/// @param  x  (N, H) rows are tokens            @param[out] y  (WANTED, H): (N, H), or (B, H) of the first tokens of ctx.offsets' B
///            sequences: nothing behind the attention itself is computed for the others; may be x's memory where it is (N, H)
/// Saved: what the four parts save; a part below everything that is trained saves nothing.
/// Source: transformers' RobertaLayer.   Tested: tests/encoder/encoder_layer_test.cpp
template <class P, site Site>
class encoder_layer {
 public:
  using real = typename P::real;
  struct saved {
    rows_of wanted = rows_of::tokens;
    typename self_attention<P>::saved attention;
    typename Site::saved attention_site;
    typename feed_forward<P>::saved feed;
    typename Site::saved feed_site;
    typename layer_norm<P>::saved attention_norm, feed_norm;
  };
  static constexpr std::uint64_t dropout_streams = 3;  // streams of dropout that a layer uses

  /// Parameters PREFIX.attention.*, PREFIX.intermediate.*, PREFIX.output.*; make_site(site prefix, behind which part) builds each site. Of
  /// a family that has such: it is the FIRST of the layers, or LOCAL, one that sees near tokens alone.
  template <class MakeSite>
  encoder_layer(const std::string& prefix, const encoder_config& c, std::uint64_t dropout_stream, MakeSite&& make_site, bool first = false,
                bool local = false)
      : attention(prefix + ".attention", attention_options(c, dropout_stream, local)),
        attention_site(make_site(prefix + ".attention.output", sub_layer::attention)),
        feed(prefix, feed_options(c, dropout_stream + 2)),
        feed_site(make_site(prefix + ".output", sub_layer::feed_forward)) {
    if (!family_of(c.model_type).pre_norm) return;
    if (!first) attention_norm.emplace(prefix + ".attention.LayerNorm", c.hidden_size, c.layer_norm_eps, c.norm_bias);
    feed_norm.emplace(prefix + ".intermediate.LayerNorm", c.hidden_size, c.layer_norm_eps, c.norm_bias);
  }

  /// WANTS_DX: whether backward will be asked for dx.
  void forward(const_view<real> x, view<real> y, saved* s, context& ctx, rows_of wanted = rows_of::tokens, bool wants_dx = true) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx);

  /// Whether all tokens have to come through, whichever are wanted.
  bool reads_sequences() const {
    const auto gated = [](const linear<P>& l) { return l.gate || (l.mix && l.mix->gated()); };
    const bool any = gated(attention.query) || gated(attention.output) || gated(feed.intermediate) || gated(feed.output);
    return any || attention_site.reads_sequences() || feed_site.reads_sequences();
  }

  void for_each_parameter(parameter_visitor<real> f) {
    if (attention_norm) attention_norm->for_each_parameter(f);
    attention.for_each_parameter(f);
    attention_site.for_each_parameter(f);
    if (feed_norm) feed_norm->for_each_parameter(f);
    feed.for_each_parameter(f);
    feed_site.for_each_parameter(f);
  }

  /// F(projection) for each, attention's first.
  template <class F>
  void for_each_projection(F&& f) {
    attention.for_each_projection(f);
    f(feed.intermediate);
    f(feed.output);
  }

  /// F(pointer) for each to what other layers may have, too, and may train.
  template <class F>
  void for_each_shared_part(F&& f) {
    for_each_projection([&](linear<P>& one) {
      if (one.mix) f(one.mix->weights);
    });
    f(attention.relative);
    if (attention.prefix) f(attention.prefix->network);
    if (attention.mix) {
      f(attention.mix->weights);
      for (auto& member : attention.mix->members) f(member.by.network);
    }
    if constexpr (requires { attention_site.for_each_shared_part(f); }) {
      attention_site.for_each_shared_part(f);
      feed_site.for_each_shared_part(f);
    }
  }

  self_attention<P> attention;                             // the first sub-layer
  Site attention_site;                                     // y = LN(h + x), and what it adds
  feed_forward<P> feed;                                    // the second sub-layer
  Site feed_site;                                          // as attention_site, behind it
  std::optional<layer_norm<P>> attention_norm, feed_norm;  // LN_1, LN_2

 private:
  static typename self_attention<P>::options attention_options(const encoder_config& c, std::uint64_t dropout_stream, bool local) {
    const model_family& family = family_of(c.model_type);
    typename self_attention<P>::options o{c.hidden_size, c.num_attention_heads, c.attention_probs_dropout_prob};
    o.hidden_dropout = family.drops_attention_output ? c.hidden_dropout_prob : 0;
    o.dropout_stream = dropout_stream;
    o.biased = c.attention_bias;
    if (family.positions != position_kind::rotary) return o;
    o.hidden_dropout = c.attention_probs_dropout_prob;
    o.fused = true;
    if (local) o.window = c.local_attention / 2;
    return o;
  }
  static typename feed_forward<P>::options feed_options(const encoder_config& c, std::uint64_t dropout_stream) {
    typename feed_forward<P>::options o{c.hidden_size, c.intermediate_size, c.hidden_dropout_prob, dropout_stream};
    if (!c.hidden_act.empty()) o.act = parse_activation(c.hidden_act);
    o.gated = family_of(c.model_type).pre_norm;
    o.biased = c.mlp_bias;
    o.inner_dropout = c.mlp_dropout;
    return o;
  }
  void forward_pre_norm(const_view<real> x, view<real> y, saved* s, context& ctx, rows_of wanted, bool wants_dx) const;
  void backward_pre_norm(const_view<real> dy, const saved& s, view<real>* dx, context& ctx);
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/encoder/encoder_layer-inl.hpp"  // IWYU pragma: export
#endif
