#pragma once
// SentencePiece's own files, sentencepiece.bpe.model and spm.model, where there is no tokenizer.json.

#include <string>

#include "graft/core/json_fwd.hpp"

namespace graft {

/// Whose special tokens and ids a SentencePiece model gets.
enum class sentencepiece_kind { xlm_roberta, camembert, deberta };

/// What transformers makes a tokenizer.json of the file PATH, a Unigram model, for a tokenizer of that KIND. LOWER_CASE and SPLIT_BY_PUNCT
/// are settings of DebertaV2Tokenizer.
/// @throws format_error  the file is broken or of another kind of model
/// Source: sentencepiece_model.proto; SpmConverter of transformers 4.57.   Tested: tests/text/unigram_test.cpp
json sentencepiece_as_tokenizer(const std::string& path, sentencepiece_kind kind, bool lower_case = false, bool split_by_punct = false);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/sentencepiece-inl.hpp"  // IWYU pragma: export
#endif
