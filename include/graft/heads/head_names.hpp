#pragma once
// What the layers of a head are called in files.

#include <string>

#include "graft/encoder/config.hpp"

namespace graft {

/// The layers of the head: the first, and the last, with a row a label.
struct head_names {
  explicit head_names(const encoder_config& config);
  /// The dense layer I, from 0 on.
  std::string dense_layer(index i) const;
  /// Whether TENSOR is the last layer's, or any layer's.
  bool is_last(const std::string& tensor) const;
  bool is_head(const std::string& tensor) const;

  std::string dense, out_proj;  // the first and the last layer
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/heads/head_names-inl.hpp"  // IWYU pragma: export
#endif
