#pragma once
// Tokenizer folders small enough to check by hand.

#include <cstddef>
#include <string>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/tokenizer.hpp"
#include "support/shared.hpp"

namespace graft_test {

inline const std::string g = "\u0120";  // GPT-2's stand-in for a space

/// The pieces of a RoBERTa-like vocabulary, in id order: special tokens, 256 bytes (byte b has id 4 + b), the products of `tiny_merges`,
/// <mask>.
inline std::vector<std::string> tiny_pieces() {
  std::vector<std::string> pieces{"<s>", "<pad>", "</s>", "<unk>"};
  for (const auto stand_in : graft::detail::byte_alphabet) graft::detail::append_code_point(pieces.emplace_back(), stand_in);
  for (const auto& piece : {std::string("lo"), std::string("low"), g + "low", std::string("er"), std::string("lower"), g + "n",
                            std::string("ew"), g + "new", std::string("aa")}) {
    pieces.push_back(piece);
  }
  pieces.emplace_back("<mask>");
  return pieces;
}

inline std::string tiny_merges() { return "#version: 0.2\nl o\nlo w\n" + g + " low\ne r\nlow er\n" + g + " n\ne w\n" + g + "n ew\na a\n"; }

inline void write_roberta(const temporary_folder& folder, const std::vector<std::string>& pieces, const std::string& merges) {
  graft::json vocabulary = graft::json::object();
  for (std::size_t id = 0; id < pieces.size(); ++id) vocabulary[pieces[id]] = id;
  graft::write_file(folder / "vocab.json", vocabulary.dump());
  graft::write_file(folder / "merges.txt", merges);
}

inline graft::tokenizer tiny_roberta() {
  const temporary_folder folder;
  write_roberta(folder, tiny_pieces(), tiny_merges());
  return graft::tokenizer::from_folder(folder.path());
}

inline const std::string tiny_bert_pieces = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncafe\nlow\n##er\n##est\n,\n!\n\u4e16\n##\u00df\nstra\n";

inline graft::tokenizer tiny_bert() {
  const temporary_folder folder;
  graft::write_file(folder / "vocab.txt", tiny_bert_pieces);
  return graft::tokenizer::from_folder(folder.path());
}

inline std::vector<std::string> tokens_of(const graft::tokenizer& model, const std::vector<std::int32_t>& ids) {
  std::vector<std::string> tokens;
  for (const auto id : ids) tokens.push_back(model.token(id));
  return tokens;
}

}  // namespace graft_test
