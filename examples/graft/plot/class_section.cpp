#include "plot/class_section.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/number_text.hpp"
#include "plot/series.hpp"
#include "plot/svg.hpp"

namespace graft::program {
namespace {

constexpr std::size_t widest_matrix = 30;  // labels: more are a list of the most frequent confusions
constexpr std::size_t most_labels = 500, most_pairs = 20, most_rows = 100;

std::string tag_cell(const std::string& text, const char* more = "") { return std::string("<td") + more + ">" + program::escaped(text) + "</td>"; }
std::string number_tag(const ordered_json& value) {
  const bool number = value.is_number() && drawable(value.get<double>());
  return tag_cell(!number ? "" : value.is_number_integer() ? value.dump() : fixed_text(value.get<double>(), 4));
}
std::string head_row(const std::vector<std::string>& names) {
  std::string html = "<thead><tr>";
  for (const std::string& name : names) html += "<th scope=\"col\">" + program::escaped(name) + "</th>";
  return html + "</tr></thead>\n";
}
std::string titled_table(const std::string& title, const std::string& what, const std::string& inside) {
  return "<h3>" + title + "</h3>\n<div class=\"table\"><table class=\"" + what + "\">\n" + inside + "</table></div>\n";
}

using confusion_counts = std::vector<std::vector<std::uint64_t>>;

std::string matrix_table(const std::vector<std::string>& labels, const confusion_counts& confusion) {
  std::vector<std::string> names{"label, answered as"};
  names.insert(names.end(), labels.begin(), labels.end());
  std::string html = head_row(names) + "<tbody>\n";
  for (std::size_t r = 0; r < labels.size(); ++r) {
    std::uint64_t all = 0;
    for (const std::uint64_t count : confusion[r]) all += count;
    html += "<tr><th scope=\"row\">" + program::escaped(labels[r]) + "</th>";
    for (std::size_t c = 0; c < labels.size(); ++c) {
      const double share = all == 0 ? 0 : static_cast<double>(confusion[r][c]) / static_cast<double>(all);
      html +=
          tag_cell(std::to_string(confusion[r][c]),
                   (std::string(" class=\"") + (r == c ? "right" : "wrong") + "\" style=\"--share:" + fixed_text(share, 3) + "\"").c_str());
    }
    html += "</tr>\n";
  }
  return titled_table("Who is taken for whom", "matrix", html + "</tbody>\n");
}

std::string pairs_table(const std::vector<std::string>& labels, const confusion_counts& confusion) {
  std::vector<std::pair<std::uint64_t, std::pair<std::size_t, std::size_t>>> pairs;
  for (std::size_t r = 0; r < labels.size(); ++r) {
    for (std::size_t c = 0; c < labels.size(); ++c) {
      if (r != c && confusion[r][c] > 0) pairs.push_back({confusion[r][c], {r, c}});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  pairs.resize(std::min(pairs.size(), most_pairs));
  std::string html = head_row({"label", "answered as", "rows"}) + "<tbody>\n";
  for (const auto& [count, pair] : pairs) {
    html += "<tr>" + tag_cell(labels[pair.first]) + tag_cell(labels[pair.second]) + tag_cell(std::to_string(count)) + "</tr>\n";
  }
  return titled_table("Who is taken for whom most often", "pairs", html + "</tbody>\n");
}

std::string scores_table(const ordered_json& report, const std::vector<std::string>& labels) {
  std::string html = head_row({"label", "precision", "recall", "F1", "rows"}) + "<tbody>\n";
  const auto row = [&](const std::string& name, const ordered_json& scores, const char* kind) {
    html += std::string("<tr") + kind + "><th scope=\"row\">" + program::escaped(name) + "</th>";
    for (const char* score : {"precision", "recall", "f1", "support"}) html += number_tag(scores.at(score));
    html += "</tr>\n";
  };
  for (std::size_t i = 0; i < labels.size(); ++i) row(labels[i], report.at("classes").at(i), "");
  for (const char* mean : {"micro", "macro", "weighted"}) row(std::string(mean) + " mean", report.at(mean), " class=\"mean\"");
  return titled_table("Label by label", "scores", html + "</tbody>\n");
}

std::string worst_list(const ordered_json& worst) {
  std::string html = "<h3>The rows that are answered worst</h3>\n<ol class=\"worst\">\n";
  for (std::size_t i = 0; i < std::min(worst.size(), most_rows); ++i) {
    const ordered_json& one = worst.at(i);
    const ordered_json& loss = one.at("loss");
    html += "<li><div><span>line " + std::to_string(one.at("line").get<std::uint64_t>()) + "</span><span>loss <b>" +
            (loss.is_number() && drawable(loss.get<double>()) ? fixed_text(loss.get<double>(), 3) : "not a number") +
            "</b></span><span>label <b>" + program::escaped(one.at("label").get<std::string>()) + "</b></span><span>answered <b>" +
            program::escaped(one.at("prediction").get<std::string>()) + "</b></span></div>";
    for (const char* text : {"text_a", "text_b"}) {
      if (one.contains(text)) html += "<p>" + program::escaped(one.at(text).get<std::string>()) + "</p>";
    }
    html += "</li>\n";
  }
  return html + "</ol>\n";
}

}  // namespace

std::string class_section(const ordered_json& report) {
  try {
    std::string html = "<h2>Validation rows</h2>\n";
    if (report.contains("labels")) {
      const auto labels = report.at("labels").get<std::vector<std::string>>();
      if (labels.size() > most_labels) throw format_error("val_report.json", "has more labels than a run writes of");
      if (report.contains("confusion")) {
        const auto confusion = report.at("confusion").get<confusion_counts>();
        const bool square = confusion.size() == labels.size() &&
                            std::all_of(confusion.begin(), confusion.end(), [&](const auto& row) { return row.size() == labels.size(); });
        if (!square) throw format_error("val_report.json", "\"confusion\" is not as wide and high as there are labels");
        html += labels.size() <= widest_matrix ? matrix_table(labels, confusion) : pairs_table(labels, confusion);
      }
      html += scores_table(report, labels);
    }
    return html + worst_list(report.at("worst"));
  } catch (const ordered_json::exception& failure) {
    throw format_error("val_report.json", std::string("is not what a run writes: ") + failure.what());
  }
}

}  // namespace graft::program
