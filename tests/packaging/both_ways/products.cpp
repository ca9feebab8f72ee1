// Prints, bit by bit, the numbers of products.

#include "products.hpp"

#include <cstdio>

int main() {
  std::vector<double> all;
  add_product<graft::f32>(all);
  add_product<graft::bf16>(all);
  for (const double x : all) std::printf("%a\n", x);
}
