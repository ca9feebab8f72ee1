#include "graft/io/safetensors.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <iterator>

#include "support/shared.hpp"

using graft::dtype;
using graft::safetensors_file;
using graft_test::temporary_folder;

namespace {

/// A file with HEADER and DATA_SIZE zero bytes of data, opened: the error it gives, without the path, or "opened".
std::string refusal(const std::string& header, std::size_t data_size, std::int64_t claimed_size = -1) {
  const temporary_folder folder;
  std::string text(8, '\0');
  const std::uint64_t size = claimed_size < 0 ? header.size() : static_cast<std::uint64_t>(claimed_size);
  std::memcpy(text.data(), &size, 8);
  graft::write_file(folder / "x", text + header + std::string(data_size, '\0'));
  try {
    const safetensors_file file(folder / "x");
  } catch (const graft::format_error& failure) {
    const std::string message = failure.what();
    CHECK((message.starts_with((folder / "x") + ": ") || message.starts_with((folder / "x") + " (its header): ")));
    CHECK(message.find('\n') == std::string::npos);
    return message.substr(message.find(' ') + 1);
  }
  return "opened";
}

std::string entry(const std::string& name, const std::string& type, const std::string& shape, const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

}  // namespace

TEST_CASE("what is written is read back, in every floating-point type") {
  const temporary_folder folder;
  const std::vector<double> numbers{1.0, -2.5, 0.15625, 1024, 0, -0.0};  // exact in every type
  const std::vector<float> floats(numbers.begin(), numbers.end());
  const std::vector<std::int64_t> whole{-7, 1LL << 60};
  graft::safetensors_writer writer;
  writer.metadata = {{"format", "pt"}, {"note", "an \"é\"\n"}};
  writer.add<std::int64_t>("whole", {2}, whole);
  for (const auto stored : {dtype::bf16, dtype::f16, dtype::f32, dtype::f64}) {
    writer.add<double>("double." + std::string(graft::dtype_name(stored)), {2, 3}, numbers, stored);
    writer.add<float>("float." + std::string(graft::dtype_name(stored)), {6}, floats, stored);
  }
  writer.add<float>("empty", {0, 5}, {});
  writer.add<float>("scalar", {}, std::span(floats).subspan(1, 1));
  CHECK_THROWS_AS(writer.add<float>("scalar", {6}, floats), graft::error);
  CHECK_THROWS_AS(writer.add<float>("other", {5}, floats), graft::shape_error);
  CHECK_THROWS_WITH(writer.add<std::int64_t>("other", {2}, whole, dtype::f32),
                    Catch::Contains("'other' holds I64, which is not stored as F32"));
  writer.write(folder / "a.safetensors");

  const safetensors_file file(folder / "a.safetensors");
  CHECK(file.metadata() == writer.metadata);
  CHECK(file.tensors().size() == 11);
  CHECK(file.values<std::int64_t>("whole") == whole);
  for (const auto* held : {"double.", "float."}) {
    for (const auto stored : {dtype::bf16, dtype::f16, dtype::f32, dtype::f64}) {
      const auto name = held + std::string(graft::dtype_name(stored));
      CHECK(file.at(name).type == stored);
      CHECK(file.values<double>(name) == numbers);
      CHECK(file.values<float>(name) == floats);
    }
  }
  CHECK(file.at("double.F32").shape == std::vector<graft::index>{2, 3});
  CHECK(file.values<float>("empty").empty());
  CHECK(file.values<float>("scalar") == std::vector<float>{-2.5});
  CHECK(file.at("scalar").shape.empty());
  CHECK(file.find("absent") == nullptr);

  CHECK_THROWS_WITH(file.at("absent"), (folder / "a.safetensors") + ": has no tensor 'absent'");
  CHECK_THROWS_WITH(file.values<float>("whole"), Catch::Contains("tensor 'whole' holds I64, F64, F32, F16 or BF16 was expected"));
  CHECK_THROWS_WITH(file.values<std::int64_t>("float.F32"), Catch::Contains("tensor 'float.F32' holds F32, I64 was expected"));
  std::vector<float> five(5);
  CHECK_THROWS_WITH(file.read("double.F32", std::span(five)), Catch::Contains("has shape (2, 3), 5 elements were expected"));
}

TEST_CASE("conversion rounds to nearest") {
  const temporary_folder folder;
  const std::vector<double> numbers{1.0 / 3, 1e-40, 65504};
  graft::safetensors_writer writer;
  writer.add<double>("f32", {3}, numbers, dtype::f32);
  writer.add<double>("bf16", {3}, numbers, dtype::bf16);
  writer.add<double>("f16", {3}, numbers, dtype::f16);
  writer.write(folder / "a");
  const safetensors_file file(folder / "a");
  const auto f32 = file.values<double>("f32");
  CHECK(f32[0] == 1.0f / 3.0f);
  CHECK(f32[1] == 1e-40f);
  CHECK(file.values<double>("bf16")[0] == 0.333984375);
  CHECK(file.values<double>("f16")[0] == 0.333251953125);
  CHECK(file.values<double>("f16")[2] == 65504);
}

TEST_CASE("a number that is none is found when it is read, with its place") {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  graft::tensor_source source("w");
  std::vector<std::vector<double>> kept;
  kept.reserve(8);
  const auto hold = [&](const std::string& name, std::vector<graft::index> shape, std::vector<double> values) {
    kept.push_back(std::move(values));
    source.add(name, {dtype::f64, std::move(shape), std::as_bytes(std::span(kept.back()))});
  };
  std::vector<double> far(9000, 1.0);
  far[8999] = -inf;
  hold("sound", {2, 2}, {1, -1, 0, 1e30});
  hold("nan", {2, 2}, {1, 2, 3, nan});
  hold("far", {3, 3000}, far);
  hold("large", {1}, {1e300});
  CHECK_NOTHROW(source.values<float>("sound"));
  CHECK_NOTHROW(source.check_finite("sound"));
  CHECK_THROWS_WITH(source.values<float>("nan"), Catch::Contains("w: tensor 'nan' holds NaN at (1, 1), a finite number was expected"));
  CHECK_THROWS_WITH(source.check_finite("nan"), Catch::Contains("NaN at (1, 1)"));
  CHECK_THROWS_WITH(source.values<double>("far"), Catch::Contains("-infinity at (2, 2999)"));
  CHECK_THROWS_WITH(source.check_finite("far"), Catch::Contains("-infinity at (2, 2999)"));
  CHECK(source.values<double>("large")[0] == 1e300);
  CHECK_THROWS_WITH(source.values<float>("large"), Catch::Contains("holds 1e+300 at (0), which is too large for F32"));
}

TEST_CASE("a number that is none is not saved, and nothing is written over, what is only carried along may hold anything") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  const std::vector<float> fine{1, 2}, broken{1, std::nanf("")}, large{1, 1e5f};
  graft::safetensors_writer first;
  first.add<float>("x", {2}, fine);
  first.write(path);
  graft::safetensors_writer second;
  second.add<float>("fine", {2}, fine);
  second.add<float>("x", {1, 2}, broken);
  CHECK_THROWS_WITH(second.write(path), path + ": is not written: tensor 'x' would hold NaN at (0, 1), a finite number was expected");
  graft::safetensors_writer third;
  third.add<float>("x", {2}, large, dtype::f16);
  CHECK_THROWS_WITH(third.write(path), Catch::Contains("tensor 'x' would hold 1e+05 at (1), which is too large for F16"));
  CHECK(safetensors_file(path).values<float>("x") == fine);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  graft::safetensors_writer fourth;
  fourth.copy("x", {dtype::f32, {2}, std::as_bytes(std::span(broken))});
  fourth.write(path);
  CHECK_THROWS_WITH(safetensors_file(path).values<float>("x"), Catch::Contains("NaN at (1)"));
}

