#pragma once
// Where a backward pass adds its gradients: to the parameters' own, or to a block of memory of one micro-batch.

#include <vector>

#include "graft/core/context.hpp"
#include "graft/core/parameter.hpp"

namespace graft {

/// Lays the gradients of PARAMETERS end to end, in a block of as many numbers as is returned.
template <class T>
index lay_out_gradients(const std::vector<parameter<T>*>& parameters) {
  index size = 0;
  for (parameter<T>* p : parameters) {
    p->gradient_offset = size;
    size += p->size();
  }
  return size;
}

/// While it lives, backward passes with a context add gradients to the block MEMORY.
class gradients_into {
 public:
  gradients_into(context& ctx, void* memory) : ctx_(ctx) { ctx.gradients = memory; }
  gradients_into(const gradients_into&) = delete;
  gradients_into& operator=(const gradients_into&) = delete;
  ~gradients_into() { ctx_.gradients = nullptr; }

 private:
  context& ctx_;
};

/// What a backward pass with CTX adds the gradient of P to: its place in the block ctx.gradients, or, where that is null, its own gradient.
/// @throws error  the parameter is frozen
template <class T>
view<T> gradient_of(parameter<T>& p, const context& ctx) {
  if (ctx.gradients == nullptr) return p.gradient();
  return {static_cast<T*>(ctx.gradients) + p.gradient_offset, p.rows(), p.cols()};
}

}  // namespace graft
