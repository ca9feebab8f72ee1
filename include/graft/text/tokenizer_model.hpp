#pragma once
// How texts are cut.

#include <variant>

#include "graft/text/byte_level_bpe.hpp"
#include "graft/text/pipeline.hpp"
#include "graft/text/wordpiece.hpp"

namespace graft {

/// The ways of cutting text: those of RoBERTa and BERT, which are short cuts, and any other.
using tokenizer_model = std::variant<byte_level_bpe, wordpiece, pipeline>;

/// Whether white space is no part of the place where a token stands, and whether the model put a space in front of the text itself.
struct span_trimming {
  bool trim = false;
  bool add_prefix_space = false;
};

}  // namespace graft
