#include "flags/advice.hpp"

#include <map>

namespace graft::program {

std::string advice(const error& failure) {
  static const std::map<std::string, std::string> sentences = {
      {"adapters", "what is mixed is named by --adapter_weights_path, --adapter_exclude and --adapter_include_base"},
      {"config_path", "give its config.json as --model_config_path"},
      {"kind", "give one of the same kind"},
      {"kind full", "give the --model_path that it belongs to, or train the whole encoder (--tune full)"},
      {"prefix_cache", "give it as --prefix_cache"},
      {"prefix_cache none", "--adapter_layers says which, and --prefix_cache is what may be left out"},
      {"trunk", "give the --model_path that it belongs to"}};
  static const std::map<std::string, std::string> flags = {{"flex_hidden_act", "adapter_hidden_act"},
                                                           {"fusion", "adapter_fusion"},
                                                           {"flex_size", "adapter_size"},
                                                           {"include_flex", "adapter_include_flex"},
                                                           {"num_weight_sets", "adapter_num_weight_sets"},
                                                           {"weight_mode", "adapter_weight_mode"}};
  const auto& [parameter, value] = failure.help();
  if (parameter.empty()) return "";
  const std::string with_value = parameter + (value.empty() ? "" : " " + value);
  if (const auto found = sentences.find(with_value); found != sentences.end()) return ": " + found->second;
  const auto other = flags.find(parameter);
  std::string text = ": give --" + (other == flags.end() ? with_value : other->second + " " + value);
  for (std::size_t at; (at = text.find(", ")) != text.npos;) text.erase(at + 1, 1);  // a list, as flags take it
  return text;
}

}  // namespace graft::program
