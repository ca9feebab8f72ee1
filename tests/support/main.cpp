// The tests' main, in which as many threads compute as a test says.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "graft/core/threads.hpp"
#include "support/any_threads.hpp"

int main(int argc, char** argv) {
  graft::limit_threads(graft_test::any_threads);
  return Catch::Session().run(argc, argv);
}
