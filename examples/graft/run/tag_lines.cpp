#include "run/tag_lines.hpp"

#include <algorithm>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"

namespace graft::program {

std::string tag_lines::row(const answer& a, std::uint64_t index) const {
  ordered_json line{{"index", index / each_}};
  const auto text = [&] { return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n'; };
  if (!a.error.empty()) {
    line["error"] = printable((a.line != 0 ? "line " + std::to_string(a.line) + ": " : "") + a.error, 4000);
    if (several_) line["adapter"] = a.adapter;
    return text();
  }
  if (several_) line["adapter"] = a.adapter;
  if (a.adapter == predictor::bare_trunk) {
    line["hidden_state"] = std::vector<float>(a.hidden_state.begin(), a.hidden_state.end());
    return text();
  }
  const model_description& d = model_.description(a.adapter);
  if (!d.head.tokens) {
    const auto& numbers = a.numbers.empty() ? a.probabilities : a.numbers;
    line["prediction"] = a.numbers.size() == 1 ? ordered_json(a.score) : ordered_json(a.label);
    line["scores"] = ordered_json::object();
    for (std::size_t k = 0; k < d.labels.size(); ++k) line["scores"][d.labels[k]] = static_cast<float>(numbers[k]);
    return text();
  }
  if (a.words.empty() && !a.tags.empty()) {  // those of the row, not of a text
    line["tags"] = ordered_json::array();
    for (const std::string& tag : a.tags) line["tags"].push_back(tag.empty() ? ordered_json() : ordered_json(tag));
  }
  line["spans"] = ordered_json::array();
  for (const tagged_span& span : a.spans) {
    line["spans"].push_back(
        {{"label", span.label}, {"start", span.begin}, {"end", span.end}, {"text", span.text}, {"score", static_cast<float>(span.score)}});
  }
  if (a.cut_at) line["cut_at"] = *a.cut_at;
  return text();
}

bool tag_lines::is_row(std::string_view record, std::uint64_t index) const {
  return record.starts_with("{\"index\":" + std::to_string(index / each_) + ",") && record.ends_with("}\n");
}

bool tag_lines::is_error(std::string_view record) const {
  const std::size_t at = record.find(',');
  return at != record.npos && record.substr(at).starts_with(",\"error\":");
}

std::set<std::string> taggers(const predictor& model) {
  std::vector<std::string> names = model.names();
  names.emplace_back(predictor::model_head);
  std::set<std::string> found;
  for (const std::string& name : names) {
    try {
      if (model.description(name).head.tokens) found.insert(name);
    } catch (const config_error&) {  // it has no head of its own
    }
  }
  return found;
}

bool answers_for_words(const predictor& model, const std::string& adapter) {
  if (adapter == predictor::bare_trunk) return false;
  const std::set<std::string> found = taggers(model);
  const std::vector<std::string> names = model.names();
  if (names.empty()) return !found.empty();
  return found.contains(adapter) || std::ranges::any_of(names, [&](const std::string& name) { return found.contains(name); });
}

}  // namespace graft::program