TEST_CASE("a shape of more dimensions than any tensor has is refused in a short line") {
  std::string ones = "[1";
  for (int i = 0; i < 100'000; ++i) ones += ",1";
  const std::string said = refusal("{" + entry("a", "F32", ones + "]", "[0,4]") + "}", 4);
  CHECK_THAT(said, Catch::Contains("tensor 'a': \"shape\" is"));
  CHECK(said.size() < 400);
}

TEST_CASE("what is not finite is found in every floating-point type, at any alignment and place") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const dtype type : {dtype::f64, dtype::f32, dtype::f16, dtype::bf16}) {
    std::vector<std::byte> bytes(5000 * 8 + 1);
    const std::span odd(bytes.data() + 1, 5000 * graft::dtype_size(type));
    std::vector<double> numbers(5000, -3e4);
    graft::convert(dtype::f64, std::as_bytes(std::span(numbers)), type, bytes.data() + 1);
    CHECK(!graft::find_not_finite(type, odd));
    for (const double none : {inf, -inf, std::nan("")}) {
      for (const std::size_t place : {0, 4095, 4096, 4999}) {
        auto broken = numbers;
        broken[place] = broken[4999] = none;
        graft::convert(dtype::f64, std::as_bytes(std::span(broken)), type, bytes.data() + 1);
        CHECK(graft::find_not_finite(type, odd) == place);
      }
    }
  }
}

