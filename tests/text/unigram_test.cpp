#include "graft/text/unigram.hpp"

#include <catch2/catch.hpp>

#include "graft/core/json.hpp"
#include "graft/text/sentencepiece.hpp"
#include "support/shared.hpp"

using Catch::Contains;
using ids_type = std::vector<std::int32_t>;

namespace {

ids_type encode(const graft::unigram& model, std::string_view word) {
  ids_type ids;
  std::vector<graft::detail::byte_range> ranges;
  graft::unigram::scratch work;
  model.encode(word, work, {ids, &ranges, 0});
  REQUIRE(ranges.size() == ids.size());
  if (!ranges.empty()) CHECK((ranges.front().begin == 0 && ranges.back().end == word.size()));
  return ids;
}

graft::unigram made(const std::vector<std::string>& pieces, const std::vector<double>& scores, const graft::unigram_settings& settings) {
  return {graft::vocabulary::from_list(pieces, "t"), scores, settings};
}

}  // namespace

TEST_CASE("a word is cut into the pieces whose scores sum up to the most") {
  const auto model = made({"<unk>", "a", "b", "ab", "abc", "c", "bc"}, {0, -1, -1, -1.5, -9, -1, -3}, {.unk_id = 0});
  CHECK(encode(model, "abc") == ids_type{3, 5});
  CHECK(encode(model, "abcb") == ids_type{3, 5, 2});
  CHECK(encode(model, "").empty());
  CHECK(encode(model, "xyab\u4e16z") == ids_type{0, 3, 0});  // a run of unknown characters is one
  const auto tie = made({"<unk>", "a", "aa"}, {0, -1, -2}, {.unk_id = 0});
  CHECK(encode(tie, "aa") == ids_type{2});  // the way that is found first: with the piece that begins first
}

TEST_CASE("unknown characters become the pieces of their bytes where there are all") {
  const auto model = made({"<unk>", "a", "<0xC3>", "<0xA9>", "<0x78>"}, {0, -1, 0, 0, 0}, {.unk_id = 0, .byte_fallback = true});
  CHECK(encode(model, "a\u00e9") == ids_type{1, 2, 3});
  CHECK(encode(model, "x\u00e9a") == ids_type{4, 2, 3, 1});
  CHECK(encode(model, "y\u00e9") == ids_type{0});
  const auto none = made({"a"}, {-1}, {});
  CHECK_THROWS_WITH(encode(none, "ab"), Contains("has no piece for \"b\", and no unknown token"));
  CHECK_THROWS_WITH(made({"a"}, {-1}, {.unk_id = 1}), Contains("has 1 pieces, but the unknown token has id 1"));
  CHECK_THROWS_WITH(made({}, {}, {}), Contains("holds no pieces"));
}

TEST_CASE("a SentencePiece file that is none is refused in a line") {
  const std::string whole = graft::read_file(GRAFT_TEST_DIR "/golden/text/deberta-spm/spm.model");
  const graft_test::temporary_folder folder;
  const auto refusal = [&](const std::string& bytes, const std::string& message) {
    graft::write_file(folder / "spm.model", bytes);
    CHECK_THROWS_WITH(graft::sentencepiece_as_tokenizer(folder / "spm.model", graft::sentencepiece_kind::deberta), Contains(message));
  };
  refusal("", "has 0 pieces: no SentencePiece model?");
  refusal("some text\n", "spm.model: is cut short, or no SentencePiece model");
  refusal(whole.substr(0, whole.size() - 1), "is cut short, or no SentencePiece model");
  refusal(whole + "\x12\x02\x18\x02", "is a SentencePiece model of type 2, graft takes Unigram (1) only");
  refusal(whole + std::string("\x0a\x02\x0a\x7f"), "is cut short");
  refusal(whole + "\x0a\x03\x0a\x01\xff", "is not UTF-8, or has no finite score");
}
