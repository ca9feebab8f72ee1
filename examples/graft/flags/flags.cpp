#include "flags/flags.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cxxopts.hpp>
#include <iostream>
#include <numeric>
#include <sstream>
#include <type_traits>

#include "flags/pages.hpp"
#include "graft/core/json.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/text_list.hpp"
#include "graft/core/utf8.hpp"

namespace graft::program {
namespace {

constexpr std::size_t help_width = 96;
constexpr std::size_t help_column = 34;  // where descriptions start

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;

constexpr std::array<const char*, 3> path_endings{"_path", "_dir", "_base"};

std::string quoted(const std::string& text) { return '"' + text + '"'; }

template <class Number>
Number number(const std::string& text, const char* kind) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc::result_out_of_range) throw config_error(text + " is out of range");
  if (code != std::errc() || end != text.data() + text.size() || !std::isfinite(static_cast<double>(value))) {
    throw config_error(quoted(text) + " is not " + kind);
  }
  return value;
}

void read(bool& value, const std::string& text) {
  if (text != "true" && text != "false" && text != "1" && text != "0") throw config_error(quoted(text) + " is not true or false");
  value = text == "true" || text == "1";
}
void read(std::int64_t& value, const std::string& text) { value = number<std::int64_t>(text, "a whole number"); }
void read(double& value, const std::string& text) { value = number<double>(text, "a number"); }
void read(std::string& value, const std::string& text) { value = text; }
void read(std::vector<std::string>& value, const std::string& text) {
  value.clear();
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    if (!part.empty()) value.push_back(part);
  }
}
template <class T>
void read(std::optional<T>& value, const std::string& text) {
  read(value.emplace(), text);
}

/// Breaks TEXT between words, so that with INDENT no line is longer than help_width.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::string lines;
  std::size_t column = indent;
  for (std::string word; words >> word; column += word.size()) {
    if (column > indent && column + 1 + word.size() > help_width) {
      lines += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    lines += word;
  }
  return lines + '\n';
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view name, const std::vector<std::string>& names) {
  std::string best;
  std::size_t least = std::max<std::size_t>(3, name.size() / 3 + 1);
  for (const auto& candidate : names) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < least && distance < candidate.size()) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

const std::string& storable(const std::string& text, const std::string& flag) {
  if (graft::detail::invalid_utf8(text) == text.npos) return text;
  throw usage_error("--" + flag + ": " + quoted(printable(text)) +
                    " is not UTF-8, as the JSON files that graft writes must be: give it another name, or a link with one");
}

bool flag::is_path() const {
  return std::any_of(path_endings.begin(), path_endings.end(), [&](const char* ending) { return name_.ends_with(ending); }) ||
         name_ == "input" || name_ == "output" || name_ == "ZZsrc";
}

std::string flag::placeholder() const {
  if (!choices_.empty()) return listed(choices_, {}, "|");
  if (is_switch()) return default_ == false ? "" : "0|1";
  if (std::holds_alternative<std::int64_t*>(value_) || std::holds_alternative<std::optional<std::int64_t>*>(value_)) return "N";
  if (std::holds_alternative<double*>(value_) || std::holds_alternative<std::optional<double>*>(value_)) return "X";
  if (std::holds_alternative<std::vector<std::string>*>(value_)) return name_ == "ZZsrc" ? "FILE" : "A,B,...";
  return is_path() ? "PATH" : "TEXT";
}

std::string flag::default_text() const {
  if (default_.is_null() || default_.empty() || default_ == false || default_ == "") return "";
  return default_.is_string() ? default_.get<std::string>() : default_.dump();
}

ordered_json flag::json() const {
  return std::visit(
      [](const auto* value) -> ordered_json {
        if constexpr (is_optional<std::remove_cvref_t<decltype(*value)>>) {
          return value->has_value() ? ordered_json(**value) : ordered_json(nullptr);
        } else {
          return *value;
        }
      },
      value_);
}

void flag::assign(const std::string& text) {
  std::visit([&](auto* value) { read(*value, text); }, value_);
  const ordered_json now = json();
  if (now.is_number() && !range_.contains(now.get<double>())) {
    throw config_error(text + " is out of range: " + (std::isinf(range_.most) ? number_text(range_.least) + " or more" : range_.text()) +
                       " is expected");
  }
  if (!choices_.empty() && std::find(choices_.begin(), choices_.end(), text) == choices_.end()) {
    throw config_error(quoted(text) + " is none of " + listed(choices_));
  }
}

