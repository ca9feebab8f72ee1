#pragma once
// The answers that predict prints where words get tags.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "graft/predict/predictor.hpp"
#include "run/answer_format.hpp"

namespace graft::program {

/// A JSON object a line: {"index": 0, "spans": [{"label": "PER", "start": 0, "end": 4, "text": "Anna", "score": 0.99}]}, start and end in
/// characters of the text; of a row of words they count words, and {"tags": ["B-PER", ...]} come first, null for a word of which no token
/// is left. What did not fit into a sequence begins at {"cut_at": 310}. With SEVERAL, "adapter" says who answered; one that answers for the
/// row as a whole gives {"prediction": ..., "scores": {...}}. A row without an answer has {"index": 0, "error": "line 5: REASON"}.
class tag_lines final : public answer_format {
 public:
  tag_lines(const predictor& model, bool several, std::size_t each = 1) : model_(model), several_(several), each_(each) {}
  std::string header(std::uint64_t) const override { return ""; }
  std::string row(const answer& a, std::uint64_t index) const override;
  bool is_row(std::string_view record, std::uint64_t index) const override;
  bool is_error(std::string_view record) const override;

 private:
  const predictor& model_;
  bool several_;
  std::size_t each_;  // answers of a row
};

/// Those around MODEL, its own head among them, that give tags to words.
std::set<std::string> taggers(const predictor& model);

/// Whether one of them may be asked, where ADAPTER answers rows that name none ("": the usual one): answers are lines of JSON then.
bool answers_for_words(const predictor& model, const std::string& adapter);

}  // namespace graft::program
