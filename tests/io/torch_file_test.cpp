#include "graft/io/torch_file.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "support/shared.hpp"

using graft::dtype;
using graft::torch_file;
using graft_test::temporary_folder;
using shape = std::vector<graft::index>;
using namespace std::string_literals;

namespace {

const std::string golden = GRAFT_TEST_DIR "/golden/torch/";

/// As in make_torch_files.py: element i of a ramp is i / 8 - 1.
std::vector<double> ramp(std::initializer_list<int> elements) {
  std::vector<double> values;
  for (const int i : elements) values.push_back(i / 8.0 - 1);
  return values;
}

/// What opening a file with these bytes says, without the path; "opened" if nothing.
std::string outcome(const std::string& bytes) {
  static const temporary_folder folder;
  std::ofstream(folder / "x", std::ios::binary) << bytes;  // not write_file: no need to wait for the disk thousands of times
  try {
    const torch_file file(folder / "x");
    for (const auto& [name, info] : file.tensors()) {
      if (graft::is_floating_point(info.type)) file.values<double>(name);
    }
  } catch (const graft::format_error& failure) {
    const std::string message = failure.what();
    CHECK(message.starts_with(folder / "x"));
    return message.substr((folder / "x").size() + 2);
  }
  return "opened";
}

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}
std::string text(const std::string& s) { return "X" + raw(static_cast<std::uint32_t>(s.size())) + s; }
std::string number(std::int32_t n) { return "J" + raw(n); }
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }

/// The opcodes of one float tensor on storage KEY of two elements.
std::string tensor(const std::string& key, const std::string& offset, const std::string& sizes, const std::string& strides,
                   const std::string& type = "FloatStorage") {
  const std::string storage = "(" + text("storage") + global("torch", type) + text(key) + text("cpu") + number(2) + "tQ";
  return global("torch._utils", "_rebuild_tensor_v2") + "((" + storage.substr(1) + offset + sizes + strides + "\x89" +
         global("collections", "OrderedDict") + ")RtR";
}
const std::string one_dimension = "(" + number(2) + "t";
const std::string dense = "(" + number(1) + "t";

/// A file in the older format: PICKLE is all opcodes between the protocol and the final STOP; then one storage "k" of two floats.
std::string stream(const std::string& pickle,
                   const std::string& rest = "\x80\x02]"s + text("k") + "a." + raw<std::uint64_t>(2) + raw(1.5f) + raw(-2.0f)) {
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s + "\x80\x02M\xe9\x03."s + "\x80\x02}."s + "\x80\x02"s + pickle + "." +
         rest;
}
std::string dict(const std::string& name, const std::string& item) { return "}" + text(name) + item + "s"; }

}  // namespace

