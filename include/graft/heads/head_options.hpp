#pragma once
// What a head is made of, without the code that computes it.

#include "graft/core/index.hpp"
#include "graft/core/tuning_options.hpp"

namespace graft {

struct encoder_config;

/// The layers below a head's last one. A Hugging Face model's own head has one, most with tanh: RoBERTa's classifier.dense, BERT's pooler.
struct head_options {
  index dense_layers = 1;
  activation act = activation::tanh;
  bool pooler = false;  ///< the first of them is BERT's pooler and has tanh, whatever ACT is
  bool tokens = false;  ///< it answers for every word, not for a text as a whole

  bool operator==(const head_options&) const = default;
};

/// The head that transformers' *ForSequenceClassification of an encoder with C have.
head_options usual_head(const encoder_config& c);

/// The head that its *ForTokenClassification has: the last layer alone, but for ModernBERT's.
head_options token_head(const encoder_config& c);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/heads/head_options-inl.hpp"  // IWYU pragma: export
#endif
