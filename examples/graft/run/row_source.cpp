#include "run/row_source.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/data/fields.hpp"
#include "graft/data/tsv.hpp"

namespace graft::program {
namespace {

/// What the first line of standard input, in FIELDS, is if it is no row of texts; "" if it may be one.
std::string foreign_row(const std::vector<std::string_view>& fields) {
  if (fields[0].starts_with("{\"")) return "JSON lines";
  const auto is_text = [&](std::string_view name) {
    return name == "text_a" || name == "text_b" || (fields.size() > 1 && graft::detail::meaning_of(name).starts_with("text"));
  };
  const auto is_name = [&](std::string_view name) {
    return is_text(name) || graft::detail::is_among(graft::detail::text_fields, name) || graft::detail::is_passed_over(name) ||
           graft::detail::meaning_of(name) == "label";
  };
  const bool header = std::all_of(fields.begin(), fields.end(), is_name) && std::any_of(fields.begin(), fields.end(), is_text);
  return header ? "a table with a header" : "";
}

/// Rows of text without a header.
class text_lines {
 public:
  explicit text_lines(line_reader lines) : rows_(std::move(lines)) {}

  bool next(example& row) {
    const bool first = !std::exchange(begun_, true);
    ended_ = !rows_.next(fields_);
    if (ended_ && first) throw format_error(rows_.path(), "is empty, at least one row was expected");
    if (ended_) return false;
    const auto refuse = [&](const std::string& why) { return format_error::at_line(rows_.path(), fields_.line, why); };
    const std::string foreign = first ? foreign_row(fields_.fields) : "";
    if (!foreign.empty()) {
      ended_ = true;
      throw refuse("looks like " + foreign + ", lines of TEXT [tab TEXT] were expected: use --input /dev/stdin");
    }
    if (std::any_of(fields_.fields.begin(), fields_.fields.end(), [](auto field) { return field.find('\r') != field.npos; }))
      throw refuse("has a \\r inside: are the line ends \\r alone? \\n or \\r\\n were expected");
    if (fields_.fields.size() > 2)
      throw refuse("has " + std::to_string(fields_.fields.size()) + " tab-separated texts, one or two were expected");
    row = example();
    row.line = fields_.line;
    row.text_a = fields_.fields[0];
    if (fields_.fields.size() == 2) row.text_b = fields_.fields[1];
    return true;
  }
  bool ready() { return rows_.ready(); }
  bool goes_on() const { return !ended_ && !rows_.failed(); }

 private:
  tsv_reader rows_;
  tsv_row fields_;
  bool begun_ = false, ended_ = false;
};

template <class Reader>
row_source source_of(std::shared_ptr<Reader> rows) {
  return {[rows](example& row) { return rows->next(row); }, [rows] { return rows->ready(); }, [rows] { return rows->goes_on(); }};
}

}  // namespace

row_source rows_of_lines(const std::shared_ptr<input_bytes>& bytes) { return source_of(std::make_shared<text_lines>(lines_of(bytes))); }

row_source rows_of_file(const task& task, const std::string& split, const std::string& path, const std::shared_ptr<input_bytes>& bytes) {
  const std::string name = path.ends_with(".gz") ? path.substr(0, path.size() - 3) : path;
  return source_of(std::make_shared<example_reader>(task, split, lines_of(bytes), name));
}

row_source with_bad_rows(const row_source& source, const std::string& name) {
  row_source result = source;
  result.next = [source, name](example& row) {
    try {
      return source.next(row);
    } catch (const error& refused) {
      if (!source.goes_on()) throw;
      row = example();
      std::string_view reason = refused.what();  // "NAME:LINE: REASON"
      if (reason.starts_with(name + ":")) {
        const char* const end = reason.data() + reason.size();
        const auto number = std::from_chars(reason.data() + name.size() + 1, end, row.line);
        if (row.line != 0) reason = std::string_view(number.ptr, end);
        if (row.line != 0 && reason.starts_with(": ")) reason.remove_prefix(2);
      }
      row.error = reason;
      return true;
    }
  };
  return result;
}

}  // namespace graft::program