void flag::assign(const ordered_json& member) {
  if (member.is_null()) return;
  if (takes_json_ && member.is_structured()) return assign(member.dump());
  const bool is_list = std::holds_alternative<std::vector<std::string>*>(value_);
  if (is_list && member.is_array() && std::all_of(member.begin(), member.end(), [](const auto& part) { return part.is_string(); })) {
    return assign(listed(member.get<std::vector<std::string>>(), {}, ","));
  }
  const bool is_text = is_list || std::holds_alternative<std::string*>(value_);
  if (is_text != member.is_string()) {
    const char* const kind = is_list ? "a list of texts" : is_text ? "a text" : is_switch() ? "true or false" : "a number";
    throw config_error(shown(member) + " is not " + kind);
  }
  assign(is_text ? member.get<std::string>() : member.dump());
}

bool flag::append(const std::string& text) {
  auto* const list = std::get_if<std::vector<std::string>*>(&value_);
  if (list != nullptr) (*list)->push_back(text);
  return list != nullptr;
}

flag* flag_table::find(std::string_view name) {
  for (auto& group : groups_) {
    for (auto& candidate : group.flags) {
      if (candidate.name() == name || (!name.empty() && candidate.former_name() == name)) return &candidate;
    }
  }
  return nullptr;
}

std::string flag_table::suggestion(std::string_view name, std::string_view prefix) const {
  std::vector<std::string> names{"help"};
  for (const auto& group : groups_) {
    for (const auto& candidate : group.flags) names.push_back(candidate.name());
  }
  const std::string near = nearest(name, names);
  return near.empty() ? "" : "; did you mean " + std::string(prefix) + near + "?";
}

void flag_table::apply_file(const std::string& path) {
  const auto object = read_json<ordered_json>(path);
  if (!object.is_object()) throw format_error(path, "holds a JSON " + std::string(object.type_name()) + ", an object of flags is expected");
  for (const auto& [name, member] : object.items()) {
    if (name == "ZZsrc") continue;  // stands in an args.json, whose other members already hold what those files said
    if (name == "resume" || name == "force_overwrite") continue;  // an earlier args.json has them: they were meant for that start alone
    flag* const target = find(name);
    if (target == nullptr) throw format_error(path, quoted(name) + " is not a flag of graft " + command_ + suggestion(name, ""));
    try {
      target->assign(member);
    } catch (const config_error& failure) {
      throw format_error(path, quoted(name) + ": " + failure.what());
    }
  }
}

void flag_table::apply(flag& target, const std::string& text) {
  if (text.starts_with("--")) throw usage_error("--" + target.name() + " needs a value, " + text + " is a flag" + see_help());
  try {
    if (!target.is_path() && !(positional_ && &target == &*positional_)) storable(text, target.name());
    target.assign(text);
  } catch (const config_error& failure) {
    throw usage_error("--" + target.name() + ": " + failure.what() + see_help());
  }
}

bool flag_table::parse(int argc, const char* const* argv) {
  const auto given = read_command_line(std::vector<std::string>(argv, argv + argc));
  for (const auto& [name, form] : given) {
    if (name != "help") continue;
    std::cout << (form == "true" ? help() : page_part(form, *this));
    return false;
  }
  for (const auto& [name, text] : given) {
    if (name != "ZZsrc") continue;
    sources_.push_back(text);
    apply_file(text);
  }
  for (const auto& [name, text] : given) {
    if (name == "ZZsrc") continue;
    if (!positional_ || name != positional_->name()) {
      apply(*find(name), text);
    } else if (!positional_->append(text)) {
      apply(*positional_, text);
    }
  }
  check();
  return true;
}

