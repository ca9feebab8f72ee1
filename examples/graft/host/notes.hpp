#pragma once
// What the library noted, for people.

#include <iostream>
#include <string>
#include <vector>

#include "graft/core/printable.hpp"

namespace graft::program {

/// A line each on standard error.
inline void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::cerr << "graft: " << printable(note, 4000) << '\n';
}

}  // namespace graft::program
