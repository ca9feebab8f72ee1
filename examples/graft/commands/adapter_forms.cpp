#include "commands/adapter_forms.hpp"

#include <filesystem>
#include <system_error>

#include "graft/exchange/adapterhub.hpp"
#include "graft/exchange/adapterhub_setup.hpp"
#include "graft/exchange/nlprunners.hpp"
#include "graft/exchange/peft.hpp"

namespace graft::program {

namespace fs = std::filesystem;

std::string destination(const std::string& to, const std::string& path) {
  if (to == "graft") return path.ends_with(".safetensors") ? path : (fs::path(path) / "model.safetensors").string();
  if (to == "original") return path.ends_with(".p") ? path : (fs::path(path) / "model.p").string();
  return path;
}

void check_destination(const std::string& target, const std::vector<std::string>& read, bool force_overwrite) {
  for (const std::string& one : read) {
    std::error_code none;
    if (!one.empty() && (fs::equivalent(target, one, none) || fs::equivalent(target, fs::absolute(one).parent_path() / "", none))) {
      throw config_error(target + ": is, or holds, the encoder (" + one + "), which is not written over; choose another --output_path");
    }
  }
  if (fs::exists(target) && !force_overwrite && (!fs::is_directory(target) || !fs::is_empty(target))) {
    throw config_error(target + ": " + (fs::is_directory(target) ? "is not empty" : "is there already") +
                       "; choose another --output_path or give --force_overwrite");
  }
}

void write_form(const std::string& to, const std::string& target, const adapter_file& a, const encoder_config& config,
                const tensor_source* trunk, const std::string& name, bool norms_beside) {
  if (to == "graft") write_adapter(target, a);
  if (to == "original") write_nlprunners(target, a, config, trunk);
  if (to == "adapterhub" && a.description.kind == tuning_kind::multi_adapter) {
    write_adapterhub_setup(target, a, config);
  } else if (to == "adapterhub") {
    write_adapterhub(target, a, config, name, norms_beside);
  }
  if (to == "peft") write_peft(target, a, config);
}

std::vector<std::string> word_notes(const model_description& d, const std::string& to, const std::string& target) {
  const bool as_trained = to == "graft";
  if (!d.head.tokens || d.as_trained == as_trained) return {};
  const std::string ours = "at white space and punctuation", theirs = "where its tokenizer says, as transformers does";
  return {target + ": cuts texts into words " + (as_trained ? ours : theirs) + ", not " + (as_trained ? theirs : ours) +
          " as before: answers to texts may differ, those to rows of words do not"};
}

}  // namespace graft::program
