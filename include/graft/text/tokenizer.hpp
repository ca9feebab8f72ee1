#pragma once
// Text -> ids for either family of encoders; the rest of graft does not care which.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/text/added_tokens.hpp"
#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/fast_tokenizer.hpp"
#include "graft/text/tokenizer_config.hpp"
#include "graft/text/utf8.hpp"
#include "graft/text/vocabulary.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft {

enum class tokenizer_family { roberta, bert };

/// What ids an encoder has rows for.
struct known_ids {
  known_ids(std::int32_t vocabulary_size, std::int32_t padding = -1, std::int32_t segment_rows = 2)  // implicit: a size will do
      : count(vocabulary_size), pad(padding), segments(segment_rows) {}
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
  /// else from tokenizer.json. A tokenizer.json that gives pieces other ids than the plain files counts, which is noted, as in
  /// transformers. tokenizer_config.json, special_tokens_map.json and added_tokens.json add to each. BERT text is lower-cased as the files'
  /// `do_lower_case` says; where they are silent, as LOWER_CASE says; else if no piece but those in brackets has a letter A-Z. A special
  /// token's string, or an added one's, inside a text is that one id. The white space around it goes as the files' `lstrip` and `rstrip`
  /// say; where they are silent, on both sides as in transformers 2, but on none with a tokenizer.json.
  /// @throws format_error  the folder holds no tokenizer, a file is broken (see vocabulary, byte_level_bpe), a special token is missing,
  ///                       or a setting cannot be honored (see read_fast_tokenizer, read_tokenizer_config)
  static tokenizer from_folder(const std::string& folder, std::optional<bool> lower_case = std::nullopt) {
    const auto path = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
    const auto has = [&](const char* name) { return is_there(path(name)); };
    const auto config = read_tokenizer_config(folder);
    const auto in = [&](std::initializer_list<const char*> classes) {
      return std::ranges::find(classes, config.tokenizer_class) != classes.end();
    };
    const bool any = config.tokenizer_class.empty();
    const bool of_roberta = in({"RobertaTokenizer", "GPT2Tokenizer", "BartTokenizer", "LongformerTokenizer"});
    const bool of_bert = in({"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"});
    const text_layout of_class = of_roberta ? roberta_layout : text_layout{1, in({"DistilBertTokenizer"}) ? 0 : 1};
    const auto laid_out = [&](tokenizer made, const text_layout& otherwise) {
      made.layout_ = of_roberta || of_bert ? of_class : otherwise;
      made.class_ = config.tokenizer_class;
      return made;
    };
    std::optional<tokenizer> plain;
    std::string reason;  // why tokenizer.json counts and the plain files do not
    try {
      if ((any || of_roberta) && has("vocab.json") && has("merges.txt")) {
        byte_level_settings settings;
        settings.add_prefix_space = config.add_prefix_space.value_or(false);
        if (!config.special_tokens[3].empty()) settings.unk_token = config.special_tokens[3];
        plain = laid_out({byte_level_bpe(vocabulary::from_json(path("vocab.json")), path("merges.txt"), settings), config}, roberta_layout);
      } else if ((any || of_bert) && has("vocab.txt")) {
        auto pieces = vocabulary::from_lines(path("vocab.txt"));
        wordpiece_settings settings;
        settings.lower_case = config.do_lower_case ? *config.do_lower_case : lower_case.value_or(!has_upper_case(pieces));
        settings.strip_accents = config.strip_accents.value_or(std::nullopt);
        settings.handle_chinese_chars = config.tokenize_chinese_chars.value_or(true);
        if (!config.special_tokens[3].empty()) settings.unk_token = config.special_tokens[3];
        plain = laid_out({wordpiece(std::move(pieces), settings), config}, bert_layout);
      }
    } catch (const format_error& failure) {
      if (!has("tokenizer.json")) throw;
      reason = failure.what();
    }
    if (!has("tokenizer.json")) {
      if (plain) return std::move(*plain);
      if (has("vocab.txt") || (has("vocab.json") && has("merges.txt"))) {
        throw format_error(path("tokenizer_config.json"), "\"tokenizer_class\" is \"" + config.tokenizer_class +
                                                              "\", which graft cannot make of the vocabulary beside it");
      }
      throw format_error(folder, "holds neither vocab.json + merges.txt nor vocab.txt nor tokenizer.json");
    }
    if (plain) {
      reason = plain->contradiction(read_json(path("tokenizer.json")));
      if (reason.empty()) return std::move(*plain);
    }
    auto fast = read_fast_tokenizer(path("tokenizer.json"), config);
    tokenizer result(std::move(fast.model), config, &fast);
    const auto usual = result.family() == tokenizer_family::roberta ? roberta_layout : bert_layout;
    const auto layout = check_post_processor(fast.post_processor, path("tokenizer.json"), {result.token(result.cls_id()), result.cls_id()},
                                             {result.token(result.sep_id()), result.sep_id()}, usual);
    result = laid_out(std::move(result), any ? usual : layout);
    if (!reason.empty()) result.notes_.push_back(reason + ": " + path("tokenizer.json") + " counts, as in transformers");
    return result;
  }

