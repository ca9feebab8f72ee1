#pragma once
// Where a backward pass adds its gradients: to the parameters' own, or to a block of memory of one micro-batch.

#include <algorithm>
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

/// The numbers BEGIN .. END - 1 of a block of gradients: of LAYER and what is above it. They are whole when backward is through with that
/// layer; of layer 0, when all of it is done.
struct gradient_segment {
  index layer, begin, end;
};

/// SEGMENTS becomes those of the gradients that are laid out for MODEL, from the head down, whole layers each, and of LEAST numbers or
/// more: a block of SIZE numbers. Parameters that several layers share belong to the lowest of these.
template <class M>
void cut_into_segments(M& model, index size, index least, std::vector<gradient_segment>& segments) {
  segments.clear();
  index end = size, begin = size;
  for (index l = std::ssize(model.trunk.layers) - 1; l > 0; --l) {
    model.trunk.layers[static_cast<std::size_t>(l)].for_each_parameter([&](const auto& p) {
      if (p.is_trained()) begin = std::min(begin, p.gradient_offset);
    });
    if (std::min(begin, end - begin) < std::max<index>(least, 1)) continue;
    segments.push_back({l, begin, end});
    end = begin;
  }
  segments.push_back({0, 0, end});
}

/// While it lives, backward passes with a context add gradients to the block MEMORY, and tell LAYER_DONE, if there is one, of each layer
/// that they are through with.
class gradients_into {
 public:
  gradients_into(context& ctx, void* memory, const function_view<void(index)>* layer_done = nullptr)
      : gradients_(ctx.gradients_, memory), layer_done_(ctx.layer_done_, layer_done) {}

 private:
  set_for_scope<void*> gradients_;
  set_for_scope<const function_view<void(index)>*> layer_done_;
};

/// What a backward pass with CTX adds the gradient of P to: its place in the block ctx.gradients(), or, where that is null, its own
/// gradient.
/// @throws error  the parameter is frozen
template <class T>
view<T> gradient_of(parameter<T>& p, const context& ctx) {
  if (ctx.gradients() == nullptr) return p.gradient();
  return {static_cast<T*>(ctx.gradients()) + p.gradient_offset, p.rows(), p.cols()};
}

}  // namespace graft
