// The files that a tokenizer is made of: the same bytes as each of them, the others being as they should.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include <filesystem>
#include <utility>
#include <vector>

#include "graft/text/tokenizer.hpp"

namespace {

/// Reads a folder of the FILES (name, bytes) and encodes texts with what comes of it, TEXT among them.
void use_tokenizer(const std::vector<std::pair<std::string, std::string_view>>& files, std::string_view text) {
  for (const auto& [name, bytes] : files) graft_fuzz::write(name, bytes);
  graft_fuzz::attempt([&] {
    const auto tokens = graft::tokenizer::from_folder(graft_fuzz::folder().path());
    const auto encode = [&](std::string_view one) {
      std::vector<graft::text_span> spans;
      const auto ids = tokens.encode(one, false, &spans);
      for (const auto id : ids) tokens.token(id);  // an id outside the vocabulary throws
      graft_fuzz::require(spans.size() == ids.size() && tokens.encode(one) == ids);
    };
    for (const auto* one : {"", " lower low\n<mask>[MASK] lowlo ", "Stra\u00dfe \u4e16\u754c it's 12"}) encode(one);
    graft_fuzz::attempt([&] { encode(text.substr(0, 256)); });
  });
  for (const auto& [name, bytes] : files) ::unlink((graft_fuzz::folder() / name).c_str());
}

}  // namespace

GRAFT_HARNESS(vocabulary) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  use_tokenizer({{"vocab.json", text}, {"merges.txt", "#version: 0.2\n"}}, text);
  constexpr std::string_view plain =
      R"({"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"l":4,"o":5,"lo":6,"w":7,"low":8,"e":9,"r":10,"er":11,"lower":12})";
  use_tokenizer({{"vocab.json", plain}, {"merges.txt", text}}, text);
  use_tokenizer({{"vocab.json", plain}, {"merges.txt", "l o\nlo w\ne r\nlow er\n"}, {"tokenizer.json", text}}, text);
  use_tokenizer({{"vocab.txt", text}}, text);
  use_tokenizer({{"tokenizer.json", text}}, text);
  for (const auto* name : {"sentencepiece.bpe.model", "spm.model"}) use_tokenizer({{name, text}}, text);
  return 0;
}
