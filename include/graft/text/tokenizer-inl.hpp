#pragma once
// Bodies of graft/text/tokenizer.hpp.

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <future>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "graft/core/compiled.hpp"
#include "graft/core/threads.hpp"
#include "graft/text/added_tokens.hpp"
#include "graft/text/aligned_text.hpp"
#include "graft/text/fast_tokenizer.hpp"
#include "graft/text/listed_pieces.hpp"
#include "graft/text/normalizer.hpp"
#include "graft/text/sentencepiece.hpp"
#include "graft/text/tokenizer.hpp"
#include "graft/text/tokenizer_config.hpp"
#include "graft/text/tokenizer_model.hpp"
#include "graft/text/vocabulary.hpp"

namespace graft::detail {

/// SPAN of a token without the white space that PIECE, its text, begins or ends with.
/// Source: process_offsets of the tokenizers library.
GRAFT_INLINE text_span trimmed(text_span span, std::string_view piece, const span_trimming& trimming, bool first) {
  if (!trimming.trim) return span;
  const auto is_space = [](std::int32_t value) { return value == 0x120 || is_white_space(value); };
  const auto all = static_cast<std::int32_t>(count_code_points(piece));
  auto before = all - static_cast<std::int32_t>(count_code_points(strip_left(piece, is_space)));
  const auto behind = all - static_cast<std::int32_t>(count_code_points(strip_right(piece, is_space)));
  if (before == 1 && trimming.add_prefix_space && (first || span.begin == 0)) before = 0;  // it was put there
  span.begin = std::min(span.begin + before, span.end);
  if (behind > 0 && span.end >= behind) span.end = std::max(span.end - behind, span.begin);
  return span;
}

GRAFT_INLINE bool has_upper_case(const vocabulary& pieces) {
  for (std::int32_t id = 0; id < pieces.size(); ++id) {
    const auto& piece = pieces.piece(id);
    if (!piece.starts_with('[') && std::ranges::any_of(piece, [](char byte) { return byte >= 'A' && byte <= 'Z'; })) return true;
  }
  return false;
}

}  // namespace graft::detail