std::vector<std::pair<std::string, std::string>> flag_table::read_command_line(std::vector<std::string> arguments) {
  cxxopts::Options parser(command_);
  parser.allow_unrecognised_options();  // so that the message about one is ours
  auto add_option = parser.add_options();
  const auto text = [] { return cxxopts::value<std::string>(); };
  const auto bare = [&] { return text()->implicit_value("true"); };
  for (const auto& group : groups_) {
    for (const auto& each : group.flags) {
      add_option(each.name(), "", each.is_switch() ? bare() : text());
      if (!each.former_name().empty()) add_option(each.former_name(), "", each.is_switch() ? bare() : text());
    }
  }
  add_option("help", "", bare());
  if (positional_) {
    const bool several = positional_->json().is_array();
    add_option(positional_->name(), "", several ? cxxopts::value<std::vector<std::string>>() : text());
    parser.parse_positional(positional_->name());
  }

  // cxxopts takes a switch's value only behind "=": join "--switch true", which nlprunners' command lines use.
  for (std::size_t i = 1; !positional_ && i + 1 < arguments.size(); ++i) {
    const flag* const target = arguments[i].starts_with("--") ? find(arguments[i].substr(2)) : nullptr;
    const std::string& next = arguments[i + 1];
    if (target == nullptr || !target->is_switch() || (next != "true" && next != "false" && next != "1" && next != "0")) continue;
    arguments[i] += '=' + next;
    arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
  std::vector<const char*> pointers;
  pointers.reserve(arguments.size());
  for (const auto& argument : arguments) pointers.push_back(argument.c_str());

  std::vector<std::pair<std::string, std::string>> given;
  std::vector<std::string> unmatched;
  try {
    const auto result = parser.parse(static_cast<int>(pointers.size()), pointers.data());
    for (const auto& one : result.arguments()) given.emplace_back(one.key(), one.value());
    unmatched = result.unmatched();
  } catch (const cxxopts::exceptions::exception&) {  // every value is a text here, so only a missing one is left
    throw usage_error(arguments.back() + " needs a value" + see_help());
  }
  if (unmatched.empty()) return given;
  const std::string& first = unmatched.front();
  if (!first.starts_with('-')) throw usage_error("unexpected argument " + quoted(first) + see_help());
  if (!first.starts_with("--")) throw usage_error("unknown flag " + first + ": flags begin with two dashes" + see_help());
  const std::string name = first.substr(2, first.find('=') - 2);
  throw usage_error("unknown flag --" + name + suggestion(name, "--") + see_help());
}

void flag_table::check() const {
  std::vector<std::string> missing;
  std::vector<std::string> idle;
  for (const auto& group : groups_) {
    for (const auto& each : group.flags) {
      if (each.is_required() && each.is_default()) missing.push_back("--" + each.name());
      if (!each.has_effect() && !each.is_default()) idle.push_back("--" + each.name());
    }
  }
  if (positional_ && positional_->is_default()) missing.push_back(positional_->name());
  if (!missing.empty()) throw usage_error(listed(missing) + (missing.size() == 1 ? " is" : " are") + " missing" + see_help());
  if (!idle.empty()) std::cerr << "graft: accepted, without effect here: " << listed(idle) << '\n';
}

std::string flag_table::help() const {
  std::string text = "usage: graft " + command_ + ' ' + wrapped(synopsis_, 14 + command_.size()) + '\n' + wrapped(summary_, 0);
  std::vector<std::string> idle;
  for (const auto& group : groups_) {
    if (!group.title.empty()) text += '\n' + group.title + '\n';
    for (const auto& each : group.flags) {
      if (!each.has_effect()) {
        idle.push_back("--" + each.name());
        continue;
      }
      std::string line = "  --" + each.name() + ' ' + each.placeholder();
      if (line.back() == ' ') line.pop_back();
      line =
          line.size() + 2 > help_column ? line + '\n' + std::string(help_column, ' ') : line + std::string(help_column - line.size(), ' ');
      const std::string value = each.default_text();
      text +=
          line + wrapped(each.help() + (value.empty() ? "" : " [" + value + "]") + (each.is_required() ? " [required]" : ""), help_column);
    }
  }
  if (!idle.empty()) text += "\nAccepted, without effect\n  " + wrapped(listed(idle), 2);
  return text + "\nValues in brackets are defaults. --flag value and --flag=value are the same.\n";
}

ordered_json flag_table::values() const {
  ordered_json object = ordered_json::object();
  for (const auto& group : groups_) {
    for (const auto& each : group.flags) {
      const ordered_json& value = object[each.name()] = each.json();
      if (value.is_string()) storable(value.get_ref<const std::string&>(), each.name());
      for (const auto& part : value.is_array() ? value : ordered_json()) storable(part.get_ref<const std::string&>(), each.name());
    }
  }
  return object;
}

}  // namespace graft::program
