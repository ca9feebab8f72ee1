#include "graft/io/torch_writer.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "graft/io/torch_file.hpp"
#include "graft/io/zip_archive.hpp"
#include "support/shared.hpp"

using graft::dtype;
using graft::torch_writer;
using graft_test::temporary_folder;
using shape = std::vector<graft::index>;

TEST_CASE("crc32 of the standard's check value") {
  const std::string digits = "123456789";
  CHECK(graft::crc32(std::as_bytes(std::span(digits))) == 0xcbf43926);
  CHECK(graft::crc32({}) == 0);
}

TEST_CASE("what torch_writer writes, torch_file reads: every type, shape and name") {
  const temporary_folder folder;
  const std::vector<double> wide{-1.5, 2, 1e-300};
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const std::vector<Eigen::half> halves{Eigen::half(0.5F), Eigen::half(-2.0F)};
  const std::vector<Eigen::bfloat16> brains{Eigen::bfloat16(0.25F)};
  const std::string longer(300, 'n');
  torch_writer writer;
  writer.add<double>("wide", {3}, wide);
  writer.add<float>("matrix", {2, 3}, values);
  writer.add<float>(longer, {1, 2, 3}, values);
  writer.add<Eigen::half>("half", {2}, halves);
  writer.add<Eigen::bfloat16>("brain", {}, brains);
  writer.add<float>("nothing", {0, 4}, std::span(values).first(0));
  writer.write(folder / "x.bin");

  const graft::torch_file file(folder / "x.bin");
  CHECK(file.tensors().size() == 6);
  CHECK(file.values<double>("wide") == wide);
  CHECK(file.at("matrix").shape == shape{2, 3});
  CHECK(file.values<float>("matrix") == values);
  CHECK(file.at(longer).shape == shape{1, 2, 3});
  CHECK(file.at("half").type == dtype::f16);
  CHECK(file.values<float>("half") == std::vector<float>{0.5F, -2});
  CHECK(file.at("brain").type == dtype::bf16);
  CHECK(file.at("brain").shape.empty());
  CHECK(file.values<float>("brain") == std::vector<float>{0.25F});
  CHECK(file.at("nothing").shape == shape{0, 4});
}

TEST_CASE("entries of the archive begin at multiples of 64 bytes and carry the check sum of their bytes") {
  const temporary_folder folder;
  const std::vector<float> values{1, 2, 3};
  torch_writer writer;
  for (int i = 0; i < 40; ++i) writer.add<float>(std::string(static_cast<std::size_t>(i), 'x'), {3}, values);
  writer.write(folder / "x.bin");
  const graft::mapped_file file(folder / "x.bin");
  std::size_t count = 0;
  for (const auto& [name, bytes] : graft::zip_entries(file)) {
    const auto offset = static_cast<std::size_t>(bytes.data() - file.data());
    CHECK(offset % 64 == 0);
    const std::size_t header = file.text().rfind("PK\3\4", offset);
    std::uint32_t stored = 0;
    std::memcpy(&stored, file.data() + header + 14, 4);
    CHECK(stored == graft::crc32(bytes));
    ++count;
  }
  CHECK(count == 42);  // and data.pkl, version
}

TEST_CASE("torch_writer refuses what it cannot write") {
  const std::vector<float> values{1, 2, 3};
  const std::vector<std::int32_t> whole{1};
  torch_writer writer;
  writer.add<float>("a", {3}, values);
  CHECK_THROWS_WITH(writer.add<float>("a", {3}, values), Catch::Contains("the name is taken"));
  CHECK_THROWS_WITH(writer.add<float>("b", {2}, values), Catch::Contains("'b' of shape (2)") && Catch::Contains("12 bytes"));
  CHECK_THROWS_WITH(writer.add<std::int32_t>("c", {1}, whole), Catch::Contains("'c' holds I32"));
  CHECK_THROWS_AS(writer.write("/nowhere/x.bin"), graft::backend_error);
  const temporary_folder folder;
  const std::vector<double> broken{1, std::nan("")};
  writer.add<double>("d", {2, 1}, broken);
  CHECK_THROWS_WITH(writer.write(folder / "x.bin"), Catch::Contains("x.bin: is not written: tensor 'd' would hold NaN at (1, 0)"));
  CHECK(std::filesystem::is_empty(folder.path()));
}
