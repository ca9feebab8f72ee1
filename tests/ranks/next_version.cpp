// What the next version of the program does first when mpirun starts it: it joins the others, who find out that it is another one.
// Usage: mpirun ... : -n N next_version

#include <exception>
#include <iostream>

#include "graft/version.hpp"
#undef GRAFT_VERSION_PATCH
#define GRAFT_VERSION_PATCH 99
#include "host/ranks.cpp"

int main() {
  try {
    graft::program::join_ranks("train-adapter");
    graft::program::leave_ranks();
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << "graft: " << graft::program::begin_last_words(false) << failure.what() << '\n';
    graft::program::end_ranks(1);
    return 1;
  }
}
