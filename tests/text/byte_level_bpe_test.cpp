#include "graft/text/byte_level_bpe.hpp"

#include <catch2/catch.hpp>

#include "graft/text/tokenizer.hpp"
#include "text/tiny_vocabularies.hpp"

using Catch::Contains;
using graft_test::g;
using strings = std::vector<std::string>;

TEST_CASE("text is cut into words as GPT-2's pattern cuts it") {
  const auto words = [](std::string_view text) {
    strings result;
    for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
      end = graft::detail::word_end(text, begin);
      result.emplace_back(text.substr(begin, end - begin));
    }
    return result;
  };
  CHECK(words("one two2!?") == strings{"one", " two", "2", "!?"});
  CHECK(words("a  b   ") == strings{"a", " ", " b", "   "});
  CHECK(words(" ") == strings{" "});
  CHECK(words("\n\nx\ty") == strings{"\n", "\n", "x", "\t", "y"});
  CHECK(words("a\u00a0 b\u3000c") == strings{"a", "\u00a0", " b", "\u3000", "c"});
  CHECK(words("we'll 'll it's'S 're!'t") == strings{"we", "'ll", " '", "ll", " it", "'s", "'", "S", " '", "re", "!'", "t"});
  CHECK(words("caf\u00e9 \u4e16\u754c\u00bd\u2167 \u0301x\u200b") ==
        strings{"caf\u00e9", " \u4e16\u754c", "\u00bd\u2167", " \u0301", "x", "\u200b"});
}

TEST_CASE("pairs are joined in the order of the merges") {
  const auto model = graft_test::tiny_roberta();
  const auto tokens = [&](const std::string& text) { return graft_test::tokens_of(model, model.encode_plain(text)); };
  CHECK(tokens("lower low new") == strings{"lower", g + "low", g + "new"});
  CHECK(tokens(" lower") == strings{g + "low", "er"});  // "low" joins the space first, since that merge is listed before "low er"
  CHECK(tokens("slowew") == strings{"s", "low", "ew"});
  CHECK(tokens("aaaaa") == strings{"aa", "aa", "a"});
  CHECK(tokens("l\u00e9") == strings{"l", "\u00c3", "\u00a9"});
  CHECK(tokens("").empty());
  CHECK(model.encode_plain(std::string("\0", 1)) == std::vector<std::int32_t>{4});
}

TEST_CASE("words that are pieces are those of their merges, whichever thread asks first") {
  const auto model = graft_test::tiny_roberta();
  std::string text;  // every piece as a word, twice
  for (std::int32_t id = 0; id < 2 * model.size(); ++id) text += " " + model.token(id % model.size());
  const auto alone = graft_test::tiny_roberta().encode_plain(text);
  std::vector<std::vector<std::int32_t>> all(8);
#pragma omp parallel for num_threads(4) schedule(static, 1)
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = model.encode_plain(text);
  for (const auto& one : all) CHECK(one == alone);
}

TEST_CASE("a very long word takes no more than n log n") {
  const auto model = graft_test::tiny_roberta();
  CHECK(model.encode_plain(std::string(2'000'000, 'a')).size() == 1'000'000);  // minutes, were it quadratic
}

TEST_CASE("a byte without a piece is <unk>, or an error without <unk>") {
  const graft_test::temporary_folder folder;
  auto pieces = graft_test::tiny_pieces();
  pieces[4 + 'z'] = "unused";
  graft_test::write_roberta(folder, pieces, graft_test::tiny_merges());
  const auto encode = [&](std::string_view text) {
    std::vector<std::int32_t> ids;
    graft::byte_level_bpe(graft::vocabulary::from_json(folder / "vocab.json"), folder / "merges.txt").encode(text, {ids});
    return ids;
  };
  CHECK(encode("zaz") == std::vector<std::int32_t>{3, 4 + 'a', 3});
  pieces[3] = "also unused";
  graft_test::write_roberta(folder, pieces, graft_test::tiny_merges());
  CHECK_THROWS_WITH(encode(""), Contains("vocab.json: has neither a piece for byte 122 (\"z\") nor \"<unk>\""));
}

TEST_CASE("broken merges are refused with file and line") {
  const graft_test::temporary_folder folder;
  const auto refusal = [&](const std::string& merges, const std::string& message) {
    graft_test::write_roberta(folder, graft_test::tiny_pieces(), merges);
    CHECK_THROWS_WITH(graft::tokenizer::from_folder(folder.path()), Contains("merges.txt:" + message));
  };
  refusal("#version: 0.2\nl o\nlow\n", "3: \"low\" is no merge");
  refusal("l o\n\nlo w\n", "2: \"\" is no merge");
  refusal("l o w\n", "1: \"l o w\" is no merge");
  refusal("l \n", "1: \"l \" is no merge");
  refusal(" l\n", "1: \" l\" is no merge");
  refusal("l \u4e16\n", "1: \"\u4e16\" is not in");
  refusal("xy l\n", "1: \"xy\" is not in");
  refusal("l o\r\nx y\r\n", "2: \"xy\" is not in");
  refusal("\nl o\n", "1: \"\" is no merge");
}

TEST_CASE("merges: none, blank lines at the end, and one that is listed twice") {
  const graft_test::temporary_folder folder;
  const auto tokens = [&](const std::string& merges, std::size_t notes = 0) {
    graft_test::write_roberta(folder, graft_test::tiny_pieces(), merges);
    const auto model = graft::tokenizer::from_folder(folder.path());
    CHECK(model.notes().size() == notes);
    std::string text;
    for (const auto& token : graft_test::tokens_of(model, model.encode_plain("lower"))) text += token + "|";
    return text;
  };
  for (const std::string none : {"", "\n", "#version: 0.2", "#version: 0.2\n", "#version: 0.2\r\n\r\n"})
    CHECK(tokens(none) == "l|o|w|e|r|");
  CHECK(tokens("#version: 0.2\nl o\ne r\n\n\n") == "lo|w|er|");
  CHECK(tokens("l o\ne w\nl o\nlo w\n", 1) == "low|e|r|");
  // The last place counts: "l o" no longer comes before "e r", but it still comes before "lo w".
  CHECK(tokens("l o\nlo w\nl o\n", 1) == "low|e|r|");
}
