#pragma once
// The trunk: embeddings and a stack of layers.

#include <string>
#include <vector>

#include "graft/encoder/embeddings.hpp"
#include "graft/encoder/encoder_layer.hpp"

namespace graft {

/// x_0 = embeddings(batch);   x_l+1 = layer_l(x_l)
/// Backward stops at the lowest layer that holds a trained parameter; below it forward saves nothing.
/// @param  b  N packed tokens in B sequences            @param[out] y  (WANTED, H): (N, H), or (B, H) of the first tokens, which costs less
/// Saved: what the embeddings and the layers above the lowest trained parameter save.
/// Source: transformers' RobertaModel and BertModel, without pooler.   Tested: tests/model/gradient_test.cpp, invariants_test.cpp
template <class P, site Site>
class encoder {
 public:
  using real = typename P::real;
  using layer_type = encoder_layer<P, Site>;
  struct saved {
    typename embeddings<P>::saved embedded;
    std::vector<typename layer_type::saved> layers;
  };

  /// Parameters PREFIX.embeddings.* and PREFIX.encoder.layer.L.*; make_site(site prefix, layer) builds the sites, in order.
  template <class MakeSite>
  encoder(const std::string& prefix, const encoder_config& c, MakeSite&& make_site)
      : embedded(prefix + ".embeddings", c, layer_type::places * static_cast<std::uint64_t>(c.num_hidden_layers)),
        hidden_size_(c.hidden_size) {
    layers.reserve(static_cast<std::size_t>(c.num_hidden_layers));
    for (index l = 0; l < c.num_hidden_layers; ++l) {
      layers.emplace_back(prefix + ".encoder.layer." + std::to_string(l), c, layer_type::places * static_cast<std::uint64_t>(l),
                          [&](const std::string& site_prefix) { return make_site(site_prefix, l); });
    }
  }
  index hidden_size() const { return hidden_size_; }

  /// The number of layers through which backward need not go: -1 means that the embeddings are trained too.
  index lowest_trainable() const {
    if (is_trainable(embedded)) return -1;
    index l = 0;
    while (l < static_cast<index>(layers.size()) && !is_trainable(layers[static_cast<std::size_t>(l)])) ++l;
    return l;
  }

  void forward(const batch& b, view<real> y, saved* s, context& ctx, rows_of wanted = rows_of::tokens) const {
    const index rows = wanted == rows_of::tokens ? b.rows() : b.size();
    check_shape(y.rows() == rows, "encoder", "y", y, [&] { return shape_text({rows, hidden_size_}) + " is needed"; });
    ctx.offsets = b.offsets;
    const index depth = static_cast<index>(layers.size());
    const index lowest = s != nullptr ? lowest_trainable() : 0;
    if (s != nullptr) s->layers.resize(layers.size());
    scratch::mark mark(ctx.memory);
    view<real> states[] = {ctx.memory.take<real>(b.rows(), hidden_size_), ctx.memory.take<real>(b.rows(), hidden_size_)};
    embedded.forward(b, states[0], s != nullptr && lowest < 0 ? &s->embedded : nullptr, ctx);
    for (index l = 0; l < depth; ++l) {
      auto* kept = s != nullptr && l >= lowest ? &s->layers[static_cast<std::size_t>(l)] : nullptr;
      if (kept != nullptr) kept->wants_dx = l > lowest;
      layers[static_cast<std::size_t>(l)].forward(states[l % 2], l + 1 == depth ? y : states[(l + 1) % 2], kept, ctx,
                                                  l + 1 == depth ? wanted : rows_of::tokens);
    }
  }
  void backward(const_view<real> dy, const batch& b, const saved& s, context& ctx) {
    ctx.offsets = b.offsets;
    const index lowest = lowest_trainable();
    scratch::mark mark(ctx.memory);
    view<real> gradients[] = {ctx.memory.take<real>(b.rows(), dy.cols()), ctx.memory.take<real>(b.rows(), dy.cols())};
    const index depth = static_cast<index>(layers.size());
    for (index l = depth - 1; l >= 0 && l >= lowest; --l) {
      const const_view<real> dy_l = l + 1 == depth ? dy : const_view<real>(gradients[(l + 1) % 2]);
      layers[static_cast<std::size_t>(l)].backward(dy_l, s.layers[static_cast<std::size_t>(l)], l > lowest ? &gradients[l % 2] : nullptr,
                                                   ctx);
    }
    if (lowest < 0) embedded.backward(gradients[0], b, s.embedded, ctx);
  }

  template <class F>
  void for_each_parameter(F&& f) {
    embedded.for_each_parameter(f);
    for (auto& l : layers) l.for_each_parameter(f);
  }

  embeddings<P> embedded;
  std::vector<layer_type> layers;

 private:
  index hidden_size_;
};

}  // namespace graft