TEST_CASE("a type that no weights have is carried along, and refused where weights are wanted") {
  for (const char* name : {"I64", "I8", "U16", "BOOL", "C64", "F8_E4M3", "F8_E5M2"}) {
    const auto type = *graft::parse_dtype(name);
    CHECK(!graft::is_floating_point(type));
    CHECK_THROWS_WITH(graft::visit_floating_point(type, [](auto) {}), Catch::Contains(name));
    std::byte room[8]{};
    CHECK_THROWS_AS(graft::convert(type, std::span(room).first(graft::dtype_size(type)), dtype::f32, room), graft::error);
    const std::string bytes = std::to_string(2 * graft::dtype_size(type));
    CHECK(refusal("{" + entry("a", name, "[2]", "[0," + bytes + "]") + "}", 2 * graft::dtype_size(type)) == "opened");
    graft::tensor_source source("w");
    source.add("a", {type, {1}, std::span(room).first(graft::dtype_size(type))});
    const auto says = Catch::Contains("w: tensor 'a' holds " + std::string(name) + ", F64, F32, F16 or BF16 was expected");
    CHECK_THROWS_WITH(source.expect({{"a", {1}}}), says);
    CHECK_THROWS_WITH(source.values<float>("a"), says);
    CHECK_THROWS_WITH(source.check_finite("a"), says);
  }
  CHECK(refusal("{" + entry("a", "F4", "[3,2]", "[0,3]") + "}", 3) == "opened");
  CHECK(refusal("{" + entry("a", "F4", "[3]", "[0,2]") + "}", 2) != "opened");  // half a byte is left over
}