TEST_CASE("both formats of torch.save give the same tensors, of every type, view and stride") {
  for (const auto* name : {"zip.bin", "stream.bin"}) {
    INFO(name);
    CHECK(graft::is_torch_file(graft::mapped_file(golden + name)));
    const torch_file file(golden + name);
    CHECK(file.tensors().size() == 15);
    CHECK(file.at("weight").shape == shape{3, 2});
    CHECK(file.values<double>("weight") == ramp({0, 1, 2, 3, 4, 5}));
    CHECK(file.values<float>("bias") == std::vector<float>{-1, -0.875, -0.75});
    CHECK(file.at("f64").type == dtype::f64);
    CHECK(file.values<double>("f64") == ramp({0, 1, 2, 3}));
    CHECK(file.at("f16").type == dtype::f16);
    CHECK(file.values<double>("f16") == ramp({0, 1, 2, 3, 4}));
    CHECK(file.at("bf16").type == dtype::bf16);
    CHECK(file.values<double>("bf16") == ramp({0, 1, 2, 3, 4}));
    CHECK(file.values<std::int64_t>("i64") == std::vector<std::int64_t>{-3, std::int64_t{1} << 40});
    CHECK(file.at("bool").type == dtype::boolean);
    CHECK(file.at("transposed").shape == shape{3, 2});
    CHECK(file.values<double>("transposed") == ramp({0, 3, 1, 4, 2, 5}));
    CHECK(file.at("permuted").shape == shape{4, 2, 3});
    CHECK(file.values<double>("permuted") == ramp({0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23}));
    CHECK(file.values<double>("slice") == ramp({4, 5, 6, 7}));
    CHECK(file.values<double>("column") == ramp({1, 5, 9}));
    CHECK(file.values<double>("whole") == ramp({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
    CHECK(file.at("scalar").shape.empty());
    CHECK(file.values<double>("scalar") == std::vector<double>{0.5});
    CHECK(file.at("empty").shape == shape{0, 4});
    CHECK(file.values<double>("parameter") == ramp({0, 1}));
  }
}

TEST_CASE("a torch file that asks for code is refused, and the code is not run") {
  CHECK_THROWS_WITH(torch_file(golden + "attack.bin"),
                    Catch::Contains("a pickle asks for 'posix.system', which a dict of tensors does not need"));
  CHECK_THAT(outcome(stream(global("os", "system") + text("true") + "\x85R")), Catch::Contains("asks for 'os.system'"));
  CHECK_THAT(outcome(stream(global("builtins", "eval") + ")R")), Catch::Contains("asks for 'builtins.eval'"));
  CHECK_THAT(outcome(stream(text("os") + text("system") + "\x93")), Catch::Contains("pickle opcode STACK_GLOBAL is not one"));
  CHECK_THAT(outcome(stream("(ios\nsystem\n")), Catch::Contains("pickle opcode INST is not one"));
  CHECK_THAT(outcome(stream(")" + global("torch", "FloatStorage") + "\x81")), Catch::Contains("pickle opcode NEWOBJ is not one"));
  CHECK_THAT(outcome(stream("\xff")), Catch::Contains("pickle opcode 0xff is not one"));
  CHECK_THAT(outcome(stream("\x80\x04}")), Catch::Contains("pickle protocol 4 was found, 2 (the default of torch.save) was expected"));
}

TEST_CASE("a torch file that holds anything but a dict of tensors is refused") {
  CHECK_THROWS_WITH(torch_file(golden + "nested.bin"), Catch::EndsWith("holds a number under 'epoch', a dict of tensors was expected: save "
                                                                       "model.state_dict() alone"));
  CHECK(outcome(stream("]")) == "holds a sequence, a dict of tensors was expected");
  CHECK(outcome("hello") == "is not a file that torch.save wrote (nor a safetensors file)");
  CHECK(outcome("\x80\x02}.") == "is not a file that torch.save wrote (nor a safetensors file)");
  CHECK(outcome("") == "is not a file that torch.save wrote (nor a safetensors file)");
}

TEST_CASE("tensors that do not fit their storage are refused") {
  const auto zero = number(0);
  CHECK(outcome(stream(dict("w", tensor("k", zero, one_dimension, dense)))) == "opened");
  CHECK(outcome(stream(dict("w", tensor("k", number(1), one_dimension, dense)))) ==
        "tensor 'w' of shape (2) reaches outside its storage 'k' of 2 elements");
  CHECK_THAT(outcome(stream(dict("w", tensor("k", number(-1), one_dimension, dense)))), Catch::Contains("reaches outside"));
  CHECK_THAT(outcome(stream(dict("w", tensor("k", zero, "(" + number(2000000000) + "t", dense)))), Catch::Contains("reaches outside"));
  const std::string huge = "\x8a\x08" + raw(std::int64_t{1} << 62);
  CHECK_THAT(outcome(stream(dict("w", tensor("k", zero, "(" + huge + huge + "t", "(" + huge + huge + "t")))),
             Catch::Contains("impossible shape"));
  CHECK_THAT(outcome(stream(dict("w", tensor("k", zero, "(" + number(3) + "t", "(" + huge + "t")))), Catch::Contains("reaches outside"));
  CHECK_THAT(outcome(stream(dict("w", tensor("k", huge, one_dimension, "(" + huge + "t")))), Catch::Contains("reaches outside"));
  CHECK_THAT(outcome(stream(dict("w", tensor("k", zero, "(" + number(1000000) + "t", "(" + zero + "t")))),
             Catch::Contains("repeats its elements"));
  CHECK_THAT(outcome(stream(dict("w", tensor("k", zero, one_dimension, "(t")))), Catch::Contains("impossible shape"));
  CHECK_THAT(outcome(stream(dict("w", tensor("k", zero, "(" + number(-1) + "t", dense)))), Catch::Contains("no whole number"));
  CHECK_THAT(outcome(stream(dict("w", tensor("k", zero, one_dimension, dense, "LongStorage")))),
             Catch::Contains("ends after") || Catch::Contains("cut"));
  CHECK(outcome(stream(dict("w", tensor("absent", zero, one_dimension, dense)), "\x80\x02].")) == "has no storage 'absent' (damaged?)");
  CHECK_THAT(outcome(stream(dict("w", tensor("k", zero, one_dimension, dense)), "\x80\x02]"s + text("k") + "a." + raw(~std::uint64_t{0}))),
             Catch::Contains("holds a storage of 18446744073709551615 elements"));
  CHECK_THAT(outcome(stream(dict("w", tensor("k", zero, one_dimension, dense)), "\x80\x02]"s + text("other") + "a.")),
             Catch::Contains("holds a storage 'other' that no tensor uses"));
  CHECK_THAT(outcome(stream("}(" + text("w") + tensor("k", zero, one_dimension, dense) + text("w") +
                            tensor("k", zero, one_dimension, dense) + "u")),
             Catch::Contains("holds tensor 'w' twice"));
}

TEST_CASE("malformed pickles are refused") {
  for (const auto& pickle : {"t"s, "a"s, "("s, "Q"s, "R"s, "b"s, "s"s, "(u"s, "q\x01"s, "\x87"s, "N(a"s, "](" + text("x") + "s"}) {
    CHECK_THAT(outcome(stream(pickle)), Catch::Contains("takes more from its stack") || Catch::Contains("items to"));
  }
  CHECK_THAT(outcome(stream("h\x07")), Catch::Contains("recalls value 7, which it never stored"));
  CHECK_THAT(outcome(stream("}Nb}" + text("x") + "a")), Catch::Contains("adds 1 items to a dict"));
  CHECK_THAT(outcome(stream("NNb")), Catch::Contains("sets attributes of None"));
  CHECK_THAT(outcome(stream("}(Nu")), Catch::Contains("adds 1 items to a dict"));
  CHECK_THAT(outcome(stream("NQ")), Catch::Contains("refers to something other than the storage"));
  CHECK_THAT(outcome(stream("N)R")), Catch::Contains("calls something that is no function"));
  CHECK_THAT(outcome(stream(global("torch", "FloatStorage") + ")R")), Catch::Contains("calls torch.FloatStorage with arguments"));
  CHECK_THAT(outcome(stream("\x8a\xff" + std::string(255, 'x'))), Catch::Contains("an integer of 255 bytes"));
  CHECK_THAT(outcome(stream("X\xff\xff\xff\xff")), Catch::Contains("4294967295 were expected (cut short?)"));
  CHECK_THAT(outcome(stream("cos")), Catch::Contains("cut short?") || Catch::Contains("asks for"));
  CHECK(outcome(stream(dict("w", "N"))) == "holds None under 'w', a dict of tensors was expected: save model.state_dict() alone");
  CHECK_THAT(outcome(stream(dict("w", tensor("k", number(0), one_dimension, dense, "OrderedDict")))),
             Catch::Contains("asks for 'torch.OrderedDict'"));
}

TEST_CASE("depth, cycles and length of a pickle cost nothing") {
  CHECK(outcome(stream(std::string(500'000, ']') + std::string(499'999, 'a'))) == "holds a sequence, a dict of tensors was expected");
  CHECK_THAT(outcome(stream(std::string(2'000'000, ']'))), Catch::Contains("builds more values than that of any model"));
  CHECK_THAT(outcome(stream("]q\x01" +
                            [] {
                              std::string gets;
                              for (int i = 0; i < 6'000'000; ++i) gets += "h\x01";
                              return gets + std::string(6'000'000, 'a');
                            }())),
             Catch::Contains("longer than that of any model"));
}

TEST_CASE("damaged zip archives are refused") {
  const std::string good = graft::read_file(golden + "zip.bin");
  REQUIRE(outcome(good) == "opened");
  const std::size_t end = good.rfind("PK\5\6");
  const auto patched = [&](std::size_t at, const std::string& bytes) { return std::string(good).replace(at, bytes.size(), bytes); };
  std::uint32_t directory = 0;
  std::memcpy(&directory, good.data() + end + 16, 4);
  REQUIRE(good.substr(directory, 4) == "PK\1\2");
  const std::string no_locator = patched(good.rfind("PK\6\7"), "XX");  // then the 32-bit numbers count
  CHECK(outcome(no_locator) == "opened");
  CHECK_THAT(outcome(patched(directory + 10, raw<std::uint16_t>(8))), Catch::Contains("/data.pkl' is compressed, PyTorch stores"));
  CHECK_THAT(outcome(patched(directory + 8, raw<std::uint16_t>(1))), Catch::Contains("/data.pkl' is encrypted"));
  CHECK_THAT(outcome(patched(directory + 42, raw<std::uint32_t>(1u << 31))), Catch::Contains("points outside the data"));
  CHECK_THAT(outcome(patched(directory + 42, raw<std::uint32_t>(5))), Catch::Contains("is no zip entry"));
  CHECK_THAT(outcome(patched(directory + 20, raw<std::uint64_t>(0x7fffffff7fffffff))), Catch::Contains("were expected (cut short?)"));
  CHECK_THAT(outcome(patched(good.rfind("PK\6\6") + 48, raw(~std::uint64_t{0}))), Catch::Contains("points outside the data"));
  CHECK_THAT(outcome(patched(good.rfind("PK\6\7") + 8, raw(std::uint64_t{3}))), Catch::Contains("is no zip64 directory record"));
  CHECK_THAT(outcome(patched(directory + 46, "Y")), Catch::Contains("has no storage") || Catch::Contains("without a data.pkl"));
  CHECK(outcome("PK\3\4" + std::string(100, '\0')) == "has no zip directory at its end (cut short?)");
}

TEST_CASE("a torch file cut at any byte is refused, and changed at any byte does no harm") {
  for (const auto* name : {"zip.bin", "stream.bin", "attack.bin"}) {
    const std::string good = graft::read_file(golden + name);
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(outcome(good.substr(0, size)) != "opened");
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const char change : {'\x01', '\xff'}) {
        std::string changed = good;
        changed[at] = static_cast<char>(changed[at] ^ change);
        const std::string result = outcome(changed);  // any answer will do: a crash or a sanitizer's report is what must not come
        if (name == "attack.bin"s) CHECK(result != "opened");
      }
    }
  }
}
