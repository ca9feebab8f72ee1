#pragma once
// The trunk: embeddings and a stack of layers.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graft/encoder/embeddings.hpp"
#include "graft/encoder/encoder_layer.hpp"
#include "graft/encoder/known_states.hpp"
#include "graft/layers/coupling_mix.hpp"
#include "graft/layers/rotary_positions.hpp"

namespace graft {

/// x_0 = embeddings(batch), through an invertible adapter, or several in a mix, where there are such;   x_l+1 = layer_l(x_l)
/// What attention knows of distances, all layers share. Where the family normalizes first, a LayerNorm ends it.
/// Backward stops at the lowest layer that holds a trained parameter; below it forward saves nothing. With KNOWN states forward begins
/// behind its layers, which drop out nothing: what it does not know is computed, a sequence at a time.
/// @param  b  N packed tokens in B sequences            @param[out] y  (WANTED, H): (N, H), or (B, H) of the first tokens, which costs less
/// Saved: what the embeddings and the layers above the lowest trained parameter save.
/// Source: transformers' RobertaModel and BertModel, without pooler.   Tested: tests/model/gradient_test.cpp, invariants_test.cpp
template <class P, site Site>
class encoder {
 public:
  using real = typename P::real;
  using layer_type = encoder_layer<P, Site>;
  struct saved {
    rows_of wanted = rows_of::tokens;
    typename embeddings<P>::saved embedded;
    typename coupling_mix<P>::saved coupled;
    std::vector<typename layer_type::saved> layers;
    typename layer_norm<P>::saved last_norm;
  };

  /// Parameters PREFIX.embeddings.* and PREFIX.encoder.layer.L.*; make_site(site prefix, location) builds the sites, in order.
  template <class MakeSite>
  encoder(const std::string& prefix, const encoder_config& c, MakeSite&& make_site)
      : embedded(prefix + ".embeddings", c, layer_type::dropout_streams * static_cast<std::uint64_t>(c.num_hidden_layers)),
        hidden_size_(c.hidden_size) {
    layers.reserve(static_cast<std::size_t>(c.num_hidden_layers));
    for (index l = 0; l < c.num_hidden_layers; ++l) {
      layers.emplace_back(
          prefix + ".encoder.layer." + std::to_string(l), c, layer_type::dropout_streams * static_cast<std::uint64_t>(l),
          [&](const std::string& site_prefix, sub_layer behind) {
            return make_site(site_prefix, site_location{behind, l});
          },
          l == 0, is_local(c, l));
    }
    if (const auto o = relative_options_of(c)) {
      relative = std::make_shared<relative_positions<P>>(prefix + ".encoder", *o);
      for (auto& l : layers) l.attention.relative = relative;
    }
    if (family_of(c.model_type).pre_norm) last_norm.emplace(prefix + ".encoder.LayerNorm", c.hidden_size, c.layer_norm_eps, c.norm_bias);
    if (family_of(c.model_type).positions == position_kind::rotary) add_rotary_positions(c);
  }
  /// A copy shares no numbers that can be trained with OTHER, though its layers share among themselves what OTHER's do.
  encoder(const encoder& other)
      : embedded(other.embedded),
        invertible(other.invertible),
        relative(other.relative),
        layers(other.layers),
        last_norm(other.last_norm),
        known(other.known),
        int8(other.int8),
        hidden_size_(other.hidden_size_) {
    own_shared_parts();
  }
  encoder(encoder&&) = default;
  encoder& operator=(const encoder& other) { return *this = encoder(other); }
  encoder& operator=(encoder&&) = default;

  index hidden_size() const { return hidden_size_; }

  /// The number of layers through which backward need not go: -1 means that something below or beside all of them is trained, too.
  index lowest_trainable() const;

  /// @throws config_error  a trained parameter lies in a layer of KNOWN, or below
  void forward(const batch& b, view<real> y, saved* s, context& ctx, rows_of wanted = rows_of::tokens) const;
  /// y = x_COUNT of B's tokens, (N, H), without dropout. The same bits for a sequence in any batch where the encoder's sizes are multiples
  /// of 16 and Y begins at one of 64 bytes, and else alone.
  void forward_below(const batch& b, index count, view<real> y, context& ctx) const;
  void backward(const_view<real> dy, const batch& b, const saved& s, context& ctx);

  /// The parts of forward, for callers that take some of the layers alone: what goes into the first of them, x_0 (N, H) ...
  void embed(const batch& b, view<real> x, saved* s, context& ctx) const;
  /// ... and x (N, H), which goes into layer FIRST and is overwritten, behind the layers before LAST: y (WANTED, H), which may be x's
  /// memory where all tokens are wanted. The sequences are ctx.offsets'. The LayerNorm that ends the stack is the caller's.
  void run_layers(index first, index last, view<real> x, view<real> y, saved* s, context& ctx, rows_of wanted = rows_of::tokens) const;

  void for_each_parameter(parameter_visitor<real> f) {
    embedded.for_each_parameter(f);
    if (invertible) invertible->for_each_parameter(f);
    if (relative) relative->for_each_parameter(f);
    for (auto& l : layers) l.for_each_parameter(f);
    if (last_norm) last_norm->for_each_parameter(f);
  }

  embeddings<P> embedded;                           // what goes into the first of the layers
  std::optional<coupling_mix<P>> invertible;        // ... by way of this
  std::shared_ptr<relative_positions<P>> relative;  // what attention is told of distances; null: nothing
  std::vector<layer_type> layers;                   // the lowest first
  std::optional<layer_norm<P>> last_norm;           // behind them, where the family has one
  std::shared_ptr<const known_states> known;        // of the lowest of them, of numbers of type real; null: nothing is known
  bool int8 = false;                                // frozen weights of the layers are packed in 8 bits (model/freezing.hpp)

 private:
  void own_shared_parts() {
    std::map<const void*, std::shared_ptr<void>> copies;
    const auto own = [&]<class T>(std::shared_ptr<T>& part) {
      if (part == nullptr) return;
      auto& copy = copies[part.get()];
      if (copy == nullptr) copy = std::make_shared<T>(*part);
      part = std::static_pointer_cast<T>(copy);
    };
    own(relative);
    if (invertible) own(invertible->weights);
    for (auto& l : layers) l.for_each_shared_part(own);
  }
  void read_known(const batch& b, view<real> y, context& ctx) const;
  static bool is_local(const encoder_config& c, index l) {
    return l < std::ssize(c.local_layers) && c.local_layers[static_cast<std::size_t>(l)];
  }
  void add_rotary_positions(const encoder_config& c) {
    std::shared_ptr<const rotary_positions<P>> angles[2];  // of layers that see everything, and of the others
    for (index l = 0; l < c.num_hidden_layers; ++l) {
      const bool local = is_local(c, l);
      auto& shared_angles = angles[local ? 1 : 0];
      if (shared_angles == nullptr) {
        shared_angles = std::make_shared<const rotary_positions<P>>(
            c.hidden_size / c.num_attention_heads, local ? c.local_rope_theta : c.global_rope_theta, c.max_sequence_length());
      }
      layers[static_cast<std::size_t>(l)].attention.rotary = shared_angles;
    }
  }
  index hidden_size_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/encoder/encoder-inl.hpp"  // IWYU pragma: export
#endif