TEST_CASE("tensors larger than one conversion chunk are converted whole") {
  const temporary_folder folder;
  std::vector<float> numbers(100'001);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  graft::safetensors_writer writer;
  writer.add<float>("x", {100'001}, numbers, dtype::f64);
  writer.write(folder / "a");
  CHECK(safetensors_file(folder / "a").values<float>("x") == numbers);
}

TEST_CASE("tensors begin at multiples of the alignment, and of their element size without one") {
  const temporary_folder folder;
  const std::vector<float> floats(100, 1.5f);
  const std::vector<double> doubles(3, 2.5);
  const std::vector<std::uint8_t> bytes(3, 7);
  for (const std::size_t alignment : {8, 64}) {
    graft::safetensors_writer writer(alignment);
    writer.add<std::uint8_t>("a", {3}, bytes);
    writer.add<float>("b", {5}, std::span(floats).first(5));
    writer.add<float>("c", {16}, std::span(floats).first(16));
    writer.add<double>("d", {3}, doubles);
    writer.write(folder / "x");
    const graft::mapped_file raw(folder / "x");
    const safetensors_file file(folder / "x");
    CHECK(file.tensors().size() == (alignment == 64 ? 6 : 4));
    for (const auto& [name, info] : file.tensors()) {
      if (name.starts_with("__pad.")) continue;
      const std::size_t multiple = alignment == 64 ? 64 : graft::dtype_size(info.type);
      CHECK(reinterpret_cast<std::uintptr_t>(info.bytes.data()) % multiple == 0);  // the mapping itself is page-aligned
    }
    CHECK(file.values<double>("d") == doubles);
    CHECK(file.values<std::uint8_t>("a") == bytes);
  }
}

TEST_CASE("a damaged safetensors file is refused with one clear line") {
  const std::string good = entry("a", "F32", "[2]", "[0,8]");
  CHECK(refusal("{" + good + "}", 8) == "opened");
  CHECK(refusal("{" + good + "}   ", 8) == "opened");
  CHECK(refusal("{}", 0) == "opened");
  CHECK(refusal("{" + good, 8) ==
        "(its header): byte " + std::to_string(good.size() + 1) +
            ": is not valid JSON: it ends in the middle of a value; was it cut short?");
  CHECK(refusal("[1]", 0) == "byte 8: its header is not a JSON object");
  CHECK(refusal("", 0) == "(its header): byte 0: is not valid JSON: it ends in the middle of a value; was it cut short?");
  CHECK(refusal("{" + good + "}", 8, 1000) ==
        "byte 0: the header length is 1000, at most 62 was expected (not a safetensors file, or cut short?)");
  CHECK_THAT(refusal("{}", 0, std::numeric_limits<std::int64_t>::max()),
             Catch::StartsWith("byte 0: the header length is 9223372036854775807"));
  CHECK(refusal("{" + good + "}", 7) == "tensor 'a' has data_offsets [0,8], a range inside the 7 bytes of data was expected (cut short?)");
  CHECK(refusal("{" + good + "}", 9) == "holds 9 bytes of data, its tensors have 8");
  CHECK(refusal("{" + good + "," + good + "}", 8) == "(its header): names \"a\" twice in one object");
  CHECK(refusal("{" + good + "," + entry("b", "F32", "[1]", "[4,8]") + "}", 8) ==
        "tensor 'b' begins at data byte 4, 8 was expected (tensors overlap)");
  CHECK(refusal("{" + good + "," + entry("b", "F32", "[1]", "[12,16]") + "}", 16) ==
        "tensor 'b' begins at data byte 12, 8 was expected (tensors leave a hole)");
  CHECK(refusal("{" + entry("a", "F32", "[1]", "[4,8]") + "}", 8) ==
        "tensor 'a' begins at data byte 4, 0 was expected (tensors leave a hole)");
  CHECK(refusal("{" + entry("a", "F32", "[8]", "[0,8]") + "}", 8) ==
        "tensor 'a' of shape (8) and dtype F32 has 8 bytes of data, which does not fit");
  CHECK_THAT(refusal("{" + entry("a", "F32", "[4294967296,4294967296,4]", "[0,8]") + "}", 8), Catch::Contains("which does not fit"));
  CHECK_THAT(refusal("{" + entry("a", "F32", "[4611686018427387904]", "[0,0]") + "}", 0), Catch::Contains("which does not fit"));
  CHECK(refusal("{" + entry("a", "F7", "[2]", "[0,8]") + "}", 8) == "tensor 'a' has dtype \"F7\", which graft does not know");
  CHECK(refusal("{" + entry("a", "F32", "[-2]", "[0,8]") + "}", 8) ==
        "tensor 'a': \"shape\" is [-2], a list of whole numbers was expected");
  CHECK_THAT(refusal("{" + entry("a", "F32", "[2.0]", "[0,8]") + "}", 8), Catch::Contains("a list of whole numbers"));
  CHECK_THAT(refusal("{" + entry("a", "F32", "{\"x\":2}", "[0,8]") + "}", 8), Catch::Contains("a list of whole numbers"));
  CHECK_THAT(refusal("{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8), Catch::Contains("a range inside"));
  CHECK_THAT(refusal("{" + entry("a", "F32", "[2]", "[0,8,8]") + "}", 8), Catch::Contains("a range inside"));
  CHECK_THAT(refusal("{" + entry("a", "F32", "[18446744073709551615]", "[0,8]") + "}", 8), Catch::Contains("a list of whole numbers"));
  CHECK(refusal("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8) == "tensor 'a' has no \"data_offsets\"");
  CHECK(refusal("{\"a\":[1]}", 8) == "tensor 'a' has no \"dtype\"");
  CHECK(refusal("{\"a\":{\"dtype\":{},\"shape\":[2]}}", 8) == "tensor 'a' has dtype {}, which graft does not know");
  CHECK(refusal("{\"__metadata__\":{\"a\":1}}", 0) == "\"__metadata__\" is not an object of strings");
  CHECK(refusal("{\"__metadata__\":[\"a\"]}", 0) == "\"__metadata__\" is not an object of strings");
  CHECK(refusal("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", 0) ==
        "(its header): is nested more than 100 levels deep, which no such file is");
  CHECK_THAT(refusal("{\"\xff\":1}", 0), Catch::Contains("not valid JSON"));

  const temporary_folder folder;
  graft::write_file(folder / "short", "1234567");
  CHECK_THROWS_WITH(safetensors_file(folder / "short"),
                    (folder / "short") + ": holds 7 bytes, at least 8 (the header length) were expected");
}

TEST_CASE("a safetensors file cut at any byte is refused") {
  const temporary_folder folder;
  const std::vector<float> floats{1, 2, 3};
  graft::safetensors_writer writer;
  writer.add<float>("a", {3}, floats);
  writer.write(folder / "whole");
  const std::string text = graft::read_file(folder / "whole");
  for (std::size_t size = 0; size < text.size(); ++size) {
    graft::write_file(folder / "cut", text.substr(0, size));
    CHECK_THROWS_AS(safetensors_file(folder / "cut"), graft::format_error);
  }
}

TEST_CASE("the expected tensors are checked by name and shape") {
  graft::tensor_source source("w");
  const std::vector<float> floats(6);
  source.add("a", {dtype::f32, {2, 3}, std::as_bytes(std::span(floats))});
  CHECK_NOTHROW(source.expect({{"a", {2, 3}}}));
  CHECK_THROWS_WITH(source.expect({{"a", {3, 2}}}),
                    "w: tensor 'a' has shape (2, 3), (3, 2) was expected (does the config belong to these weights?)");
  CHECK_THROWS_WITH(source.expect({{"a", {2, 3}}, {"b", {4}}}), "w: has no tensor 'b', one of shape (4) was expected");
}

TEST_CASE("a file of another safetensors writer is read") {
  const auto path = graft_test::shared_path("golden/tiny/model.safetensors");
  if (path.empty()) return;
  const safetensors_file file(path);
  CHECK(file.tensors().size() == 41);
  CHECK(file.at("classifier.out_proj.weight").shape == std::vector<graft::index>{2, 32});
  CHECK(std::isfinite(file.values<double>("classifier.out_proj.weight")[0]));
}
