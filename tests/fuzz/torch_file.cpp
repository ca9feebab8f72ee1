// Pickles of tensors in both containers of torch.save.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include "graft/io/torch_file.hpp"

GRAFT_HARNESS(torch_file) {
  const auto path = graft_fuzz::write("x", {reinterpret_cast<const char*>(data), size});
  graft_fuzz::attempt([&] { graft_fuzz::touch(graft::torch_file(path)); });
  return 0;
}
