#include "run/resumed_answers.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "flags/flags.hpp"
#include "graft/core/error.hpp"
#include "graft/core/printable.hpp"

namespace graft::program {
namespace {

constexpr const char* otherwise = ": name another --output, or leave --resume out, and it is replaced";

struct resumed_answer {
  std::uint64_t number = 0;
  example row{};
  std::string record{};

  std::size_t length() const { return row.text_a.size() + (row.text_b ? row.text_b->size() : 0) + row.input_ids.size() + row.words.size(); }
};

/// Whether the sums of the encoder CONFIG go in one order, whatever batch a row is in: rows of numbers then begin at whole registers.
bool same_in_any_batch(const encoder_config& config) {
  for (const index size : {config.hidden_size, config.embedding_width(), config.intermediate_size}) {
    if (size % 16 != 0) return false;
  }
  return true;
}

/// Numbers side by side, and how far two such vectors lie apart: each of them may be small, and none of them be near the other's.
struct vectors {
  double apart = 0, length = 0;  // squared

  void add(double x, double y) { apart += (x - y) * (x - y), length += x * x; }
  bool differ(double rounding) const { return !(apart <= 16 * rounding * rounding * length); }
};

/// Whether A and B are the same text, but for numbers that differ by rounding; those that a bracket begins, with nothing but commas
/// between, are vectors. Whole numbers, as places in a text and names of labels are, are the same.
bool nearly_same(std::string_view a, std::string_view b, double rounding) {
  struct read_number {
    double value;
    bool whole;
  };
  const auto number = [](std::string_view& text) -> std::optional<read_number> {
    double value = 0;
    if (text.front() != '-' && (text.front() < '0' || text.front() > '9')) return std::nullopt;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc()) return std::nullopt;
    const std::string_view digits = text.substr(0, static_cast<std::size_t>(read.ptr - text.data()));
    text.remove_prefix(digits.size());
    return read_number{value, digits.find_first_of(".e") == digits.npos};
  };
  std::optional<vectors> inside;
  while (!a.empty() && !b.empty()) {
    const auto x = number(a), y = number(b);
    if (x && y && inside) {
      inside->add(x->value, y->value);
      continue;
    }
    if (x && y) {
      const double allowed = x->whole && y->whole ? 0 : rounding * std::max(1.0, std::abs(x->value));
      if (!(std::abs(x->value - y->value) <= allowed)) return false;
      continue;
    }
    if (x || y || a.front() != b.front()) return false;
    if (inside && a.front() != ',') {
      if (inside->differ(rounding)) return false;
      inside.reset();
    }
    if (a.front() == '[') inside.emplace();
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.empty() && b.empty() && !(inside && inside->differ(rounding));
}

/// The same of records that are vectors of F32 themselves.
bool nearly_same_numbers(std::string_view a, std::string_view b, double rounding) {
  if (a.size() != b.size()) return false;
  vectors both;
  for (std::size_t at = 0; at + sizeof(float) <= a.size(); at += sizeof(float)) {
    float x = 0, y = 0;
    std::memcpy(&x, a.data() + at, sizeof x);
    std::memcpy(&y, b.data() + at, sizeof y);
    both.add(x, y);
  }
  return !both.differ(rounding);
}

/// @throws format_error  SOME in the file PATH are not the answers that are given NOW
void compare(const std::vector<resumed_answer>& some, const std::string& path, const asked_now& now) {
  std::vector<example> rows;
  for (const resumed_answer& one : some) rows.push_back(one.row);
  const auto answers = now.model.predict_each(rows);
  for (std::size_t i = 0; i < some.size(); ++i) {
    const std::string expected = now.format.row(answers[i], some[i].number);
    if (some[i].record == expected) continue;
    const auto close = now.format.counts_rows() ? nearly_same_numbers : nearly_same;
    if (!same_in_any_batch(now.model.config()) && close(some[i].record, expected, now.rounding)) continue;
    throw format_error::at_line(path, some[i].number + now.first_line(),
                                "holds \"" + now.format.shown(some[i].record) + "\", the answer is \"" + now.format.shown(expected) +
                                    "\": these are answers to other rows, or of another model, other flags or another machine" + otherwise);
  }
}

}  // namespace

std::pair<std::uint64_t, std::uint64_t> resume_answers(const std::string& output_path, const asked_now& now, answer_output& output) {
  namespace fs = std::filesystem;
  std::error_code none;
  const bool partial = fs::exists(answer_output::partial_path(output_path), none);
  const std::string path = partial ? answer_output::partial_path(output_path) : output_path;
  if (fs::exists(path, none) && !fs::is_regular_file(path, none))
    throw usage_error("--resume goes on with a table in a file, and " + printable(path) + " is none");
  if (!fs::exists(path, none) || fs::is_empty(path, none)) return {0, 0};
  resumed_table table(path);
  std::string record;
  const std::string header = now.format.header(0);
  if (!header.empty()) {
    const bool begun = table.next(record, now.format.counts_rows() ? header.size() : 0);
    if (begun ? !now.format.is_header(record) : !now.format.begins_header(table.broken())) {
      throw format_error(path, "begins with \"" + printable(now.format.shown(begun ? record : table.broken()), 200) +
                                   "\", the table of these answers with \"" + now.format.shown(header) + "\"" + otherwise);
    }
    if (!begun) return {0, 0};
  }
  std::vector<resumed_answer> some;
  resumed_answer longest, last;
  std::uint64_t count = 0, apart = 1;
  std::uint64_t bad = 0;
  for (; table.next(record, now.format.record_size()); ++count) {
    if (!now.format.is_row(record, count))
      throw format_error::at_line(path, count + now.first_line(),
                                  "is not the answer to row " + std::to_string(count / now.each) + otherwise);
    bad += now.format.is_error(record);
    if (bad > 0 && !now.allows_bad_rows)
      throw format_error(path, "holds rows without an answer: with --on_error row, --resume goes on with it");
    last = {count, {}, record};
    if (!now.next_row(last.row))
      throw format_error(path, "holds answers to more rows than the " + std::to_string(count / now.each) + " of " + now.source + otherwise);
    if (last.length() > longest.length()) longest = last;
    if (count % apart == 0) some.push_back(last);
    if (some.size() <= 64) continue;
    apart *= 2;
    std::erase_if(some, [&](const resumed_answer& one) { return one.number % apart != 0; });
  }
  if (count == 0) return {0, 0};
  if (longest.length() > 0) some.push_back(longest);
  some.push_back(last);
  compare(some, path, now);
  output.go_on(partial, table.bytes(), table.pending());
  return {count, bad};
}

}  // namespace graft::program
