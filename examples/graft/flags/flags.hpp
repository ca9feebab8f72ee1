#pragma once
// The flags of a sub-command as one table, from which come its parser, --help, --ZZsrc files, error messages and args.json.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/core/range.hpp"

namespace graft::program {

/// The command line is wrong: the program ends with exit code 2.
class usage_error : public error {
 public:
  using error::error;
};

/// The entry of NAMES with the fewest edits to NAME, or "" when none is near.
std::string nearest(std::string_view name, const std::vector<std::string>& names);

/// TEXT, which came from FLAG and is to be stored as JSON.
/// @throws usage_error  it is not UTF-8, which JSON is
const std::string& storable(const std::string& text, const std::string& flag);

/// One flag. It writes into the variable that it was added with; that variable's type is the flag's kind, its value the default.
class flag {
 public:
  using target = std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<std::string>*, std::optional<bool>*,
                              std::optional<std::int64_t>*, std::optional<double>*>;

  flag(std::string name, target value, std::string help)
      : name_(std::move(name)), value_(value), help_(std::move(help)), default_(json()) {}

  flag& required() { return required_ = true, *this; }
  flag& without_effect() { return without_effect_ = true, *this; }
  /// Command lines and JSON files may go on to say NAME.
  flag& formerly(std::string name) { return former_name_ = std::move(name), *this; }
  flag& one_of(std::vector<std::string> choices) { return choices_ = std::move(choices), *this; }
  /// Texts only: a JSON file may give an array or an object in place of its text.
  flag& takes_json() { return takes_json_ = true, *this; }
  bool is_json() const { return takes_json_; }
  /// Numbers only.
  flag& within(const range& allowed) { return range_ = allowed, *this; }
  flag& between(double least, double most = std::numeric_limits<double>::infinity()) { return within({least, most}); }

  const std::string& name() const { return name_; }
  const std::string& former_name() const { return former_name_; }
  const std::string& help() const { return help_; }
  bool is_switch() const { return std::holds_alternative<bool*>(value_) || std::holds_alternative<std::optional<bool>*>(value_); }
  bool is_required() const { return required_; }
  bool has_effect() const { return !without_effect_; }
  bool is_default() const { return json() == default_; }
  const std::vector<std::string>& choices() const { return choices_; }
  /// Names a file or folder: any bytes, as the file system has them.
  bool is_path() const;
  /// What stands behind the flag in --help: "N", "a|b", "PATH".
  std::string placeholder() const;
  std::string default_text() const;

  /// The value at this moment; null when there is none.
  ordered_json json() const;
  /// Reads the value from TEXT, as it stands on a command line.
  /// @throws config_error  TEXT is not of the flag's kind or outside its range; the message does not name the flag
  void assign(const std::string& text);
  /// A list gets TEXT as it is behind what it has; false: it is no list.
  bool append(const std::string& text);
  /// Reads the value from a JSON file's MEMBER; null changes nothing.
  void assign(const ordered_json& member);

 private:
  std::string name_, former_name_;
  target value_;
  std::string help_;
  ordered_json default_;
  bool required_ = false;
  bool without_effect_ = false;
  bool takes_json_ = false;
  std::vector<std::string> choices_;
  range range_{-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
};

/// All flags of one sub-command, in the order of its --help.
class flag_table {
 public:
  /// SYNOPSIS is what follows the command's name on the usage line; SUMMARY is a sentence or two.
  flag_table(std::string command, std::string synopsis, std::string summary)
      : command_(std::move(command)), synopsis_(std::move(synopsis)), summary_(std::move(summary)) {}
  flag_table(const flag_table&) = delete;
  flag_table& operator=(const flag_table&) = delete;

  /// Starts a group of flags under TITLE.
  void group(std::string title) { groups_.push_back({std::move(title), {}}); }
  /// Adds a flag to the last group. VALUE must outlive the table.
  flag& add(std::string name, flag::target value, std::string help) {
    return groups_.back().flags.emplace_back(std::move(name), value, std::move(help));
  }
  /// Adds --ZZsrc FILE, which gives flags as a JSON object.
  void add_sources() {
    add("ZZsrc", &sources_, "A JSON object of flags. May be given more than once: later files win, and the command line wins over all.");
  }
  /// The argument without a name goes into VALUE; all of them, if that is a list.
  void positional(std::string name, flag::target value) { positional_ = flag(std::move(name), value, ""); }

  /// Fills every variable: defaults, then the --ZZsrc files in order, then the command line. ARGV[0] is the sub-command's name.
  /// @return false when --help was asked for, and printed (--help=FORM: as page_part): there is nothing more to do
  /// @throws usage_error   an unknown flag, a bad value, or a required flag is missing
  /// @throws format_error  a --ZZsrc file is missing, not a JSON object, or holds an unknown flag or a value of another kind
  [[nodiscard]] bool parse(int argc, const char* const* argv);

  std::string help() const;
  const std::string& command() const { return command_; }
  const std::string& synopsis() const { return synopsis_; }
  const std::string& summary() const { return summary_; }
  struct flag_group {
    std::string title;
    std::vector<flag> flags;
  };
  const std::vector<flag_group>& groups() const { return groups_; }
  /// The argument without a name, or null.
  const flag* positional() const { return positional_ ? &*positional_ : nullptr; }
  /// Every flag with its value, for args.json. Such a file can be given to --ZZsrc.
  /// @throws usage_error  as storable
  ordered_json values() const;

 private:
  flag* find(std::string_view name);
  std::string suggestion(std::string_view name, std::string_view prefix) const;
  std::vector<std::pair<std::string, std::string>> read_command_line(std::vector<std::string> arguments);
  void check() const;
  void apply_file(const std::string& path);
  void apply(flag& target, const std::string& text);
  std::string see_help() const { return " (graft " + command_ + " --help lists the flags)"; }

  std::string command_;
  std::string synopsis_;
  std::string summary_;
  std::vector<flag_group> groups_;
  std::vector<std::string> sources_;
  std::optional<flag> positional_;
};

}  // namespace graft::program
