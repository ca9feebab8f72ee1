#include "graft/io/weights.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/io/safetensors.hpp"
#include "support/shared.hpp"

using graft_test::temporary_folder;

namespace {

void write_one(const std::string& path, const std::string& name, float value) {
  const std::vector<float> values{value};
  graft::safetensors_writer writer;
  writer.add<float>(name, {1}, values);
  writer.write(path);
}

}  // namespace

TEST_CASE("weights are found in a folder in Hugging Face's order, and told apart by their bytes") {
  const temporary_folder folder;
  CHECK_THROWS_WITH(graft::open_weights(folder.path()),
                    folder.path() +
                        ": holds no weights: none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, "
                        "pytorch_model.bin.index.json, model.p is there");
  const auto instead = [&](const std::string& name, const std::string& said) {
    graft::write_file(folder / name, "?");
    CHECK_THROWS_WITH(graft::open_weights(folder.path()), Catch::EndsWith("is there" + said));
    std::filesystem::remove(folder / name);
  };
  instead("tf_model.h5", ", but tf_model.h5, which graft does not read: save the model from transformers (save_pretrained)");
  instead("model.fp16.safetensors", ", but model.fp16.safetensors: give that file, or a copy of it under one of these names");
  std::filesystem::create_directory(folder / "model");
  CHECK_THROWS_WITH(graft::open_weights(folder.path()), Catch::EndsWith("is there; did you mean " + (folder / "model?")));
  std::filesystem::remove(folder / "model");
  const std::string torch = GRAFT_TEST_DIR "/golden/torch/stream.bin";
  std::filesystem::copy_file(torch, folder / "pytorch_model.bin");
  CHECK(graft::open_weights(folder.path()).contains("transposed"));
  write_one(folder / "model.safetensors", "a", 1);
  CHECK(graft::open_weights(folder.path()).values<float>("a") == std::vector<float>{1});
  std::filesystem::copy_file(torch, folder / "misnamed.safetensors");
  CHECK(graft::open_weights(folder / "misnamed.safetensors").contains("transposed"));
  for (std::size_t length = 1; length < 140; ++length) {  // a header of 128 bytes begins as a pickle does
    const std::string name(length, 'n');
    write_one(folder / "any.safetensors", name, 2);
    CHECK(graft::open_weights(folder / "any.safetensors").contains(name));
  }
  graft::write_file(folder / "junk.bin", "not weights at all");
  CHECK_THROWS_WITH(graft::open_weights(folder / "junk.bin"), Catch::Contains("is not a file that torch.save wrote"));
}

TEST_CASE("a model cut into several files is put together") {
  const temporary_folder folder;
  const std::string index = folder / "model.safetensors.index.json";
  write_one(folder / "one.safetensors", "a", 1);
  std::filesystem::copy_file(GRAFT_TEST_DIR "/golden/torch/zip.bin", folder / "two.bin");
  graft::write_file(index, R"({"weight_map": {"a": "one.safetensors", "scalar": "two.bin"}})");
  {
    const auto all = graft::open_weights(folder.path());
    CHECK(all.values<float>("a") == std::vector<float>{1});
    CHECK(all.values<float>("scalar") == std::vector<float>{0.5});
  }
  std::filesystem::create_directory(folder / "sub");
  write_one(folder / "sub/other.safetensors", "a", 2);
  graft::write_file(index, R"({"weight_map": {"a": "sub/other.safetensors", "scalar": "two.bin"}})");
  CHECK(graft::open_weights(folder.path()).values<float>("a") == std::vector<float>{2});
  graft::safetensors_writer both;  // what another file holds, too
  const std::vector<float> values{3, 4};
  both.add<float>("a", {1}, std::span(values).first(1));
  both.add<float>("b", {1}, std::span(values).last(1));
  both.write(folder / "both.safetensors");
  graft::write_file(index, R"({"weight_map": {"a": "one.safetensors", "b": "both.safetensors"}})");
  CHECK(graft::open_weights(folder.path()).values<float>("a") == std::vector<float>{1});
  CHECK(graft::open_weights(folder.path()).values<float>("b") == std::vector<float>{4});
  const std::string too_long(300, 'x');
  graft::write_file(index, R"({"weight_map": {"a": ")" + too_long + "\"}}");
  CHECK_THROWS_AS(graft::open_weights(index), graft::error);
  graft::write_file(index, R"({"weight_map": {"b": "one.safetensors"}})");
  CHECK_THROWS_WITH(graft::open_weights(folder.path()), index + ": promises tensor 'b' in one.safetensors, which does not hold it");
  graft::write_file(index, R"({"weight_map": {"b": "../one.safetensors"}})");
  CHECK_THROWS_WITH(graft::open_weights(folder.path()), index + ": names '../one.safetensors', a weights file beside it was expected");
  graft::write_file(index, R"({"weight_map": {"b": "model.safetensors.index.json"}})");
  CHECK_THROWS_WITH(graft::open_weights(folder.path()), Catch::Contains("a weights file beside it was expected"));
  for (const std::string itself : {".", "", ".."}) {  // a folder, which would be opened by the same index again
    std::filesystem::create_directory(folder / "inside");
    graft::write_file(folder / "inside/model.safetensors.index.json", R"({"weight_map": {"b": ")" + itself + "\"}}");
    CHECK_THROWS_WITH(graft::open_weights(folder / "inside"), Catch::Contains("a weights file beside it was expected"));
  }
  graft::write_file(index, R"({"weight_map": {"b": "absent.safetensors"}})");
  CHECK_THROWS_WITH(graft::open_weights(folder.path()), Catch::Contains("absent.safetensors: cannot be opened"));
  graft::write_file(index, R"({"weight_map": []})");
  CHECK_THROWS_AS(graft::open_weights(folder.path()), graft::format_error);
}
