#pragma once
// Standard input and output as the sub-commands that stream need them.

#include <cstddef>

#include "graft/data/lines.hpp"

namespace graft::program {

/// Reads up to COUNT bytes of standard input to INTO, as a byte_source.
/// @throws format_error  what is connected there cannot be read (a directory), or it is closed
std::size_t read_standard_input(char* into, std::size_t count);

/// The lines of standard input, as they come.
/// @throws format_error  as line_reader; what is connected there cannot be read (a directory), or it is closed
line_reader standard_input();

/// Hands on to whoever reads standard output what was printed so far.
/// @throws backend_error  it cannot be written
void flush_output();

}  // namespace graft::program
