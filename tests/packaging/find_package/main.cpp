// A layer on oneDNN, from an installed graft.

#include "graft/layers/linear.hpp"

int main() {
  graft::context ctx;
  graft::linear<graft::f32> layer("layer", 3, 2);
  layer.weight.edit() << 1, 2, 3, 4, 5, 6;
  layer.bias.edit() << 0, 1;
  graft::matrix<float> x(1, 3), y(1, 2);
  x << 1, 1, 1;
  layer.forward(x, y, nullptr, ctx);
  return y(0, 0) == 6 && y(0, 1) == 16 ? 0 : 1;
}
