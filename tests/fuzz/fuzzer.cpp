// libFuzzer's entry: runs the harness that the environment variable GRAFT_FUZZ names.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto run = [] {
    const char* wanted = std::getenv("GRAFT_FUZZ");
    const auto* found = graft_fuzz::listed_harness::first;
    while (found != nullptr && (wanted == nullptr || std::string_view(found->name) != wanted)) found = found->next;
    if (found == nullptr) {
      std::fprintf(stderr, "GRAFT_FUZZ names no harness; known:");
      for (const auto* each = graft_fuzz::listed_harness::first; each != nullptr; each = each->next) std::fprintf(stderr, " %s", each->name);
      std::fprintf(stderr, "\n");
      std::exit(2);
    }
    return found->run;
  }();
  return run(data, size);
}
