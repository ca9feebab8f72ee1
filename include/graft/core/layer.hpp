#pragma once
// The contract that every layer keeps, as C++20 concepts.
//
// Outputs belong to the caller, saved activations to the nested `saved` struct, temporaries to ctx.memory; a layer holds
// parameters only, so forward is const. Backward adds to parameter gradients (+=) and overwrites activation gradients (=).
// A frozen parameter costs nothing: no gradient, no product for it, nothing saved for it.

#include <concepts>
#include <string>

#include "graft/core/context.hpp"
#include "graft/core/gradients.hpp"
#include "graft/core/parameter.hpp"
#include "graft/core/types.hpp"

namespace graft {

namespace detail {
struct any_visitor {
  template <class T>
  void operator()(parameter<T>&) const {}
  template <class T>
  void operator()(const parameter<T>&) const {}
};
}  // namespace detail

/// Something with parameters that can be visited, each once.
template <class L>
concept parameterized = requires(L& layer, detail::any_visitor visit) {
  layer.for_each_parameter(visit);
};

/// y = f(x); forward(x, y, saved or nullptr, ctx), backward(dy, saved, dx or nullptr, ctx).
template <class L>
concept layer = parameterized<L> &&
    requires(const L& fixed, L& mutable_layer, const_view<typename L::real> in, view<typename L::real> out, typename L::saved* filled,
             const typename L::saved& saved, view<typename L::real>* dx, context& ctx) {
  fixed.forward(in, out, filled, ctx);
  mutable_layer.backward(in, saved, dx, ctx);
};

/// A place where a sub-layer's output h meets the residual x: y = f(h, x). It reads rows one by one, or whole sequences (reads_sequences,
/// ctx.offsets()): then it is given all tokens, even where only the first ones are wanted. What it shares with other sites and may train,
/// it shows to for_each_shared_part(f), as f(std::shared_ptr&), so that a copy of a model gets its own.
template <class S>
concept site = parameterized<S> &&
    requires(const S& fixed, S& mutable_site, const_view<typename S::real> in, view<typename S::real> out, typename S::saved* filled,
             const typename S::saved& saved, view<typename S::real>* dx, context& ctx) {
  fixed.forward(in, in, out, filled, ctx);
  mutable_site.backward(in, saved, dx, dx, ctx);
  { fixed.reads_sequences() } -> std::same_as<bool>;
};

/// Where a part keeps what its backward needs, in what the whole keeps, if that keeps anything: s->*PART, or null.
template <class S, class T>
T* part_of(S* s, T S::*part) {
  return s != nullptr ? &(s->*part) : nullptr;
}

/// Room for a matrix that backward may need: what SAVED becomes, or scratch memory where that is null.
template <class T>
view<T> saved_or_scratch(buffer<T>* saved, index rows, index cols, context& ctx) {
  return saved != nullptr ? saved->resize(rows, cols) : ctx.memory.take<T>(rows, cols);
}

/// Whether any parameter of LAYER is trained, or one of another's whose gradient it adds to.
template <parameterized L>
bool is_trainable(const L& layer) {
  bool found = false;
  if constexpr (requires { layer.trains_elsewhere(); }) found = layer.trains_elsewhere();
  const_cast<L&>(layer).for_each_parameter([&](auto& p) { found = found || p.is_trained(); });
  return found;
}

}  // namespace graft
