// JSON configurations: the same bytes as every file of the kind that graft reads.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include "graft/core/json.hpp"
#include "graft/data/tasks.hpp"
#include "graft/encoder/config.hpp"
#include "graft/exchange/adapter_list.hpp"
#include "graft/io/weights.hpp"
#include "graft/model/description.hpp"
#include "graft/text/tokenizer.hpp"

GRAFT_HARNESS(config) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto path = graft_fuzz::write("config.json", text);
  graft_fuzz::attempt([&] {
    const auto config = graft::read_encoder_config(path);
    graft_fuzz::require(graft::parse_encoder_config(graft::to_json(config), path) == config);
  });
  graft_fuzz::attempt([&] { graft::read_task_config(path); });
  graft_fuzz::attempt([&] { graft::read_adapter_list(path); });
  graft_fuzz::attempt([&] {
    const auto description = graft::parse_description({{"graft", std::string(text)}}, path);
    const auto again = graft::parse_description(graft::to_metadata(description), path);
    graft_fuzz::require(again.kind == description.kind && again.labels == description.labels);
  });

  graft_fuzz::attempt([&] {
    static const auto one_tensor = [] {
      const std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
      return graft_fuzz::write("one.safetensors", std::string{static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0} + header + "x");
    }();
    graft_fuzz::touch(graft::open_weights(graft_fuzz::write("model.safetensors.index.json", text)));
  });

  static const auto vocabulary = graft_fuzz::write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nlow\n##er\n");
  for (const auto* name : {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    const auto file = graft_fuzz::write(name, text);
    graft_fuzz::attempt([&] {
      graft::read_json(file);  // refused here where the tokenizer has no use for the file
      graft::tokenizer::from_folder(graft_fuzz::folder().path()).encode("lower [MASK] low");
    });
    ::unlink(file.c_str());
  }
  return 0;
}
