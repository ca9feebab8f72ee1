// Weights of adapters: the same bytes as a file of graft or of nlprunners, and in the folders of other programs.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include "graft/exchange/open_adapter.hpp"
#include "graft/predict/predictor.hpp"

GRAFT_HARNESS(adapter) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const std::string golden = GRAFT_TEST_DIR "/golden";
  static const auto config = graft::read_encoder_config(golden + "/model/config.json");
  static const auto folders = [] {
    std::vector<std::pair<std::string, std::string>> made;  // a folder, and which of its files is replaced
    for (const std::string name :
         {"adapterhub_single/adapter.safetensors", "adapterhub_double/pytorch_model_head.bin", "adapterhub_legacy/pytorch_adapter.bin",
          "peft_lora/adapter_model.safetensors", "peft_lora_pattern/adapter_model.bin"}) {
      const auto folder = name.substr(0, name.find('/'));
      std::filesystem::copy(golden + "/exchange/" + folder, graft_fuzz::folder() / ("weights_" + folder));
      made.emplace_back("weights_" + folder, name.substr(folder.size() + 1));
    }
    return made;
  }();
  for (const auto& [name, file] : folders) {
    graft_fuzz::write(name + "/" + file, bytes);
    const std::string folder = graft_fuzz::folder() / name;
    graft_fuzz::attempt([&] { graft_fuzz::touch(graft::open_adapter(folder, config).tensors); });
  }
  const auto path = graft_fuzz::write("adapter", bytes);
  graft_fuzz::attempt([&] {
    graft_fuzz::touch(graft::open_tuned(path, config).tensors);
    graft::predictor({golden + "/model/model.safetensors", golden + "/model/config.json", ""}, path);
  });
  return 0;
}