namespace graft {

struct tokenizer::parts {
  tokenizer_model model;
  std::vector<std::string> beyond{};  // added tokens that the vocabulary lacks; the ids go on after its own
  span_trimming trimming{};
  token_finder literal{};     // looks in the text as it is
  token_finder normalized{};  // looks in normalized text, after the other
};

GRAFT_INLINE known_ids::known_ids(std::int32_t vocabulary_size, std::int32_t padding,
                                  std::int32_t segment_rows)  // implicit: a size will do
    : count(vocabulary_size), pad(padding), segments(segment_rows) {}

GRAFT_INLINE tokenizer tokenizer::from_folder(const std::string& folder, std::optional<bool> lower_case) {
  const auto path = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
  const auto has = [&](const char* name) { return is_there(path(name)); };
  const auto config = read_tokenizer_config(folder);
  const auto in = [&](std::initializer_list<const char*> classes) {
    return std::ranges::find(classes, config.tokenizer_class) != classes.end();
  };
  const bool any = config.tokenizer_class.empty();
  const bool of_roberta = in({"RobertaTokenizer", "GPT2Tokenizer", "BartTokenizer", "LongformerTokenizer"});
  const bool of_bert = in({"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MPNetTokenizer"});
  const bool two_separators = of_roberta || in({"XLMRobertaTokenizer", "CamembertTokenizer", "MPNetTokenizer"});
  const bool one_separator = of_bert || in({"DebertaV2Tokenizer"});
  const text_layout of_class = two_separators ? roberta_layout : text_layout{1, in({"DistilBertTokenizer"}) ? 0 : 1};
  const auto of_model = [&](tokenizer_model model, const fast_tokenizer* fast) {
    return tokenizer(std::make_shared<parts>(parts{std::move(model)}), config, fast);
  };
  const auto laid_out = [&](tokenizer made, const text_layout& otherwise) {
    made.layout_ = two_separators || one_separator ? of_class : otherwise;
    made.class_ = config.tokenizer_class;
    return made;
  };
  if (!config.unsupported_cutter.empty() && !has("tokenizer.json"))
    throw format_error(path("tokenizer_config.json"), config.unsupported_cutter);
  const bool pairs = (any || of_roberta) && has("vocab.json") && has("merges.txt"), lines = (any || of_bert) && has("vocab.txt");
  std::future<std::optional<detail::listed_pieces>> listed;  // by tokenizer.json, which is large, too
  if (has("tokenizer.json") && (pairs || lines)) {
    listed = in_background([file = path("tokenizer.json")] { return detail::list_pieces(mapped_file(file).text()); });
  }
  std::optional<tokenizer> plain;
  std::string reason;  // why tokenizer.json counts and the plain files do not
  try {
    if (pairs) {
      byte_level_settings settings;
      settings.add_prefix_space = config.add_prefix_space.value_or(false);
      if (!config.special_tokens[3].empty()) settings.unk_token = config.special_tokens[3];
      auto cutter = byte_level_bpe(vocabulary::from_json(path("vocab.json")), path("merges.txt"), settings);
      plain = laid_out(of_model(std::move(cutter), nullptr), roberta_layout);
    } else if (lines) {
      auto pieces = vocabulary::from_lines(path("vocab.txt"));
      wordpiece_settings settings;
      settings.lower_case = config.do_lower_case ? *config.do_lower_case : lower_case.value_or(!detail::has_upper_case(pieces));
      settings.strip_accents = config.strip_accents.value_or(std::nullopt);
      settings.handle_chinese_chars = config.tokenize_chinese_chars.value_or(true);
      settings.drop_unassigned = !has("tokenizer.json");  // which is what transformers reads
      if (!config.special_tokens[3].empty()) settings.unk_token = config.special_tokens[3];
      plain = laid_out(of_model(wordpiece(std::move(pieces), settings), nullptr), bert_layout);
    }
  } catch (const format_error& failure) {
    if (!has("tokenizer.json")) throw;
    reason = failure.what();
  }
  const auto from_fast = [&](fast_tokenizer fast, const std::string& file) {
    tokenizer result = of_model(std::move(fast.model), &fast);
    const auto usual = result.family() == tokenizer_family::roberta ? roberta_layout : bert_layout;
    const auto layout = check_post_processor(fast.post_processor, file, {result.token(result.cls_id()), result.cls_id()},
                                             {result.token(result.sep_id()), result.sep_id()}, usual);
    return laid_out(std::move(result), any ? usual : layout);
  };
  if (!has("tokenizer.json")) {
    if (plain) return std::move(*plain);
    for (const auto* name : {"sentencepiece.bpe.model", "spm.model"}) {
      if (!has(name)) continue;
      const bool deberta = in({"DebertaV2Tokenizer"}) || (any && config.model_type.empty() && name == std::string_view("spm.model")) ||
                           (any && config.model_type == "deberta-v2");
      const auto kind = deberta                                                                   ? sentencepiece_kind::deberta
                        : in({"CamembertTokenizer"}) || (any && config.model_type == "camembert") ? sentencepiece_kind::camembert
                                                                                                  : sentencepiece_kind::xlm_roberta;
      if (!any && !deberta && kind == sentencepiece_kind::xlm_roberta && !in({"XLMRobertaTokenizer"})) break;
      auto file = sentencepiece_as_tokenizer(path(name), kind, config.do_lower_case.value_or(false), config.split_by_punct);
      return from_fast(read_fast_tokenizer(std::move(file), path(name), config, true), path(name));
    }
    if (has("vocab.txt") || (has("vocab.json") && has("merges.txt")) || has("sentencepiece.bpe.model") || has("spm.model")) {
      throw format_error(config.named_in,
                         "\"tokenizer_class\" is \"" + config.tokenizer_class + "\", which graft cannot make of the vocabulary beside it");
    }
    throw format_error(folder,
                       "holds neither vocab.json + merges.txt nor vocab.txt nor tokenizer.json, sentencepiece.bpe.model or spm.model");
  }
  if (plain) {
    if (const auto found = listed.get()) {  // if not, reading it as a whole says why
      reason = plain->contradiction(*found, folder);
      if (reason.empty()) return std::move(*plain);
    }
  }
  auto result = from_fast(read_fast_tokenizer(read_json(path("tokenizer.json")), path("tokenizer.json"), config), path("tokenizer.json"));
  if (!reason.empty()) result.notes_.push_back(reason + ": " + path("tokenizer.json") + " counts, as in transformers");
  return result;
}

GRAFT_INLINE std::vector<std::int32_t> tokenizer::encode(std::string_view given, bool stripped, std::vector<text_span>* spans) const {
  require_utf8(given);
  const auto text = stripped ? strip(given) : given;
  const auto* fast = std::get_if<pipeline>(&parts_->model);
  if (spans != nullptr || lowers_ || (fast != nullptr && fast->needs_alignment())) {
    std::vector<text_span> unwanted;
    const auto before = given.substr(0, static_cast<std::size_t>(text.data() - given.data()));
    return encode_aligned(text, static_cast<std::int32_t>(detail::count_code_points(before)), false, spans != nullptr ? *spans : unwanted);
  }
  std::vector<std::int32_t> ids;
  std::string buffer;
  const auto take = [&](std::int32_t id, std::string_view) { ids.push_back(id); };
  std::visit(
      [&](const auto& model) {
        parts_->literal.split(
            text,
            [&](std::string_view stretch) {
              parts_->normalized.split(
                  model.normalize(stretch, buffer), [&](std::string_view part) { model.encode(part, {ids}); }, take);
            },
            take);
      },
      parts_->model);
  return ids;
}

GRAFT_INLINE std::vector<std::int32_t> tokenizer::encode_plain(std::string_view text, std::vector<text_span>* spans) const {
  require_utf8(text);
  const auto* fast = std::get_if<pipeline>(&parts_->model);
  if (spans != nullptr || lowers_ || (fast != nullptr && fast->needs_alignment())) {
    std::vector<text_span> unwanted;
    return encode_aligned(text, 0, true, spans != nullptr ? *spans : unwanted);
  }
  std::vector<std::int32_t> ids;
  std::string buffer;
  std::visit([&](const auto& model) { model.encode(model.normalize(text, buffer), {ids}); }, parts_->model);
  return ids;
}

GRAFT_INLINE std::vector<std::int32_t> tokenizer::encode_aligned(std::string_view text, std::int32_t origin, bool plain,
                                                                 std::vector<text_span>& spans) const {
  std::vector<std::int32_t> ids;
  std::vector<detail::byte_range> ranges;
  const token_finder none;
  static const normalizer lower(std::vector<detail::normalizer_step>{{.what = detail::normalizer_step::kind::lower_case}});
  detail::aligned_text whole, part, spare;
  std::size_t done = 0;  // bytes of the text, of which there are ORIGIN code points
  spans.clear();
  const auto offset_of = [&](std::string_view stretch) {
    const auto begin = static_cast<std::size_t>(stretch.data() - text.data());
    origin += static_cast<std::int32_t>(detail::count_code_points(text.substr(std::min(done, begin), begin - std::min(done, begin))));
    done = begin;
    return origin;
  };
  const auto take = [&](std::int32_t id, text_span span, std::string_view found) {
    ids.push_back(id);
    spans.push_back(detail::trimmed(span, found, parts_->trimming, spans.empty()));
  };
  const auto encode_part = [&](const auto& model, std::string_view stretch) {
    const auto begin = static_cast<std::size_t>(stretch.data() - whole.text.data());
    part.restart(whole);
    part.copy(whole, begin, begin + stretch.size());
    part.origin = whole.at(begin).begin;
    const std::size_t before = ids.size();
    ranges.clear();
    if constexpr (std::is_same_v<std::decay_t<decltype(model)>, pipeline>) {
      model.encode(part, {ids, &ranges});
    } else {
      model.encode(std::string_view(part.text), {ids, &ranges});
    }
    for (std::size_t i = before; i < ids.size(); ++i) {
      spans.push_back(detail::trimmed(part.span(ranges[i - before]), token(ids[i]), parts_->trimming, spans.empty()));
    }
  };
  std::visit(
      [&](const auto& model) {
        (plain ? none : parts_->literal)
            .split(
                text,
                [&](std::string_view stretch) {
                  whole.assign(stretch, offset_of(stretch), true);
                  if (lowers_) lower.apply(whole, spare);
                  model.normalize(whole);
                  (plain ? none : parts_->normalized)
                      .split(
                          whole.text, [&](std::string_view one) { encode_part(model, one); },
                          [&](std::int32_t id, std::string_view found) {
                            const auto begin = static_cast<std::size_t>(found.data() - whole.text.data());
                            take(id, whole.span({begin, begin + found.size()}), found);
                          });
                },
                [&](std::int32_t id, std::string_view found) {
                  const auto begin = offset_of(found);
                  take(id, {begin, begin + static_cast<std::int32_t>(detail::count_code_points(found))}, found);
                });
      },
      parts_->model);
  return ids;
}

GRAFT_INLINE const std::string& tokenizer::token(std::int32_t id) const {
  const auto beyond = static_cast<std::int64_t>(id) - pieces().size();
  return beyond >= 0 && beyond < std::ssize(parts_->beyond) ? parts_->beyond[static_cast<std::size_t>(beyond)] : pieces().piece(id);
}

GRAFT_INLINE std::int32_t tokenizer::size() const { return pieces().size() + static_cast<std::int32_t>(parts_->beyond.size()); }

GRAFT_INLINE void tokenizer::note(std::string text) { notes_.push_back(std::move(text)); }

GRAFT_INLINE void tokenizer::lower_case() { lowers_ = true; }

GRAFT_INLINE void tokenizer::fit(const known_ids& ids) {
  count_ = ids.count;
  segments_ = ids.segments;
  if (segments_ < 2) layout_.second_segment = 0;
}

GRAFT_INLINE known_ids tokenizer::known() const { return {count_ < 0 ? size() : count_, pad_id(), segments_}; }

GRAFT_INLINE tokenizer_family tokenizer::family() const {
  return token(cls_id()) == "<s>" ? tokenizer_family::roberta : tokenizer_family::bert;
}

GRAFT_INLINE bool tokenizer::writes_spaces() const {
  const auto* fast = std::get_if<pipeline>(&parts_->model);
  return fast != nullptr ? fast->writes_spaces() : std::holds_alternative<byte_level_bpe>(parts_->model);
}

GRAFT_INLINE bool tokenizer::marks_continuations() const {
  const auto* fast = std::get_if<pipeline>(&parts_->model);
  return fast != nullptr ? fast->marks_continuations() : std::holds_alternative<wordpiece>(parts_->model);
}

GRAFT_INLINE tokenizer::tokenizer(std::shared_ptr<parts> made, const tokenizer_config& config, const fast_tokenizer* fast) : parts_(made) {
  constexpr std::array<const char*, 5> of_roberta{"<s>", "</s>", "<pad>", "<unk>", "<mask>"},
      of_bert{"[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"};
  const auto has = [&](const char* text) { return pieces().find(text) >= 0; };
  const bool roberta = std::holds_alternative<byte_level_bpe>(made->model) || config.tokenizer_class == "MPNetTokenizer" ||
                       (std::holds_alternative<pipeline>(made->model) && has("<s>") && !has("[CLS]"));
  std::array<std::string, 5> names;
  std::ranges::copy(roberta ? of_roberta : of_bert, names.begin());
  if (roberta && !has("<unk>") && has("[UNK]")) names[3] = "[UNK]";  // MPNet
  std::vector<added_token> mentions;
  if (fast != nullptr) mentions = fast->mentions;
  if (fast != nullptr && !fast->unk_token.empty()) names[3] = fast->unk_token;
  mentions.insert(mentions.end(), config.mentions.begin(), config.mentions.end());
  const auto id_of = [&](const std::string& text) {
    const auto mention = std::ranges::find_if(mentions, [&](const auto& token) { return token.text == text && token.id >= 0; });
    return mention != mentions.end() ? mention->id : pieces().find(text);
  };
  if (fast != nullptr && fast->around.size() == 2 && (id_of(names[0]) < 0 || id_of(names[1]) < 0)) {
    std::ranges::copy(fast->around, names.begin());
  }
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
    const auto found = std::ranges::find(settled.searched, names[i], &searched_token::text);
    if (found != settled.searched.end()) special_ids_[i] = found->id;
  }
  made->beyond = std::move(settled.beyond);
  std::vector<searched_token> literal, normalized;
  for (auto& token : settled.searched) {
    if (token.normalized) {
      std::string buffer;
      token.text = std::visit([&](const auto& m) { return std::string(m.normalize(token.text, buffer)); }, made->model);
    }
    (token.normalized ? normalized : literal).push_back(std::move(token));
  }
  const auto is_space = fast == nullptr ? detail::is_stripped : detail::is_white_space;
  made->trimming = fast != nullptr ? fast->trimming : span_trimming{roberta, config.add_prefix_space.value_or(false)};
  made->literal = token_finder(std::move(literal), is_space);
  made->normalized = token_finder(std::move(normalized), is_space);
}

