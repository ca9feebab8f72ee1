// All ranks ask at once whether they may say why all end: one may. Usage: mpirun -n N last_words

#include <chrono>
#include <cstdio>
#include <numeric>
#include <thread>
#include <vector>

#include "host/mpi_group.hpp"

int main() {
  const auto group = graft::program::mpi_group::join();
  if (!group) return std::fputs("start it by mpirun\n", stderr), 2;
  std::vector<std::byte> may(static_cast<std::size_t>(group->size()));
  std::vector<std::size_t> begins(may.size() + 1);
  std::iota(begins.begin(), begins.end(), std::size_t{0});
  group->all_gather(may, begins);  // all are there
  const auto rank = static_cast<std::size_t>(group->rank());
  std::this_thread::sleep_for(std::chrono::microseconds(std::chrono::steady_clock::now().time_since_epoch().count() / 100 % 7 * 30 * rank));
  may[rank] = std::byte(group->claim_last_words());
  group->all_gather(may, begins);
  const int speakers = std::accumulate(may.begin(), may.end(), 0, [](int sum, std::byte one) { return sum + std::to_integer<int>(one); });
  if (speakers == 1) return group->leave(), 0;
  std::fprintf(stderr, "%d of %d ranks say why all end\n", speakers, static_cast<int>(may.size()));
  group->abort(1);
}
