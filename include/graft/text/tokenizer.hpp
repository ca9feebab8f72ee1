#pragma once
// Text -> ids, whatever a model's folder holds; the rest of graft does not care.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/text/text_layout.hpp"

namespace graft {

namespace detail {
struct listed_pieces;
}
class vocabulary;
struct fast_tokenizer;
struct tokenizer_config;

/// Whose special tokens are used: `<s>` and `</s>`, or others, such as `[CLS]` and `[SEP]`.
enum class tokenizer_family { roberta, bert };

/// What ids an encoder has rows for.
struct known_ids {
  known_ids(std::int32_t vocabulary_size, std::int32_t padding = -1, std::int32_t segment_rows = 2);
  std::int32_t count;
  std::int32_t pad;  // -1: not known
  std::int32_t segments;
};

/// A vocabulary with its way of cutting text, its special tokens, and tokens that were added to it. `encode` may be called from several
/// threads at once.
/// Tested: tests/text/tokenizer_test.cpp
class tokenizer {
 public:
  /// From vocab.json + merges.txt (RoBERTa) or vocab.txt (BERT), if tokenizer_config.json names a tokenizer_class that reads them or none;
  /// else from tokenizer.json, or where there is none from sentencepiece.bpe.model (XLM-RoBERTa, CamemBERT) or spm.model (DeBERTa). A
  /// tokenizer.json that gives pieces other ids than the plain files counts, which is noted, as in
  /// transformers. tokenizer_config.json, special_tokens_map.json and added_tokens.json add to each. BERT text is lower-cased as the files'
  /// `do_lower_case` says; where they are silent, as LOWER_CASE says; else if no piece but those in brackets has a letter A-Z. A special
  /// token's string, or an added one's, inside a text is that one id. The white space around it goes as the files' `lstrip` and `rstrip`
  /// say; where they are silent, on both sides as in transformers 2, but on none with a tokenizer.json.
  /// @throws format_error  the folder holds no tokenizer, a file is broken (see vocabulary, byte_level_bpe), a special token is missing,
  ///                       or a setting cannot be honored (see read_fast_tokenizer, read_tokenizer_config)
  static tokenizer from_folder(const std::string& folder, std::optional<bool> lower_case = std::nullopt);

  /// The ids of TEXT, STRIPPED of white space at either end or as it stands; none is added at the ends. *SPANS, if given, becomes where
  /// each stands in TEXT, as the tokenizers library counts; that costs several times the time.
  /// @throws encoding_error  TEXT is not valid UTF-8
  std::vector<std::int32_t> encode(std::string_view text, bool stripped = false, std::vector<text_span>* spans = nullptr) const;

  /// The ids of TEXT exactly as it stands: special and added tokens' strings are text like any other. *SPANS as above.
  /// @throws encoding_error  TEXT is not valid UTF-8
  std::vector<std::int32_t> encode_plain(std::string_view text, std::vector<text_span>* spans = nullptr) const;

  /// The piece as the vocabulary writes it (RoBERTa: with stand-ins for bytes, so a leading space is U+0120), or the added token.
  /// @throws error  ID is not in 0 .. size() - 1
  const std::string& token(std::int32_t id) const;

  /// With added tokens.
  std::int32_t size() const;
  /// How special tokens stand around texts. It goes by the class that the files name, if they name one, else by the family.
  const text_layout& layout() const { return layout_; }
  /// The `tokenizer_class` that the files name, without "Fast" at its end; "": none.
  const std::string& named_class() const { return class_; }
  /// What the user should know of: a line each.
  const std::vector<std::string>& notes() const { return notes_; }
  void note(std::string text);

  /// From now on texts are made lower case before all else, but for special tokens in them. Takes several times as long to cut.
  void lower_case();
  /// Texts are for an encoder with rows for IDS: `featurize` gives out no others. With one segment both texts of a pair are 0.
  void fit(const known_ids& ids);
  /// What the encoder has rows for: two segments and the ids of the tokenizer, unless `fit` was told.
  known_ids known() const;

  tokenizer_family family() const;

  /// Whether a space is part of the token behind it, in place of a mark of its own (byte-level BPE).
  bool writes_spaces() const;
  /// Whether pieces that go on with a word are marked ("##ing").
  bool marks_continuations() const;

  std::int32_t cls_id() const { return special_ids_[0]; }
  std::int32_t sep_id() const { return special_ids_[1]; }
  std::int32_t pad_id() const { return special_ids_[2]; }   // -1: none
  std::int32_t unk_id() const { return special_ids_[3]; }   // -1: none
  std::int32_t mask_id() const { return special_ids_[4]; }  // -1: none

 private:
  struct parts;  // what cuts texts

  /// MADE has its model; the other parts come from the files. FAST: null when they are plain ones.
  tokenizer(std::shared_ptr<parts> made, const tokenizer_config& config, const fast_tokenizer* fast);

  /// `encode` of a text that begins at code point ORIGIN of the one as given; PLAIN: as `encode_plain`.
  std::vector<std::int32_t> encode_aligned(std::string_view text, std::int32_t origin, bool plain, std::vector<text_span>& spans) const;

  /// Where a tokenizer.json that lists LISTED contradicts these plain files: in an id or a merge of those in FOLDER; "" if nowhere.
  std::string contradiction(const detail::listed_pieces& listed, const std::string& folder) const;

  const vocabulary& pieces() const;

  std::shared_ptr<const parts> parts_;  // copies share them
  std::array<std::int32_t, 5> special_ids_{};
  bool lowers_ = false;  // texts, before the model's own steps
  text_layout layout_;
  std::string class_;
  std::vector<std::string> notes_;
  std::int32_t count_ = -1, segments_ = 2;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/tokenizer-inl.hpp"  // IWYU pragma: export
#endif