  /// The ids of TEXT; none is added at the ends, and TEXT is not stripped.
  /// @throws encoding_error  TEXT is not valid UTF-8
  std::vector<std::int32_t> encode(std::string_view text) const {
    require_utf8(text);
    std::vector<std::int32_t> ids;
    std::string buffer;
    const auto take = [&](std::int32_t id) { ids.push_back(id); };
    std::visit(
        [&](const auto& model) {
          literal_.split(
              text,
              [&](std::string_view stretch) {
                normalized_.split(
                    model.normalize(stretch, buffer), [&](std::string_view part) { model.encode(part, ids); }, take);
              },
              take);
        },
        model_);
    return ids;
  }

  /// The ids of TEXT exactly as it stands: special and added tokens' strings are text like any other.
  /// @throws encoding_error  TEXT is not valid UTF-8
  std::vector<std::int32_t> encode_plain(std::string_view text) const {
    require_utf8(text);
    std::vector<std::int32_t> ids;
    std::string buffer;
    std::visit([&](const auto& model) { model.encode(model.normalize(text, buffer), ids); }, model_);
    return ids;
  }

  /// The piece as the vocabulary writes it (RoBERTa: with stand-ins for bytes, so a leading space is U+0120), or the added token.
  /// @throws error  ID is not in 0 .. size() - 1
  const std::string& token(std::int32_t id) const {
    const auto beyond = static_cast<std::int64_t>(id) - pieces().size();
    return beyond >= 0 && beyond < std::ssize(beyond_) ? beyond_[static_cast<std::size_t>(beyond)] : pieces().piece(id);
  }

  /// With added tokens.
  std::int32_t size() const { return pieces().size() + static_cast<std::int32_t>(beyond_.size()); }
  /// How special tokens stand around texts. It goes by the class that the files name, if they name one, else by the family.
  const text_layout& layout() const { return layout_; }
  /// The `tokenizer_class` that the files name, without "Fast" at its end; "": none.
  const std::string& named_class() const { return class_; }
  /// What the user should know of: a line each.
  const std::vector<std::string>& notes() const { return notes_; }
  void note(std::string text) { notes_.push_back(std::move(text)); }

  /// Texts are for an encoder with rows for IDS: `featurize` gives out no others. With one segment both texts of a pair are 0.
  void fit(const known_ids& ids) {
    count_ = ids.count;
    segments_ = ids.segments;
    if (segments_ < 2) layout_.second_segment = 0;
  }
  /// What the encoder has rows for: two segments and the ids of the tokenizer, unless `fit` was told.
  known_ids known() const { return {count_ < 0 ? size() : count_, pad_id(), segments_}; }

  tokenizer_family family() const {
    return std::holds_alternative<byte_level_bpe>(model_) ? tokenizer_family::roberta : tokenizer_family::bert;
  }

  std::int32_t cls_id() const { return special_ids_[0]; }
  std::int32_t sep_id() const { return special_ids_[1]; }
  std::int32_t pad_id() const { return special_ids_[2]; }   // -1: none
  std::int32_t unk_id() const { return special_ids_[3]; }   // -1: none
  std::int32_t mask_id() const { return special_ids_[4]; }  // -1: none

