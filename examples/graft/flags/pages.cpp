#include "flags/pages.hpp"

#include <string_view>

#include "graft/version.hpp"

namespace graft::program {
namespace {

/// TEXT with each character of SPECIAL behind a backslash.
std::string escaped(std::string_view text, std::string_view special) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) text.replace(at, what.size(), by);
  return text;
}

/// TEXT as roff shows it: its dashes are those that one types.
std::string roff(const std::string& text) {
  const std::string quoted = replaced(replaced(text, "\\", "\\e"), "-", "\\-");
  return quoted.starts_with('.') || quoted.starts_with('\'') ? "\\&" + quoted : quoted;
}

std::string in_shell_quotes(const std::string& text) { return '\'' + replaced(text, "'", "'\\''") + '\''; }

std::string words(const std::vector<std::string>& each, const char* separator = " ") {
  std::string text;
  for (const auto& word : each) text += (text.empty() ? "" : separator) + word;
  return text;
}

/// The flags that --help describes.
std::vector<const flag*> described(const flag_table& table) {
  std::vector<const flag*> all;
  for (const auto& group : table.groups()) {
    for (const auto& each : group.flags) {
      if (each.has_effect()) all.push_back(&each);
    }
  }
  return all;
}

std::string man_part(const flag_table& table) {
  std::string text = ".SS " + roff(table.command()) + "\n.B graft " + roff(table.command()) + '\n' + roff(table.synopsis()) + "\n.PP\n" +
                     roff(table.summary()) + '\n';
  for (const auto& group : table.groups()) {
    if (!group.title.empty()) text += ".PP\n.I " + roff(group.title) + '\n';
    for (const auto& each : group.flags) {
      if (!each.has_effect()) continue;
      const std::string value = each.default_text();
      text += ".TP\n\\fB\\-\\-" + roff(each.name()) + "\\fR \\fI" + roff(each.placeholder()) + "\\fR\n" + roff(each.help()) +
              (value.empty() ? "" : " [" + roff(value) + "]") + (each.is_required() ? " [required]" : "") + '\n';
    }
  }
  return text;
}

std::string bash_part(const flag_table& table) {
  std::vector<std::string> names{"--help"}, files, others;
  std::string choices;
  for (const flag* each : described(table)) {
    const std::string& name = names.emplace_back("--" + each->name());
    if (!each->choices().empty()) {
      choices += "        " + name + ") words=\"" + words(each->choices()) + "\" ;;\n";
    } else if (!each->is_switch()) {
      (each->is_path() ? files : others).push_back(name);
    }
  }
  std::string text = "    " + table.command() + ")\n      words=\"" + words(names) + "\"\n      case $before in\n" + choices;
  if (!files.empty()) text += "        " + words(files, " | ") + ") words= ;;\n";
  if (!others.empty()) text += "        " + words(others, " | ") + ") compopt +o default 2> /dev/null; return ;;\n";
  return text + "      esac ;;\n";
}

std::string zsh_part(const flag_table& table) {
  std::string text = "_graft-" + table.command() + "() {\n  _arguments '--help[List the flags.]'";
  for (const flag* each : described(table)) {
    std::string line = "--" + each->name() + (each->is_switch() ? "" : "=") + '[' + escaped(each->help(), "\\[]") + ']';
    if (each->name() == "ZZsrc") line.insert(0, "*");  // may be given more than once
    if (!each->choices().empty()) {
      line += ":value:(" + words(each->choices()) + ')';
    } else if (!each->is_switch()) {
      line += ':' + each->placeholder() + ':' + (each->is_path() ? "_files" : "");
    }
    text += " \\\n    " + in_shell_quotes(line);
  }
  if (table.positional() != nullptr) text += " \\\n    " + in_shell_quotes(':' + table.positional()->name() + ":_files");
  return text + "\n}\n";
}

