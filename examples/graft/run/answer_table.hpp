#pragma once
// The table of answers that predict prints.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graft/predict/predictor.hpp"
#include "run/answer_format.hpp"

namespace graft::program {

/// A table of answers, header first: "index  prediction  P(no)  P(yes)", tab-separated; where several labels may hold, the prediction is
/// all with a probability of 0.5 or more, between commas. A regression has no probabilities: "index  prediction", or of several numbers
/// "index  prediction(one)  prediction(other)". With SEVERAL, where different adapters answer: "index  adapter  prediction  scores", scores
/// are label -> probability (number, of several) as JSON, {} for a regression of one; the bare trunk predicts nothing, its scores are the
/// first token's last hidden state. Where EVERYONE answers each row, that has a line of each. A row without an answer has "error: line 5: REASON" for a prediction, and nothing behind it.
class answer_table final : public answer_format {
 public:
  answer_table(const predictor& model, bool several, std::vector<std::string> everyone = {});
  std::string header(std::uint64_t rows) const override;
  std::string row(const answer& a, std::uint64_t index) const override;
  bool is_row(std::string_view record, std::uint64_t index) const override;
  bool is_error(std::string_view record) const override;

 private:
  /// What the record INDEX begins with, and, if it is known before, whose it is.
  std::string start_of(std::uint64_t index) const;
  std::string several_row(const answer& a) const;
  std::string error_row(const answer& a) const;

  const predictor& model_;
  bool several_, numbers_;  // numbers_: a regression of several
  std::vector<std::string> labels_, everyone_;
};

}  // namespace graft::program
