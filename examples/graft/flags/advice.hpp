#pragma once
// What the library says of parameters, said of flags.

#include <string>

#include "graft/core/error.hpp"

namespace graft::program {

/// ": give --lora_r 8", or whatever flag is behind FAILURE's `help()`; "" where there is none.
std::string advice(const error& failure);

}  // namespace graft::program