std::string man_head(const command_list& commands) {
  const std::string version =
      std::to_string(GRAFT_VERSION_MAJOR) + '.' + std::to_string(GRAFT_VERSION_MINOR) + '.' + std::to_string(GRAFT_VERSION_PATCH);
  std::string text =
      ".TH GRAFT 1 \"\" \"graft " + version + "\" \"User Commands\"\n.SH NAME\n" +
      "graft \\- tune transformer encoders with adapters, on CPUs\n.SH SYNOPSIS\n.B graft\n\\fISUB\\-COMMAND\\fR [\\fIFLAGS\\fR]\n"
      ".SH DESCRIPTION\nTunes frozen RoBERTa and BERT encoders with adapters: small modules that are trained on a task, saved "
      "alone, and mixed.\n";
  for (const auto& [name, summary] : commands) text += ".TP\n.B " + roff(name) + '\n' + roff(summary) + '\n';
  return text + ".PP\nValues in brackets are defaults. \\-\\-flag value and \\-\\-flag=value are the same.\n.SH SUB\\-COMMANDS\n";
}

const char* const man_tail =
    ".SH EXIT STATUS\n.TP\n.B 0\nAll went well.\n.TP\n.B 1\nSomething could not be done: one line on standard error names file, place and "
    "reason.\n.TP\n.B 2\nThe command line is wrong.\n"
    ".SH ENVIRONMENT\n.TP\n.B OMP_NUM_THREADS\nThreads to compute with, where \\-\\-threads is not given; no more than processors.\n"
    ".TP\n.BR GOMP_SPINCOUNT \", \" OMP_WAIT_POLICY\nHow threads wait for one another. Where neither is set, graft starts itself anew with "
    "GOMP_SPINCOUNT=3000: they spin for some microseconds, then sleep.\n"
    ".SH EXAMPLES\nFrom a Hugging Face folder and GLUE files to a trained adapter:\n.PP\n.nf\n"
    "graft export\\-model roberta\\-base \\-\\-output_base_path model\n"
    "graft prepare\\-tasks \\-\\-input_base_path glue \\-\\-output_base_path tasks\n"
    "graft train\\-adapter \\-\\-ZZsrc model/config.json \\-\\-task_config_path tasks/configs/rte.json \\e\n"
    "    \\-\\-output_dir runs/rte \\-\\-do_train \\-\\-do_val \\-\\-do_save\ngraft plot runs/rte\n.fi\n";

std::string names_of(const command_list& commands) {
  std::string text;
  for (const auto& [name, summary] : commands) text += name + ' ';
  return text + "--help --version";
}

std::string bash_head(const command_list& commands) {
  return "# Completes command lines of graft in bash.\n"
         "_graft() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
         "  if [[ $word == \"=\" ]]; then word=; elif [[ $before == \"=\" ]]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
         "  if ((COMP_CWORD == 1)); then\n"
         "    COMPREPLY=($(compgen -W \"" +
         names_of(commands) +
         "\" -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n";
}

const char* const bash_tail =
    "  esac\n"
    "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))  # nothing: a file\n"
    "}\n"
    "complete -o default -F _graft graft\n";

std::string zsh_tail(const command_list& commands) {
  std::string text =
      "_graft() {\n"
      "  local -a commands=(\n";
  for (const auto& [name, summary] : commands) text += "    " + in_shell_quotes(name + ':' + summary) + '\n';
  return text +
         "  )\n"
         "  if ((CURRENT == 2)); then _describe sub-command commands; return; fi\n"
         "  local part=_graft-$words[2]\n"
         "  (( $+functions[$part] )) || return 1\n"
         "  shift words\n"
         "  ((CURRENT -= 1))\n"
         "  $part\n"
         "}\n"
         "_graft \"$@\"\n";
}

usage_error unknown(const std::string& form) { return usage_error("--help=" + form + " is none of man, bash, zsh"); }

}  // namespace

std::string page_part(const std::string& form, const flag_table& table) {
  if (form == "man") return man_part(table);
  if (form == "bash") return bash_part(table);
  if (form == "zsh") return zsh_part(table);
  throw unknown(form);
}

std::string page_head(const std::string& form, const command_list& commands) {
  if (form == "man") return man_head(commands);
  if (form == "bash") return bash_head(commands);
  if (form == "zsh") return "#compdef graft\n# Completes command lines of graft in zsh.\n";
  throw unknown(form);
}

std::string page_tail(const std::string& form, const command_list& commands) {
  if (form == "man") return man_tail;
  if (form == "bash") return bash_tail;
  if (form == "zsh") return zsh_tail(commands);
  throw unknown(form);
}

}  // namespace graft::program
