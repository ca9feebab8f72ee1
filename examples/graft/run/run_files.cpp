#include "run/run_files.hpp"

#include <algorithm>

#include "graft/core/number_text.hpp"

namespace graft::program {

void write_metrics(const std::string& path, const evaluation& e) {
  write_file(path, ordered_json{{"loss", e.loss}, {"metrics", metrics_json(e.metrics)}}.dump(2) + "\n");
}

void write_logits(const std::string& path, const_view<double> logits) {
  std::string text;
  for (index r = 0; r < logits.rows(); ++r) {
    for (index c = 0; c < logits.cols(); ++c) text += (c == 0 ? "" : ",") + number_text(logits(r, c));
    text += '\n';
  }
  write_file(path, text);
}

void write_submission(const std::string& path, const task& t, const_view<double> logits) {
  std::string text = "index\tprediction\n";
  const auto classes = predicted_classes(logits);
  const auto sets = predicted_label_sets(logits);
  for (index r = 0; r < logits.rows(); ++r) {
    const auto row = static_cast<std::size_t>(r);
    const auto label = [&](std::int32_t id) { return printable(t.labels[static_cast<std::size_t>(id)], std::string::npos); };
    std::string answer = t.kind == task_kind::regression       ? number_text(std::clamp(logits(r, 0), t.least, t.most))
                         : t.kind == task_kind::classification ? label(classes[row])
                                                               : "";
    if (t.kind == task_kind::multi_label) {
      for (const std::int32_t id : sets[row]) answer += (answer.empty() ? "" : ",") + label(id);
    }
    text += std::to_string(r) + "\t" + answer + "\n";
  }
  write_file(path, text);
}

}  // namespace graft::program