GRAFT_INLINE std::string tokenizer::contradiction(const detail::listed_pieces& listed, const std::string& folder) const {
  const auto own_id_of = [&](const std::string& text) {
    const auto found = std::ranges::find(parts_->beyond, text);
    return found == parts_->beyond.end() ? pieces().find(text)
                                         : pieces().size() + static_cast<std::int32_t>(found - parts_->beyond.begin());
  };
  const std::string& path = pieces().path();
  if (!listed.by_name) return path + ": has pieces, and tokenizer.json a model without any";
  for (const auto* list : {&listed.pieces, &listed.added}) {
    for (const auto& [text, id] : *list) {
      const auto own_id = own_id_of(text);
      if (own_id == id && id >= 0) continue;
      if (text.empty() && list == &listed.added) continue;
      return path + ": gives \"" + text + "\" " + (own_id < 0 ? "no id" : "id " + std::to_string(own_id)) + ", but " +
             (id < 0 ? "none" : std::to_string(id)) + " is the one in tokenizer.json";
    }
  }
  if (!std::holds_alternative<byte_level_bpe>(parts_->model) || !listed.has_merges) return "";
  const mapped_file plain((std::filesystem::path(folder) / "merges.txt").string());
  auto merge = listed.merges.begin();
  bool same = true;
  detail::for_each_merge(plain.text(), [&](std::string_view line, std::uint64_t /*number*/) {
    same = same && merge != listed.merges.end() && line.size() == merge->first.size() + 1 + merge->second.size() &&
           line.starts_with(merge->first) && line[merge->first.size()] == ' ' && line.ends_with(merge->second);
    if (same) ++merge;
  });
  if (same && merge == listed.merges.end()) return "";
  if (merge == listed.merges.end()) return path + ": lies with a merges.txt that is longer than the list of tokenizer.json";
  return path + ": lies with a merges.txt without " + shown(json(merge->first + " " + merge->second)) + " at that place";
}

GRAFT_INLINE const vocabulary& tokenizer::pieces() const {
  return std::visit([](const auto& model) -> const vocabulary& { return model.pieces(); }, parts_->model);
}

}  // namespace graft
