// Weights of an encoder, in any container, with any element type: opened, told apart, exported, and loaded to answer with.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include "graft/io/model_file.hpp"
#include "graft/encoder/config.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/predict/predictor.hpp"

GRAFT_HARNESS(model) {
  static const std::string config_path = GRAFT_TEST_DIR "/golden/model/config.json";
  static const auto config = graft::read_encoder_config(config_path);
  const auto path = graft_fuzz::write("model", {reinterpret_cast<const char*>(data), size});
  graft_fuzz::attempt([&] {
    const auto stored = graft::open_model(path, config.model_type);
    const auto shapes = graft::trunk_tensors(config, stored);
    const auto print = graft::fingerprint(stored, graft::to_json(config), shapes);
    const std::string exported = graft_fuzz::folder() / "exported";
    graft::write_model_file(exported, stored, graft::to_json(config), path);
    graft_fuzz::require(graft::fingerprint(graft::open_model(exported, config.model_type), graft::to_json(config), shapes) == print);
  });
  graft_fuzz::attempt([&] { graft::predictor({path, config_path, ""}); });
  graft_fuzz::attempt([&] { graft::predictor({path, "", ""}); });  // with the configuration that it carries
  return 0;
}
