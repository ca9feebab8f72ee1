#include "run/evaluated_labels.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "graft/core/error.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/core/utf8.hpp"

namespace graft::program {
namespace {

/// For each of WANTED its place in THERE; empty where they are not the same. EQUAL says when two are.
template <class Equal>
std::vector<std::size_t> indices_in(const std::vector<std::string>& wanted, const std::vector<std::string>& there, Equal equal) {
  std::vector<std::size_t> order;
  for (const std::string& one : wanted) {
    const auto same = [&](const std::string& other) { return equal(one, other); };
    if (std::count_if(there.begin(), there.end(), same) != 1) return {};
    order.push_back(static_cast<std::size_t>(std::find_if(there.begin(), there.end(), same) - there.begin()));
  }
  return wanted.size() == there.size() ? order : std::vector<std::size_t>();
}

std::string kind_text(task_kind kind) {
  if (kind == task_kind::token_classification) return "a tag for each word";
  return kind == task_kind::regression ? "a number" : kind == task_kind::multi_label ? "several labels at once" : "one label";
}

}  // namespace

evaluated_labels_result evaluated_labels(const question& q, const predictor& model) {
  const model_description& d = model.description(q.adapter);
  const task_kind kind = d.output == task_kind::classification && d.sigmoid ? task_kind::multi_label : d.output;
  if (kind == task_kind::regression && d.num_labels() > 1)
    throw config_error("the model answers with " + std::to_string(d.num_labels()) + " numbers, rows have one");
  evaluated_labels_result found{q.asked, {}, {}};
  if (q.task_path.empty()) found.of = custom_task("input", kind, kind == task_kind::regression ? std::vector<std::string>() : d.labels);
  const bool unsaid = found.of.kind == task_kind::token_classification && found.of.labels.empty();
  if (unsaid && kind == found.of.kind) found.of = custom_task(found.of.name, kind, d.labels);
  if (found.of.kind != kind)
    throw config_error("the model answers with " + kind_text(kind) + ", the task asks for " + kind_text(found.of.kind));
  if (kind == task_kind::regression) {
    found.order.push_back(0);
    return found;
  }
  const auto& wanted = found.of.labels;
  found.order = indices_in(wanted, d.labels, std::equal_to<>());
  if (!found.order.empty()) return found;
  found.order = indices_in(wanted, d.labels, [](const std::string& a, const std::string& b) { return lower_ascii(a) == lower_ascii(b); });
  const std::string lists = listed(d.labels, in_quotes) + "; the task's are " + listed(wanted, in_quotes);
  if (found.order.empty() && !d.labels_said && d.labels.size() == wanted.size()) {
    found.order.resize(wanted.size());
    std::iota(found.order.begin(), found.order.end(), std::size_t{0});
    found.notes.push_back("the model does not say what its labels are: they are taken to be the task's, " + listed(wanted, in_quotes));
  } else if (found.order.empty()) {
    throw config_error("the model's labels are " + lists);
  } else {
    found.notes.push_back("the model's labels, but for capitals, are the task's: " + lists);
  }
  return found;
}

}  // namespace graft::program
