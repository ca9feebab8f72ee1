#pragma once
// From token ids to the first hidden states.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "graft/data/batch.hpp"
#include "graft/encoder/config.hpp"
#include "graft/layers/embedding.hpp"
#include "graft/layers/layer_norm.hpp"
#include "graft/layers/linear.hpp"

namespace graft {

/// e = drop(LN(word[id] + position[p] + token_type[t])),   y = e, or e W^T + b where the tables are narrower than the layers
/// RoBERTa: p = pad id + 1, + 2, ... over the tokens that are not padding (a literal pad token keeps p = pad id).   BERT: p = 0, 1, ...
/// Without segments there is no token_type; where attention knows of positions, there may be no table of them.
/// Backward:  through dropout and LN to the three tables, each only when trained. What stands at the pad id has no gradient: the word's
/// row, and RoBERTa's position.
/// @param  b  N packed tokens            @param[out] y  (N, H)
/// Saved: LN's xhat and r (N, H), (N, 1); the positions; e while W is trained.
/// @throws shape_error  a sequence is longer than max_position_embeddings allows
/// Source: transformers' RobertaEmbeddings, BertEmbeddings, ElectraEmbeddings and its embeddings_project.   Tested:
/// tests/encoder/embeddings_test.cpp
template <class P>
class embeddings {
 public:
  using real = typename P::real;
  struct saved {
    buffer<std::int32_t> positions;
    typename layer_norm<P>::saved norm;
    typename linear<P>::saved project;
  };

  /// Parameters PREFIX.{word_embeddings,position_embeddings,token_type_embeddings}.weight, PREFIX.LayerNorm.* and PREFIX.project.*
  embeddings(const std::string& prefix, const encoder_config& c, std::uint64_t dropout_stream);

  void forward(const batch& b, view<real> y, saved* s, context& ctx) const;
  void backward(const_view<real> dy, const batch& b, const saved& s, context& ctx);

  void for_each_parameter(parameter_visitor<real> f) {
    word.for_each_parameter(f);
    if (position) position->for_each_parameter(f);
    if (token_type) token_type->for_each_parameter(f);
    norm.for_each_parameter(f);
    if (project) project->for_each_parameter(f);
  }

  embedding<P> word;                                 // tables of which a token's rows are added
  std::optional<embedding<P>> position, token_type;  // where the family has them
  layer_norm<P> norm;                                // of their sum
  std::optional<linear<P>> project;                  // W, b

 private:
  static std::span<const std::int32_t> ids(const_view<std::int32_t> column);
  void number_positions(const batch& b, view<std::int32_t> positions) const;

  bool after_padding_;  // positions begin there
  std::int32_t pad_;
  double dropout_;
  std::uint64_t dropout_stream_;
};

static_assert(parameterized<embeddings<f64>>);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/encoder/embeddings-inl.hpp"  // IWYU pragma: export
#endif
