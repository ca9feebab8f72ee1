#pragma once
// Tests compute with as many threads as they say, on any machine.

namespace graft_test {

inline constexpr int any_threads = 1024;

}  // namespace graft_test