 private:
  /// FAST: null when MODEL is from plain files.
  tokenizer(tokenizer_model model, const tokenizer_config& config, const fast_tokenizer* fast = nullptr) : model_(std::move(model)) {
    auto names = family() == tokenizer_family::roberta ? std::array<std::string, 5>{"<s>", "</s>", "<pad>", "<unk>", "<mask>"}
                                                       : std::array<std::string, 5>{"[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"};
    std::vector<added_token> mentions;
    if (fast != nullptr) mentions = fast->mentions;
    if (fast != nullptr && !fast->unk_token.empty()) names[3] = fast->unk_token;
    mentions.insert(mentions.end(), config.mentions.begin(), config.mentions.end());
    const auto id_of = [&](const std::string& text) {
      const auto mention = std::ranges::find_if(mentions, [&](const auto& token) { return token.text == text && token.id >= 0; });
      return mention != mentions.end() ? mention->id : pieces().find(text);
    };
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!config.special_tokens[i].empty()) names[i] = config.special_tokens[i];
      special_ids_[i] = id_of(names[i]);
      if (special_ids_[i] < 0 && i < 2) pieces().require(names[i]);
      if (special_ids_[i] >= 0) mentions.push_back({.text = names[i], .where = pieces().path(), .special = true});
    }
    notes_ = config.notes;
    notes_.insert(notes_.end(), pieces().notes().begin(), pieces().notes().end());
    auto settled = settle(pieces(), mentions, fast == nullptr);
    for (std::size_t i = 2; i < names.size(); ++i) {  // one that is named and no piece got the next id
      const auto place = std::ranges::find(settled.searched, names[i], &searched_token::text);
      if (place != settled.searched.end()) special_ids_[i] = place->id;
    }
    beyond_ = std::move(settled.beyond);
    std::vector<searched_token> literal, normalized;
    for (auto& token : settled.searched) {
      if (token.normalized) {
        std::string buffer;
        token.text = std::visit([&](const auto& m) { return std::string(m.normalize(token.text, buffer)); }, model_);
      }
      (token.normalized ? normalized : literal).push_back(std::move(token));
    }
    const auto is_space = fast == nullptr ? detail::is_stripped : detail::is_white_space;
    literal_ = token_finder(std::move(literal), is_space);
    normalized_ = token_finder(std::move(normalized), is_space);
  }

  /// Where FILE, a tokenizer.json, contradicts these plain files: in an id or a merge; "" if nowhere.
  std::string contradiction(const json& file) const {
    const auto id_of = [&](const std::string& text) {
      const auto place = std::ranges::find(beyond_, text);
      return place == beyond_.end() ? pieces().find(text) : pieces().size() + static_cast<std::int32_t>(place - beyond_.begin());
    };
    const auto differs = [&](const std::string& text, const json& id) {
      const auto own = id_of(text);
      if (id == own) return std::string();
      return pieces().path() + ": gives \"" + text + "\" " + (own < 0 ? "no id" : "id " + std::to_string(own)) + ", but " + id.dump() +
             " is the one in tokenizer.json";
    };
    const json model = file.is_object() ? file.value("model", json()) : json();
    const json pieces_there = model.is_object() ? model.value("vocab", json()) : json();
    if (!pieces_there.is_object()) return pieces().path() + ": has pieces, and tokenizer.json a model without any";
    for (const auto& [text, id] : pieces_there.items()) {
      if (auto found = differs(text, id); !found.empty()) return found;
    }
    const json added = file.value("added_tokens", json());
    for (const json& token : added.is_array() ? added : json::array()) {
      const json text = token.is_object() ? token.value("content", json()) : json();
      if (!text.is_string()) continue;
      if (auto found = differs(text.get<std::string>(), token.value("id", json())); !found.empty()) return found;
    }
    const auto* bytes = std::get_if<byte_level_bpe>(&model_);
    const json merges = model.value("merges", json());
    if (bytes != nullptr && merges.is_array()) {
      std::int32_t rank = 0;
      for (const json& merge : merges) {
        if (!bytes->has_merge(merge, rank++))
          return pieces().path() + ": lies with a merges.txt without " + merge.dump() + " at that place";
      }
      if (rank != bytes->merges()) return pieces().path() + ": lies with a merges.txt of other length than the list";
    }
    return "";
  }

  const vocabulary& pieces() const {
    return std::visit([](const auto& model) -> const vocabulary& { return model.pieces(); }, model_);
  }

  static bool has_upper_case(const vocabulary& pieces) {
    for (std::int32_t id = 0; id < pieces.size(); ++id) {
      const auto& piece = pieces.piece(id);
      if (!piece.starts_with('[') && std::ranges::any_of(piece, [](char byte) { return byte >= 'A' && byte <= 'Z'; })) return true;
    }
    return false;
  }

  tokenizer_model model_;
  std::vector<std::string> beyond_;  // added tokens that the vocabulary lacks; the ids go on after its own
  std::array<std::int32_t, 5> special_ids_;
  text_layout layout_;
  std::string class_;
  std::vector<std::string> notes_;
  std::int32_t count_ = -1, segments_ = 2;
  token_finder literal_;     // looks in the text as it is
  token_finder normalized_;  // looks in normalized text, after the other
};

}  // namespace graft
