// Configurations of other programs' adapters, beside weights that fit some of them.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include "graft/exchange/open_adapter.hpp"

namespace {

/// A folder with the files of golden/exchange/NAME, which the bytes replace one of.
std::string copied(const std::string& name) {
  const std::string to = graft_fuzz::folder() / name;
  std::filesystem::copy(GRAFT_TEST_DIR "/golden/exchange/" + name, to);
  return to;
}

}  // namespace

GRAFT_HARNESS(exchange) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const auto config = graft::read_encoder_config(GRAFT_TEST_DIR "/golden/model/config.json");
  static const std::string adapter = copied("adapterhub_single");
  static const std::string head = copied("adapterhub_double");
  static const std::string lora = copied("peft_lora_pattern");
  graft_fuzz::write("adapterhub_single/adapter_config.json", text);
  graft_fuzz::write("adapterhub_double/head_config.json", text);
  graft_fuzz::write("peft_lora_pattern/adapter_config.json", text);
  for (const auto& folder : {adapter, head, lora}) {
    graft_fuzz::attempt([&] { graft_fuzz::touch(graft::open_adapter(folder, config).tensors); });
  }
  return 0;
}
