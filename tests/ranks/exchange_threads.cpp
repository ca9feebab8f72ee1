// Gradients that ranks exchange by MPI on a thread of its own, while two others compute them: for ThreadSanitizer, which is to find no data
// race in it. It checks the sums, too. Usage: mpirun -n N exchange_threads

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "graft/core/profile-inl.hpp"
#include "graft/train/micro_batch_gradients-inl.hpp"
#include "host/mpi_group.hpp"

namespace {

using graft::index;

constexpr index leaves = 11, size = 20000;
const std::vector<graft::gradient_segment> segments{{2, 15000, size}, {1, 8000, 15000}, {0, 0, 8000}};

/// MPI's processes, where the sanitizer sees what is sent and received: MPI itself is not compiled for it.
class seen_group final : public graft::rank_group {
 public:
  explicit seen_group(graft::rank_group& inner) : inner_(inner) {}
  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  void exchange(std::span<const outgoing> out, std::span<const incoming> in) override {
    for (const incoming& one : in) std::fill(one.bytes.begin(), one.bytes.end(), std::byte(0));
    for (const outgoing& one : out) read_ += std::count(one.bytes.begin(), one.bytes.end(), std::byte(0));
    inner_.exchange(out, in);
  }
  void all_gather(std::span<std::byte> all, std::span<const std::size_t> begins) override {
    for (std::byte& byte : all) byte ^= std::byte(0);
    inner_.all_gather(all, begins);
  }
  void broadcast(std::span<std::byte> bytes) override { inner_.broadcast(bytes); }

 private:
  graft::rank_group& inner_;
  std::ptrdiff_t read_ = 0;
};

float number(index step, index leaf, index i) { return static_cast<float>((step * 7919 + leaf * 104729 + i * 31) % 1009) / 1013; }

/// Adds the leaves FIRST .. LAST - 1 to SUMS, on two threads, a segment after the other, each told to DONE.
template <class Done>
void compute(graft::detail::summing_tree<float>& sums, index step, index first, index last, Done&& done) {
  std::atomic<index> next{first};
  const auto work = [&] {
    for (index leaf = next++; leaf < last; leaf = next++) {
      float* const block = sums.take(leaf);
      for (std::size_t s = 0; s < segments.size(); ++s) {
        for (index i = segments[s].begin; i < segments[s].end; ++i) block[i] += number(step, leaf, i);
        sums.done(leaf, s);
        done(s);
      }
    }
  };
  std::thread other(work);
  work();
  other.join();
}

int check(graft::rank_group& group) {
  graft::detail::summing_tree<float> sums, alone;
  graft::detail::spread_sum<float> spread;
  const index first = graft::detail::first_leaf(leaves, group.rank(), group.size());
  const index last = graft::detail::first_leaf(leaves, group.rank() + 1, group.size());
  for (index step = 0; step < 30; ++step) {
    sums.begin(leaves, segments, 2);
    std::vector<graft::detail::rank_word> words(static_cast<std::size_t>(group.size()));
    const float* const total = spread.add(
        group, leaves, segments, [&](graft::detail::tree_node node) { return sums.at(node); },
        [&] { graft::detail::gather_words(group, words, std::span<double>()); },
        [&](auto&& done) { compute(sums, step, first, last, done); });
    alone.begin(leaves, segments, 1);
    compute(alone, step, 0, leaves, [](std::size_t) {});
    if (std::memcmp(total, alone.at(graft::detail::top_node(leaves)), size * sizeof(float)) == 0) continue;
    std::fprintf(stderr, "step %d: another sum\n", static_cast<int>(step));
    return 1;
  }
  return 0;
}

}  // namespace

int main() {
  const auto group = graft::program::mpi_group::join();
  if (!group) return std::fputs("start it by mpirun\n", stderr), 2;
  seen_group seen(*group);
  const int code = check(seen);
  if (code != 0) group->abort(code);
  group->leave();
  return code;
}
