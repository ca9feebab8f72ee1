// safetensors files, as plain weights and as the flat model files of graft.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include "graft/core/json.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"

GRAFT_HARNESS(safetensors) {
  const auto path = graft_fuzz::write("x", {reinterpret_cast<const char*>(data), size});
  graft_fuzz::attempt([&] { graft_fuzz::touch(graft::safetensors_file(path)); });
  for (const auto* type : {"roberta", "bert"}) {
    graft_fuzz::attempt([&] { graft_fuzz::touch(graft::open_model(path, type)); });
  }
  graft_fuzz::attempt([&] { graft::model_file_config(path); });
  return 0;
}
