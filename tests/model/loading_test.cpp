#include "graft/model/loading.hpp"

#include <catch2/catch.hpp>

#include "graft/io/torch_file.hpp"
#include "graft/io/torch_writer.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/saving.hpp"
#include "model/tiny_model.hpp"
#include "support/random_values.hpp"
#include "support/resident.hpp"
#include "support/shared.hpp"

using graft::f64;
using graft::safetensors_file;

namespace {

template <class M>
std::map<std::string, graft::matrix<double>> values(M& model) {
  std::map<std::string, graft::matrix<double>> all;
  model.for_each_parameter([&](const auto& p) { all[p.name] = p.value(); });
  return all;
}

const auto config = graft_test::tiny_config();
const auto everything = [](const auto&) { return true; };

/// Replaces WHAT in TEXT, as often as it is there.
std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) text.replace(at, what.size(), by);
  return text;
}

}  // namespace

TEST_CASE("a trunk is read into every kind of model, adapters, mixing weights and heads are not touched") {
  const graft_test::temporary_folder folder;
  auto plain = graft::make_plain_classifier<f64>(config, 3);
  graft_test::randomize(plain, 1);
  graft::save_parameters(plain, folder / "trunk.safetensors", {}, [](const auto& p) { return p.name.starts_with("roberta."); });
  const safetensors_file trunk(folder / "trunk.safetensors");
  const auto expected = values(plain);

  auto other = graft::make_plain_classifier<f64>(config, 2);
  graft::load_trunk(other, trunk);
  auto single = graft::make_adapter_classifier<f64>(config, 3, {4});
  const auto fresh_single = values(single);
  graft::load_trunk(single, trunk);
  auto multi = graft::make_multi_adapter_classifier<f64>(config, 3, graft_test::tiny_mix(true, true), 1);
  const auto fresh_multi = values(multi);
  graft::load_trunk(multi, trunk);

  for (const auto& [name, value] : values(other)) {
    INFO(name);
    if (name.starts_with("roberta.")) CHECK(value == expected.at(name));
    if (name.starts_with("classifier.")) CHECK(value.isZero(0));
  }
  for (const auto& [name, value] : values(single)) {
    INFO(name);
    CHECK(value == (name.starts_with("roberta.") && name.find(".adapter.") == std::string::npos ? expected : fresh_single).at(name));
  }
  for (const auto& [name, value] : values(multi)) {
    INFO(name);
    const std::string pretrained = replaced(name, ".multi_adapter.layer_norm_dict.base.", ".LayerNorm.");
    CHECK(value == (expected.contains(pretrained) && !name.starts_with("classifier.") ? expected.at(pretrained) : fresh_multi.at(name)));
  }
}

TEST_CASE("an adapter and its LayerNorms go to their place in the mix, and only there") {
  const graft_test::temporary_folder folder;
  auto single = graft::make_adapter_classifier<f64>(config, 3, {2});
  graft_test::randomize(single, 1);
  graft::save_parameters(single, folder / "mrpc.safetensors", {}, everything);
  const auto saved = values(single);
  auto multi = graft::make_multi_adapter_classifier<f64>(config, 3, graft_test::tiny_mix(true, false), 1);
  const auto fresh = values(multi);
  const safetensors_file mrpc(folder / "mrpc.safetensors");
  graft::load_mixed_adapter(multi, "mrpc", mrpc, mrpc);
  std::size_t moved = 0;
  for (const auto& [name, value] : values(multi)) {
    INFO(name);
    std::string origin = replaced(name, ".multi_adapter.adapter_dict.mrpc.", ".adapter.");
    origin = replaced(origin, ".multi_adapter.layer_norm_dict.mrpc.", ".LayerNorm.");
    moved += origin != name;
    CHECK(value == (origin != name ? saved.at(origin) : fresh.at(name)));
  }
  CHECK(moved == 2 * 2 * 6);

  auto trunk = graft::make_plain_classifier<f64>(config, 3);  // LayerNorms that were not trained are the trunk's
  graft_test::randomize(trunk, 5);
  graft::save_parameters(trunk, folder / "trunk.safetensors", {}, everything);
  graft::load_mixed_adapter(multi, "mrpc", mrpc, safetensors_file(folder / "trunk.safetensors"));
  const auto now = values(multi);
  const std::string norm = "roberta.encoder.layer.1.output.";
  CHECK(now.at(norm + "multi_adapter.layer_norm_dict.mrpc.weight") == values(trunk).at(norm + "LayerNorm.weight"));
  CHECK(now.at(norm + "multi_adapter.adapter_dict.mrpc.up_project.weight") == saved.at(norm + "adapter.up_project.weight"));
}

TEST_CASE("what is saved is read back by name") {
  const graft_test::temporary_folder folder;
  auto model = graft::make_multi_adapter_classifier<f64>(config, 3, graft_test::tiny_mix(true, true), -1);
  graft_test::randomize(model, 1);
  graft::tune_mix(model, graft::multi_adapter_ft_mode::base);
  graft::save_tuned(model, folder / "tuned.safetensors", {{"key", "text"}});
  graft::save_everything(model, folder / "all.safetensors", {});
  const safetensors_file tuned(folder / "tuned.safetensors");
  CHECK(tuned.metadata().at("key") == "text");
  for (const auto& [name, value] : values(model)) {
    INFO(name);
    CHECK(tuned.contains(name) == (name.starts_with("classifier.") || name.find(".multi_adapter.") != std::string::npos));
  }
  auto other = graft::make_multi_adapter_classifier<f64>(config, 3, graft_test::tiny_mix(true, true), -1);
  CHECK(graft::load_by_name(other, tuned) == static_cast<graft::index>(tuned.tensors().size()));
  CHECK(graft::load_by_name(other, safetensors_file(folder / "all.safetensors")) == static_cast<graft::index>(values(model).size()));
  CHECK(values(other) == values(model));
}

