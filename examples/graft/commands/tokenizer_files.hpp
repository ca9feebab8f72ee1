#pragma once
// The files of a vocabulary in a model's folder.

namespace graft::program {

inline constexpr const char* tokenizer_files[] = {"vocab.json",
                                                  "merges.txt",
                                                  "vocab.txt",
                                                  "tokenizer.json",
                                                  "sentencepiece.bpe.model",
                                                  "spm.model",
                                                  "tokenizer_config.json",
                                                  "special_tokens_map.json",
                                                  "added_tokens.json"};

}  // namespace graft::program
