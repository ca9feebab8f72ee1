#include "host/standard_input.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "graft/core/error.hpp"

namespace graft::program {

std::size_t read_standard_input(char* into, std::size_t count) {
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, into, count);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EINTR) continue;
    // main opens a closed one anew so that it cannot be read
    throw format_error("standard input", errno == EBADF ? std::string("is closed; lines of text were expected there")
                                                        : std::string("cannot be read: ") + std::strerror(errno));
  }
}

line_reader standard_input() { return {read_standard_input, "standard input"}; }

void flush_output() {
  errno = 0;
  const bool written = std::cout.flush() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!written)
    throw backend_error(std::string("standard output cannot be written") + (errno != 0 ? std::string(": ") + std::strerror(errno) : ""));
}

}  // namespace graft::program
