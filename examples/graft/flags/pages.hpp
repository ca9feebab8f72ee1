#pragma once
// The manual page and what completes command lines in bash and zsh, from the same tables as --help: `graft --help=man`, bash or zsh.

#include <string>
#include <utility>
#include <vector>

#include "flags/flags.hpp"

namespace graft::program {

/// A page is its head, then the part of each sub-command, then its tail. FORM is man, bash or zsh.
/// @throws usage_error  FORM is none of them
std::string page_part(const std::string& form, const flag_table& table);

/// COMMANDS: names and summaries of all sub-commands, in the order of their parts.
using command_list = std::vector<std::pair<std::string, std::string>>;
/// @throws usage_error  as page_part
std::string page_head(const std::string& form, const command_list& commands);
std::string page_tail(const std::string& form, const command_list& commands);

}  // namespace graft::program
