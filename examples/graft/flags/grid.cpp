#include "flags/grid.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <set>

#include "flags/training_flags.hpp"
#include "graft/core/error.hpp"
#include "graft/core/text_list.hpp"

namespace graft::program {
namespace {

std::string word_of(const ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  return listed(value, word_of, ",");
}

/// The flags of one of the trainers.
struct trainer_table {
  training_flags flags;
  flag_table table;
  explicit trainer_table(const std::string& command) : table(command, "", "") {
    add_training_flags(table, flags, command == "train-multi-adapter");
  }
  const flag* find(const std::string& name) const {
    for (const auto& group : table.groups()) {
      for (const auto& each : group.flags) {
        if (each.name() == name) return &each;
      }
    }
    return nullptr;
  }
  bool is_json(const std::string& name) const { return find(name) != nullptr && find(name)->is_json(); }
  /// Whether a list is one value of it.
  bool is_list(const std::string& name) const { return find(name) != nullptr && (find(name)->is_json() || find(name)->json().is_array()); }
  std::string word(const std::string& name, const ordered_json& value) const {
    if (value.is_structured() && (value.is_object() || is_json(name))) return value.dump();
    return word_of(value);
  }
};

/// A part of a folder's name: what a shell, and any file system, takes as it is.
std::string folder_part(const std::string& flag, const ordered_json& value) {
  std::string text = word_of(value);
  if (flag.ends_with("_path")) text = std::filesystem::path(text).stem().string();
  for (char& c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '+';
    if (!plain) c = '-';
  }
  return flag + '-' + text.substr(0, 60);
}

struct varied_flag {
  std::string name;
  std::vector<ordered_json> values;
};

}  // namespace

std::vector<std::vector<std::string>> grid_commands(const ordered_json& grid, const std::string& path) {
  if (!grid.is_object()) throw format_error(path, "holds a JSON " + std::string(grid.type_name()) + ", an object of flags was expected");
  const ordered_json named = grid.value("command", ordered_json("train-adapter"));
  if (named != "train-adapter" && named != "train-multi-adapter") {
    throw format_error(path, "\"command\" is " + shown(named) + ", train-adapter or train-multi-adapter was expected");
  }
  const auto command = named.get<std::string>();
  const trainer_table usual(command);
  std::vector<varied_flag> varied;
  std::size_t count = 1;
  for (const auto& member : grid.items()) {
    const std::string& name = member.key();  // clang 14 lets no lambda have a structured binding
    const ordered_json& value = member.value();
    if (!value.is_array() || name == "ZZsrc" || name == "command") continue;
    const bool of_lists =
        std::ranges::all_of(value, [&](const auto& one) { return one.is_array() || (usual.is_json(name) && !one.is_number()); });
    if (usual.is_list(name) && !(of_lists && !value.empty())) continue;
    if (name == "output_dir") throw format_error(path, "\"output_dir\" is a list: name one folder, in which each run gets its own");
    if (value.empty()) throw format_error(path, "\"" + name + "\" has no value: []");
    varied_flag& one = varied.emplace_back(varied_flag{name, {}});
    for (const auto& each : value) {
      if (each.is_null()) throw format_error(path, "\"" + name + "\" has null among its values: leave it out, or name a value");
      const auto same = [&](const ordered_json& other) { return usual.word(name, other) == usual.word(name, each); };
      if (std::ranges::any_of(one.values, same)) throw format_error(path, "\"" + name + "\" has the value " + shown(each) + " twice");
      one.values.push_back(each);
    }
    count *= one.values.size();
    if (count > most_runs) throw format_error(path, "stands for more than " + std::to_string(most_runs) + " runs");
  }

  std::vector<std::vector<std::string>> commands;
  std::map<std::string, std::size_t> folders;
  for (std::size_t run = 0; run < count; ++run) {
    std::map<std::string, ordered_json> run_flags;
    std::size_t rest = run;
    for (auto each = varied.rbegin(); each != varied.rend(); ++each) {
      run_flags[each->name] = each->values[rest % each->values.size()];
      rest /= each->values.size();
    }
    std::string folder = listed(
        varied, [&](const auto& each) { return folder_part(each.name, run_flags[each.name]); }, "_");
    if (folder.size() > 200) folder = "run-" + std::to_string(run + 1);
    const std::size_t alike = ++folders[folder];
    if (alike > 1) folder += "_" + std::to_string(alike);

    std::vector<std::string> words{command};
    const auto add = [&](const std::string& name, const ordered_json& value) {
      if (value.is_null()) return;
      words.push_back("--" + name + (value == false ? "=false" : ""));
      if (!value.is_boolean()) words.push_back(usual.word(name, value));
    };
    for (const auto& [name, value] : grid.items()) {
      if (name == "command") continue;
      if (name == "ZZsrc" && value.is_array()) {
        for (const auto& each : value) add(name, each);
      } else if (name == "output_dir" && value.is_string() && !folder.empty()) {
        add(name, (std::filesystem::path(value.get<std::string>()) / folder).string());
      } else {
        add(name, run_flags.contains(name) ? run_flags[name] : value);
      }
    }
    std::vector<const char*> pointers;
    for (const auto& word : words) pointers.push_back(word.c_str());
    try {
      trainer_table checked(command);
      (void)checked.table.parse(static_cast<int>(pointers.size()), pointers.data());
    } catch (const usage_error& failure) {
      throw format_error(path, failure.what());
    }
    commands.push_back(std::move(words));
  }
  return commands;
}

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words) {
    const bool plain = !word.empty() && std::ranges::all_of(word, [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             std::string_view("-_./,:=+@%").find(c) != std::string_view::npos;
    });
    if (!line.empty()) line += ' ';
    if (plain) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

}  // namespace graft::program
