#pragma once
// Embeddings of texts in a few lines, as sentence-transformers computes them.

#include <span>
#include <string>
#include <vector>

#include "graft/predict/predictor.hpp"

namespace graft {

/// An encoder whose answers are embeddings: what modules.json in its folder says, or the mean of all tokens' hidden states. What was tuned
/// can stand around it. Every call is safe from several threads, but for add.
/// Source: sentence-transformers, SentenceTransformer.encode.   Tested: tests/predict/embedder_test.cpp
class embedder {
 public:
  /// The folder of a SentenceTransformer, or of any encoder.
  /// @throws format_error, config_error  as predictor and read_sentence_folder
  explicit embedder(const std::string& folder, const embedding_options& how = {}, const predictor_options& options = {});

  /// As predictor::add, but no head is needed: TUNED stands around the encoder from now on.
  void add(const std::string& name, const std::string& path) { model_.add(name, path); }

  /// Numbers in an embedding.
  index size() const { return model_.embedding_size(); }
  /// Those of TEXTS, in order: the i-th text's is the i-th row of size() numbers. The rest as predictor::predict.
  std::vector<std::vector<float>> embed(const std::vector<std::string>& texts, index batch_size = 0, int threads = 0) const;

  /// What is behind it: it answers rows of all kinds, one by one or as an answer_stream, and their `embedding` is set.
  const predictor& model() const { return model_; }

 private:
  predictor model_;
};

/// A MODEL as the folder of a SentenceTransformer: the folder whose modules.json is there says in which folder the encoder lies.
/// @param[in,out] how  its folder is set where MODEL is such a folder
trunk_files sentence_model(trunk_files model, embedding_options& how);

/// a b / (|a| |b|); 0 where one of them is 0.
/// @throws shape_error  they have other sizes
double cosine_similarity(std::span<const float> a, std::span<const float> b);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/predict/embedder-inl.hpp"  // IWYU pragma: export
#endif
