#pragma once
// One transformer layer, with whatever stands at its two sites.

#include <string>

#include "graft/core/layer.hpp"
#include "graft/core/tuning_options.hpp"
#include "graft/encoder/config.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/layers/feed_forward.hpp"
#include "graft/layers/self_attention.hpp"

namespace graft {

/// m = site_1(attention(x), x);   y = site_2(feed_forward(m), m)            (post-LayerNorm: the LayerNorms are in the sites)
/// Backward goes down only as far as something is trained or dx is wanted.
/// @param  x  (N, H) rows are tokens            @param[out] y  (WANTED, H): (N, H), or (B, H) of the first tokens of ctx.offsets' B
///            sequences: nothing behind the attention itself is computed for the others
/// Saved: what the four parts save; a part below everything that is trained saves nothing.
/// Source: transformers' RobertaLayer.   Tested: tests/encoder/encoder_layer_test.cpp
template <class P, site Site>
class encoder_layer {
 public:
  using real = typename P::real;
  struct saved {
    bool wants_dx = true;  // set by the caller before forward: will backward be asked for dx?
    rows_of wanted = rows_of::tokens;
    typename self_attention<P>::saved attention;
    typename Site::saved attention_site;
    typename feed_forward<P>::saved feed;
    typename Site::saved feed_site;
  };
  static constexpr std::uint64_t dropout_streams = 3;  // dropout dropout_streams that a layer uses

  /// Parameters PREFIX.attention.*, PREFIX.intermediate.*, PREFIX.output.*; make_site(site prefix, behind which part) builds each site.
  template <class MakeSite>
  encoder_layer(const std::string& prefix, const encoder_config& c, std::uint64_t dropout_stream, MakeSite&& make_site)
      : attention(prefix + ".attention", {c.hidden_size, c.num_attention_heads, c.attention_probs_dropout_prob,
                                          family_of(c.model_type).drops_attention_output ? c.hidden_dropout_prob : 0, dropout_stream}),
        attention_site(make_site(prefix + ".attention.output", sub_layer::attention)),
        feed(prefix, {c.hidden_size, c.intermediate_size, c.hidden_dropout_prob, dropout_stream + 2,
                      c.hidden_act.empty() ? activation::gelu : parse_activation(c.hidden_act)}),
        feed_site(make_site(prefix + ".output", sub_layer::feed_forward)) {}

  void forward(const_view<real> x, view<real> y, saved* s, context& ctx, rows_of wanted = rows_of::tokens) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dx, context& ctx);

  /// Whether all tokens have to come through, whichever are wanted.
  bool reads_sequences() const {
    const auto gated = [](const linear<P>& l) { return l.gate || (l.mix && l.mix->gated()); };
    const bool any = gated(attention.query) || gated(attention.output) || gated(feed.intermediate) || gated(feed.output);
    return any || attention_site.reads_sequences() || feed_site.reads_sequences();
  }

  template <class F>
  void for_each_parameter(F&& f) {
    attention.for_each_parameter(f);
    attention_site.for_each_parameter(f);
    feed.for_each_parameter(f);
    feed_site.for_each_parameter(f);
  }

  /// F(projection) for each of the six, attention's first.
  template <class F>
  void for_each_projection(F&& f) {
    for (auto* one : {&attention.query, &attention.key, &attention.value, &attention.output, &feed.intermediate, &feed.output}) f(*one);
  }

  self_attention<P> attention;  // each with the site behind it, which adds the residual and normalizes
  Site attention_site;
  feed_forward<P> feed;
  Site feed_site;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/encoder/encoder_layer-inl.hpp"  // IWYU pragma: export
#endif
