#pragma once
// A callable that somebody else owns, without its type: what takes one is compiled once, not once a lambda.

#include <memory>
#include <type_traits>
#include <utility>

namespace graft {

template <class Signature>
class function_view;

/// Refers to a callable, or a function, for as long as that lives; a call costs a jump. Tested: tests/core/function_view_test.cpp
template <class Result, class... Arguments>
class function_view<Result(Arguments...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, function_view> && std::is_invocable_r_v<Result, F&, Arguments...>)
      function_view(F&& f)  // NOLINT: implicit on purpose
      : object_((void*)std::addressof(f)), call_([](void* object, Arguments... arguments) -> Result {
          auto& callable = *reinterpret_cast<std::remove_reference_t<F>*>(object);
          if constexpr (std::is_void_v<Result>) {
            callable(std::forward<Arguments>(arguments)...);
          } else {
            return callable(std::forward<Arguments>(arguments)...);
          }
        }) {}

  Result operator()(Arguments... arguments) const { return call_(object_, std::forward<Arguments>(arguments)...); }

 private:
  void* object_;
  Result (*call_)(void*, Arguments...);
};

}  // namespace graft
