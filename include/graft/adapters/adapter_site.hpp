#pragma once
// A site with one adapter, or with none.

#include <cstdint>
#include <string>
#include <variant>

#include "graft/adapters/adapter_kinds.hpp"
#include "graft/adapters/adapter_options.hpp"
#include "graft/adapters/fusion_adapter.hpp"
#include "graft/layers/layer_norm.hpp"

namespace graft {

namespace detail {

template <class P, class Kinds>
struct any_adapter;
template <class P, template <class> class... Kind>
struct any_adapter<P, kind_list<Kind...>> {
  static_assert((adapter_kind<Kind<P>> && ...));
  using type = std::variant<no_adapter<P>, fusion_adapter<P>, Kind<P>...>;
  using saved = std::variant<typename no_adapter<P>::saved, typename fusion_adapter<P>::saved, typename Kind<P>::saved...>;
};

}  // namespace detail

/// y = LN(h + x) with an adapter of some kind, or a fusion of several: what that computes stands in its file (adapters/adapter_kinds.hpp).
/// @param  h, x  (N, H) sub-layer output and residual            @param[out] y  (N, H)
/// Saved: what the kind saves.   Tested: tests/adapters/site_test.cpp
template <class P>
class adapter_site {
 public:
  using real = typename P::real;
  static constexpr std::uint64_t dropout_streams = std::uint64_t{1} << 35;  // of adapters, two a layer, above all others
  using any_adapter = typename detail::any_adapter<P, detail::adapter_kinds>::type;
  struct saved {
    typename detail::any_adapter<P, detail::adapter_kinds>::saved adapter;
  };

  /// The site at WHERE: the adapter that O describes, parameters ADAPTER_PREFIX.*, unless its kind does not stand here, and LN,
  /// NORM_PREFIX.*
  /// @throws config_error  there is no such kind
  adapter_site(const std::string& adapter_prefix, const std::string& norm_prefix, index hidden_size, double eps, const adapter_options& o,
               site_location where = {});
  /// With a fusion of FUSED, unless they do not stand here.
  /// @throws config_error  as check_fused
  adapter_site(const std::string& adapter_prefix, const std::string& norm_prefix, index hidden_size, double eps,
               const std::vector<mixed_adapter>& fused, const fusion_options& o, site_location where = {});
  /// Without an adapter.
  adapter_site(const std::string& norm_prefix, index hidden_size, double eps);

  void forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx);

  void for_each_parameter(parameter_visitor<real> f) {
    for_each_adapter_parameter(f);
    norm.for_each_parameter(f);
  }
  /// Those of the adapter alone.
  template <class F>
  void for_each_adapter_parameter(F&& f) {
    std::visit([&](auto& kind) { kind.for_each_parameter(f); }, adapter);
  }

  bool reads_sequences() const {
    return std::visit(
        [](const auto& kind) {
          if constexpr (requires { kind.reads_sequences(); }) {
            return kind.reads_sequences();
          } else {
            return false;
          }
        },
        adapter);
  }
  bool has_adapter() const { return adapter.index() != 0; }
  /// Numbers that a row of width H saves.
  index saved_numbers(index h) const {
    return std::visit([&](const auto& kind) { return kind.saved_numbers(h); }, adapter);
  }
  /// The bottleneck in a kind that is made of one; null in any other.
  const bottleneck<P>* module() const;
  bottleneck<P>* module() { return const_cast<bottleneck<P>*>(std::as_const(*this).module()); }

  /// The fusion that stands here; null where there is none.
  fusion_adapter<P>* fusion() { return std::get_if<fusion_adapter<P>>(&adapter); }

  any_adapter adapter;  ///< of one of the registered kinds, or a fusion of some
  layer_norm<P> norm;   ///< LN, the sub-layer's own, which the kind applies
};

static_assert(site<adapter_site<f64>> && site<adapter_site<f32>> && site<adapter_site<bf16>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/adapter_site-inl.hpp"  // IWYU pragma: export
#endif