TEST_CASE("a missing or misshaped tensor is refused by name, with both shapes") {
  const graft_test::temporary_folder folder;
  auto plain = graft::make_plain_classifier<f64>(config, 3);
  const std::string missing = "roberta.encoder.layer.1.output.dense.weight";
  graft::save_parameters(plain, folder / "a.safetensors", {}, [&](const auto& p) { return p.name != missing; });
  CHECK_THROWS_WITH(graft::load_trunk(plain, safetensors_file(folder / "a.safetensors")),
                    folder / "a.safetensors" + ": has no tensor '" + missing + "', one of shape (6, 8) was expected");

  auto larger = config;
  larger.vocab_size = 14;
  auto other = graft::make_plain_classifier<f64>(larger, 3);
  graft::save_everything(plain, folder / "b.safetensors", {});
  const safetensors_file whole(folder / "b.safetensors");
  const std::string misshaped = "tensor 'roberta.embeddings.word_embeddings.weight' has shape (13, 6), (14, 6) was expected";
  CHECK_THROWS_WITH(graft::load_trunk(other, whole), Catch::Contains(misshaped));
  CHECK_THROWS_WITH(graft::load_by_name(other, whole), Catch::Contains(misshaped));

  auto multi = graft::make_multi_adapter_classifier<f64>(config, 3, graft_test::tiny_mix(true, false), 1);
  CHECK_THROWS_WITH(
      graft::load_mixed_adapter(multi, "rte", whole, whole),
      Catch::Contains("has no tensor 'roberta.encoder.layer.0.attention.output.adapter.down_project.weight', one of shape (3, 6)"));
  auto small = graft::make_adapter_classifier<f64>(config, 3, {2});
  graft::save_everything(small, folder / "c.safetensors", {});
  const safetensors_file misfit(folder / "c.safetensors");
  CHECK_THROWS_WITH(graft::load_mixed_adapter(multi, "rte", misfit, misfit),
                    Catch::Contains("adapter.down_project.weight' has shape (2, 6), (3, 6) was expected"));

  graft::safetensors_writer writer;
  const std::vector<float> numbers{1, 2};
  writer.add("stranger.weight", {2}, std::span<const float>(numbers));
  writer.write(folder / "d.safetensors");
  CHECK_THROWS_WITH(graft::load_by_name(plain, safetensors_file(folder / "d.safetensors")),
                    Catch::Contains("holds no tensor with a name that this model knows"));
}

TEST_CASE("large weights stay what they are when they are packed, wherever they lie") {
  const graft_test::temporary_folder folder;
  auto c = config;
  c.num_hidden_layers = 1;
  c.num_attention_heads = 2;
  c.hidden_size = 256;  // a square weight is large: it is read where it lies in a file
  auto first = graft::make_plain_classifier<graft::f32>(c, 2);
  graft_test::randomize(first, 3, false);

  graft::torch_writer writer;
  std::map<std::string, graft::matrix<float>> stored, expected;
  const std::string query = "roberta.encoder.layer.0.attention.self.query.weight";
  first.for_each_parameter([&](const auto& p) {
    expected[p.name] = p.value();
    stored[p.name] = p.name == query ? graft::matrix<float>(p.value().transpose()) : graft::matrix<float>(p.value());
  });
  first.for_each_parameter([&](const auto& p) {
    const auto& m = stored.at(p.name);
    writer.add(p.name, p.shape(), std::span<const float>(m.data(), static_cast<std::size_t>(m.size())));
  });
  writer.write(folder / "model.bin");
  // torch.save keeps a transposed tensor's storage as it was: its strides are exchanged.
  std::string bytes = graft::read_file(folder / "model.bin");
  const std::size_t name = bytes.find(query), strides = bytes.find(std::string("(J\0\1\0\0J\1\0\0\0t", 12), name);
  REQUIRE(strides - name < 400);
  bytes.replace(strides, 12, std::string("(J\1\0\0\0J\0\1\0\0t", 12));
  graft::write_file(folder / "model.bin", bytes);

  auto model = graft::make_plain_classifier<graft::f32>(c, 2);
  graft::load_by_name(model, graft::torch_file(folder / "model.bin"));
  graft::pack_frozen(model, true, 1);
  graft::save_everything(model, folder / "saved.safetensors", {});
  const safetensors_file saved(folder / "saved.safetensors");
  for (const auto& [name_of, value] : expected) {
    INFO(name_of);
    const auto numbers = saved.values<float>(name_of);
    CHECK(std::equal(numbers.begin(), numbers.end(), value.data(), value.data() + value.size()));
  }
}

TEST_CASE("of a weight that is converted the file's pages leave") {
  const graft_test::temporary_folder folder;
  constexpr graft::index rows = 1024, cols = 2048;
  graft::safetensors_writer writer;
  const std::vector<float> numbers(rows * cols, 0.5F);
  writer.add("w", {rows, cols}, std::span(numbers), graft::dtype::bf16);
  writer.write(folder / "x.safetensors");
  const safetensors_file file(folder / "x.safetensors");
  auto weight = graft::parameter<float>::factor("w", graft::parameter_role::weight, rows, cols);
  graft::load_one(weight, "w", file);
  CHECK(weight.value()(rows - 1, cols - 1) == 0.5F);
  const auto address = reinterpret_cast<std::uintptr_t>(file.at("w").bytes.data());  // the header has less than a page
  const long resident = graft_test::resident_bytes(reinterpret_cast<const void*>(address / 4096 * 4096));
  REQUIRE(resident >= 0);
  CHECK(resident <= rows * cols * 2 / 8);
  CHECK(file.values<float>("w") == numbers);
}
