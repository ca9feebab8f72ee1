// Ids, and where tokens stand, of every way of cutting text, as the tokenizers library has them: tests/peers/tokenizer_cases.py made the
// files.

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/core/file.hpp"
#include "graft/text/tokenizer.hpp"

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  const auto text = graft::read_file(path);
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

TEST_CASE("every kind of tokenizer gives the ids and places of the tokenizers library") {
  const std::string folder = GRAFT_TEST_DIR "/golden/text";
  const auto lines = lines_of(folder + "/lines.txt");
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    INFO(entry.path());
    const auto model = graft::tokenizer::from_folder(entry.path().string());
    const auto expected = lines_of((entry.path() / "expected.txt").string());
    REQUIRE(expected.size() == lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      std::vector<graft::text_span> spans;
      const auto ids = model.encode(lines[i], false, &spans);
      CHECK(model.encode(lines[i]) == ids);
      std::string found;
      for (std::size_t k = 0; k < ids.size(); ++k) {
        found += (k > 0 ? " " : "") + std::to_string(ids[k]) + ":" + std::to_string(spans[k].begin) + "-" + std::to_string(spans[k].end);
      }
      CHECK(found == expected[i]);
    }
    ++cases;
  }
  CHECK(cases == 17);
}

TEST_CASE("places count from the start of the text as given, whatever was stripped") {
  const auto model = graft::tokenizer::from_folder(GRAFT_TEST_DIR "/golden/text/bert");
  std::vector<graft::text_span> spans, plain;
  const auto ids = model.encode("\u3000 low [SEP] \u00e9 ", true, &spans);
  CHECK(model.encode("low [SEP] \u00e9", false, &plain) == ids);
  REQUIRE(spans.size() == plain.size());
  for (std::size_t i = 0; i < spans.size(); ++i) CHECK(spans[i] == graft::text_span{plain[i].begin + 2, plain[i].end + 2});
  CHECK(spans.back() == graft::text_span{12, 13});
  CHECK(model.encode_plain("[SEP]", &spans).size() == spans.size());
  CHECK(spans.back() == graft::text_span{4, 5});
  CHECK(model.encode("", false, &spans).empty());
  CHECK(spans.empty());
}
