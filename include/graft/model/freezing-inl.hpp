#pragma once
// Bodies of graft/model/freezing.hpp.

#include "graft/core/compiled.hpp"
#include "graft/model/freezing.hpp"

namespace graft {

GRAFT_INLINE multi_adapter_ft_mode parse_ft_mode(const std::string& text) {
  if (text == "base") return multi_adapter_ft_mode::base;
  if (text == "flex") return multi_adapter_ft_mode::flex;
  if (text == "base_ft") return multi_adapter_ft_mode::base_ft;
  if (text == "full_ft") return multi_adapter_ft_mode::full_ft;
  throw config_error("adapter_ft_mode is \"" + text + "\", one of base, flex, base_ft, full_ft was expected");
}

}  // namespace graft
