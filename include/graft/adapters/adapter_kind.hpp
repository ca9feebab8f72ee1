#pragma once
// What every kind of adapter is to the rest of graft.

#include <concepts>
#include <string>
#include <string_view>

#include "graft/adapters/adapter_options.hpp"
#include "graft/adapters/bottleneck.hpp"
#include "graft/layers/layer_norm.hpp"

namespace graft {

/// A kind of adapter: what it makes, at one site, of the sub-layer's output h, of x, which the sub-layer read, and of the site's LayerNorm
/// LN. It holds parameters only; LN is the site's. Where the layer normalizes what its parts read, that is x, LN is the identity, and the
/// residual is added behind the site: y = h + U(...) where it would be LN(h + x + U(...)), LN.residual(x) being nothing.
///   name                             by which options, files and flags call it
///   stands_at(options, location)     whether it stands at that site; where not, the site is y = LN(h + x)
///   K(prefix, hidden_size, options, location)   its parameters, called PREFIX...., zero until they are initialized or loaded
///   forward(h, x, norm, y, saved or nullptr, ctx)           y may be neither h's nor x's memory
///   backward(dy, saved, norm, dh or nullptr, dx or nullptr, ctx)    dh and dx are overwritten
///   saved_numbers(h)                 how many numbers a row of width H saves, for the estimate of memory
/// A kind that reads more than one token at a time, with `bool reads_sequences() const`, is given whole sequences, at ctx.offsets().
/// A kind whose `module` is the only thing in it besides the LayerNorm may say so with `static constexpr bool reads_norm` (whether the
/// module reads LN(h + x), or h): the fused kernel of mixes then computes it, y = LN(h + x + U(...)). A kind that reads
/// adapter_options::settings says `static constexpr bool takes_settings`, and its stands_at refuses what they may not be.
template <class K>
concept adapter_kind = parameterized<K> &&
    requires(const K& fixed, K& trained, const_view<typename K::real> in, view<typename K::real> out, typename K::saved* saved_out,
             const typename K::saved& saved_in, view<typename K::real>* d, layer_norm<typename K::precision>& norm, context& ctx,
             const adapter_options& o, site_location where, const std::string& prefix, index n) {
  { K::name } -> std::convertible_to<std::string_view>;
  { K::stands_at(o, where) } -> std::same_as<bool>;
  K(prefix, n, o, where);
  fixed.forward(in, in, norm, out, saved_out, ctx);
  trained.backward(in, saved_in, norm, d, d, ctx);
  { fixed.saved_numbers(n) } -> std::same_as<index>;
};

namespace detail {

/// y = h + x + U(t), U being MODULE: a kind's sum before the LayerNorm. An x of no rows is not added (layer_norm::residual).
template <class P>
void add_update(const bottleneck<P>& module, const_view<typename P::real> t, const_view<typename P::real> h, const_view<typename P::real> x,
                view<typename P::real> y, typename bottleneck<P>::saved* s, context& ctx) {
  module.update(t, s, ctx, ops::add{h}, ops::add{x, typename P::real(x.rows() > 0 ? 1 : 0)}, ops::store{y});
}

}  // namespace detail
}  // namespace graft
