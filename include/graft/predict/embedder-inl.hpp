#pragma once
// Bodies of graft/predict/embedder.hpp.

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/exchange/sentence_folder.hpp"
#include "graft/predict/embedder.hpp"

namespace graft::detail {

GRAFT_INLINE predictor embedding_predictor(const std::string& folder, embedding_options how, predictor_options options) {
  const trunk_files files = find_trunk_files(sentence_model({.model_path = folder}, how));
  options.embedding = std::move(how);
  return predictor(files, options);
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE trunk_files sentence_model(trunk_files model, embedding_options& how) {
  if (!how.folder.empty() || !is_folder(model.model_path)) return model;
  how.folder = model.model_path;
  model.model_path = sentence_encoder_folder(how.folder);
  return model;
}

GRAFT_INLINE embedder::embedder(const std::string& folder, const embedding_options& how, const predictor_options& options)
    : model_(detail::embedding_predictor(folder, how, options)) {}

GRAFT_INLINE std::vector<std::vector<float>> embedder::embed(const std::vector<std::string>& texts, index batch_size, int threads) const {
  std::vector<example> rows(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) rows[i].text_a = texts[i];
  std::vector<std::vector<float>> all;
  all.reserve(texts.size());
  for (answer& a : model_.predict(rows, batch_size, threads)) all.push_back(std::move(a.embedding));
  return all;
}

GRAFT_INLINE double cosine_similarity(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) {
    throw shape_error("cosine_similarity: vectors of " + std::to_string(a.size()) + " and of " + std::to_string(b.size()) +
                      " numbers, as many of each were expected");
  }
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

}  // namespace graft
