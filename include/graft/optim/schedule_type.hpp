#pragma once
// The courses that a learning rate may take.

#include <cstdint>
#include <string>

#include "graft/core/error.hpp"

namespace graft {

/// By the names of transformers' SchedulerType; the formulas are `rate_schedule`'s (optim/schedule.hpp).
enum class schedule_type : std::uint8_t { linear, cosine, constant, constant_with_warmup };

/// "linear", "cosine", ...
inline std::string schedule_type_name(schedule_type type) {
  if (type == schedule_type::linear) return "linear";
  if (type == schedule_type::cosine) return "cosine";
  return type == schedule_type::constant ? "constant" : "constant_with_warmup";
}

/// @throws config_error  TEXT is none of them
inline schedule_type parse_schedule_type(const std::string& text) {
  for (const auto type : {schedule_type::linear, schedule_type::cosine, schedule_type::constant, schedule_type::constant_with_warmup}) {
    if (text == schedule_type_name(type)) return type;
  }
  throw config_error("lr_scheduler_type is \"" + text + "\", one of linear, cosine, constant, constant_with_warmup was expected");
}

}  // namespace graft
