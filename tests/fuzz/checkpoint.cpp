// Checkpoints of a run that trains a weight and a bias.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include "graft/train/checkpoint.hpp"

GRAFT_HARNESS(checkpoint) {
  const auto path = graft_fuzz::write("checkpoint", {reinterpret_cast<const char*>(data), size});
  auto weight = graft::parameter<float>::table("w", graft::parameter_role::weight, 2, 3);
  auto bias = graft::parameter<float>::vector("b", graft::parameter_role::bias, 3);
  weight.train();
  bias.train();
  const graft::run_identity identity{{"learning_rate", "0.001"}, {"training rows", "0123456789abcdef"}};
  graft_fuzz::attempt([&] {
    graft::adamw<float> optimizer({&weight, &bias}, {});
    std::vector<graft::matrix<float>> best;
    const auto state = graft::load_checkpoint(path, identity, optimizer, best);
    graft_fuzz::require(best.empty() == !state.best_score && optimizer.steps() == state.global_step);
  });
  return 0;
}
