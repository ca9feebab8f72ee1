#pragma once
// tokenizer.json, the one file of the tokenizers library.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/json.hpp"
#include "graft/text/added_tokens.hpp"
#include "graft/text/json_section.hpp"
#include "graft/text/text_layout.hpp"
#include "graft/text/tokenizer_config.hpp"
#include "graft/text/tokenizer_model.hpp"

namespace graft {

/// What a tokenizer.json holds.
struct fast_tokenizer {
  tokenizer_model model;
  std::vector<added_token> mentions;
  std::string unk_token;  // "": none
  json post_processor;
  std::vector<std::string> around;  // what the post-processor puts in front of a text and behind it; empty: it does not say
  span_trimming trimming;
};

/// Reads FILE, the tokenizer.json at PATH; CONVERTED: from another kind of file, so that its numbers are exact. Where CONFIG says something
/// about lower case, accents, ideographs or the space in front, CONFIG counts, as in transformers. `decoder`, `truncation` and `padding`
/// do not concern graft and are not looked at.
/// @throws format_error  the file is broken, or has a field that graft cannot honor
/// Source: the tokenizers library's serialized form, version 1.0.   Tested: tests/text/fast_tokenizer_test.cpp
fast_tokenizer read_fast_tokenizer(json file, const std::string& path, const tokenizer_config& config, bool converted = false);

/// Checks that POST_PROCESSOR (of the file PATH) puts no other special tokens around a text than graft, which are CLS and SEP. Returns the
/// layout of pairs, USUAL if it does not say.
/// @throws format_error  it is of an unknown kind, puts others, or lays pairs out in another way
text_layout check_post_processor(const json& post_processor, const std::string& path, const std::pair<std::string, std::int32_t>& cls,
                                 const std::pair<std::string, std::int32_t>& sep, const text_layout& usual);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/fast_tokenizer-inl.hpp"  // IWYU pragma: export
#endif
