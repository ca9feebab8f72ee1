#pragma once
// Embeddings as JSON lines, or as an array of numpy's.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "graft/core/index.hpp"
#include "run/answer_format.hpp"

namespace graft::program {

/// {"index":0,"embedding":[0.1,-0.2]}, with SEVERAL {"index":0,"adapter":"one","embedding":[...]}; a row without an answer is
/// {"index":1,"error":"line 2: REASON"}. Numbers are the shortest text that reads back as the same F32.
class embedding_lines final : public answer_format {
 public:
  explicit embedding_lines(bool several) : several_(several) {}
  std::string header(std::uint64_t) const override { return ""; }
  std::string row(const answer& a, std::uint64_t index) const override;
  bool is_row(std::string_view record, std::uint64_t index) const override;
  bool is_error(std::string_view record) const override;

 private:
  bool several_;
};

/// An array of shape (rows, SIZE) of F32, a row each; of a row without an answer all are NaN. The header is padded to 128 bytes, so that
/// the array can grow.
/// Source: numpy/lib/format.py, version 1.0.
class embedding_array final : public answer_format {
 public:
  explicit embedding_array(index size) : size_(static_cast<std::size_t>(size)) {}
  std::string header(std::uint64_t rows) const override;
  std::string row(const answer& a, std::uint64_t index) const override;
  bool is_row(std::string_view, std::uint64_t) const override { return true; }
  bool is_error(std::string_view record) const override;
  std::size_t record_size() const override { return 4 * size_; }
  bool is_header(std::string_view record) const override;
  bool begins_header(std::string_view record) const override;
  std::string shown(std::string_view record) const override;

 private:
  /// The header that has as many rows as RECORD, a header or its beginning, says.
  std::string header_like(std::string_view record) const;

  std::size_t size_;
};

}  // namespace graft::program
