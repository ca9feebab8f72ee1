#pragma once
// The forms in which the program writes adapters, and where it may.

#include <string>
#include <vector>

#include "graft/exchange/adapter_file.hpp"

namespace graft::program {

/// The file to write for TO, "graft" or "original"; the folder for the others.
std::string destination(const std::string& to, const std::string& path);

/// @throws config_error  TARGET is one of READ or holds it, or is there already and is not to be written over
void check_destination(const std::string& target, const std::vector<std::string>& read, bool force_overwrite);

/// Writes A to TARGET in the form TO: graft, original, adapterhub or peft.
void write_form(const std::string& to, const std::string& target, const adapter_file& a, const encoder_config& config,
                const tensor_source* trunk, const std::string& name, bool norms_beside);

/// What to know of an adapter that D describes where it goes to TARGET, in the form TO, or "encoder": texts are cut into words otherwise
/// there (model_description::as_trained).
std::vector<std::string> word_notes(const model_description& d, const std::string& to, const std::string& target);

}  // namespace graft::program
