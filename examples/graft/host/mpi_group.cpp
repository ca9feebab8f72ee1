#include "host/mpi_group.hpp"

#include <cstdlib>
#include <string>

#include "graft/core/error.hpp"

#if defined(GRAFT_MPI)
#include <mpi.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstring>
#include <span>
#include <thread>
#include <vector>
#endif

namespace graft::program {

bool mpi_group::several() {
  const auto more = [](const char* size) { return size != nullptr && std::strtol(size, nullptr, 10) > 1; };
  const char* const open_mpi = std::getenv("OMPI_COMM_WORLD_SIZE");
  const char* const pmi = std::getenv("PMI_SIZE");
  if (open_mpi != nullptr || pmi != nullptr) return more(open_mpi) || more(pmi);
  // srun --mpi=pmix; without PMIX_RANK they are tasks of a step that know nothing of each other.
  return std::getenv("PMIX_RANK") != nullptr && more(std::getenv("SLURM_STEP_NUM_TASKS"));
}

#if !defined(GRAFT_MPI)

std::unique_ptr<mpi_group> mpi_group::join() {
  if (!several()) return nullptr;
  throw config_error("this graft was built without MPI, and mpirun or srun started several processes of it: build it with -DGRAFT_MPI=ON");
}

#else

namespace {

void require(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw backend_error(std::string(what) + " failed: " + std::string(text, static_cast<std::size_t>(length)));
}

/// Waits for REQUESTS, a moment without sleep; then with some, since the processor may be computing what is sent next; then with more,
/// since rows may be waited for, or a slow rank.
void wait_for(std::vector<MPI_Request>& requests, const char* what) {
  using clock = std::chrono::steady_clock;
  const auto begun = clock::now();
  for (int done = 0;;) {
    require(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE), what);
    if (done != 0) return;
    const auto waited = clock::now() - begun;
    if (waited < std::chrono::microseconds(100)) {
      ::sched_yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(waited < std::chrono::milliseconds(20) ? 50 : 500));
    }
  }
}

constexpr std::size_t most_at_once = std::size_t{1} << 30;  // bytes: MPI counts in int

class world final : public mpi_group {
 public:
  world() {
    int provided = 0;
    require(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
    if (provided < MPI_THREAD_SERIALIZED)
      throw backend_error("this MPI can be called from one thread alone (MPI_THREAD_SERIALIZED is needed)");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    require(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
    require(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
    count_sharing();
    measure_latency();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::int64_t sharing() const override { return sharing_; }

  void exchange(std::span<const outgoing> out, std::span<const incoming> in) override {
    const under_way call(calls_);
    std::vector<MPI_Request> requests;
    for (const incoming& one : in) {
      for_each_chunk(one.bytes, [&](std::byte* bytes, int count) {
        require(MPI_Irecv(bytes, count, MPI_BYTE, one.rank, 0, MPI_COMM_WORLD, &requests.emplace_back()), "MPI_Irecv");
      });
    }
    for (const outgoing& one : out) {
      for_each_chunk(one.bytes, [&](const std::byte* bytes, int count) {
        require(MPI_Isend(bytes, count, MPI_BYTE, one.rank, 0, MPI_COMM_WORLD, &requests.emplace_back()), "MPI_Isend");
      });
    }
    wait_for(requests, "an exchange with other ranks");
  }

  void all_gather(std::span<std::byte> all, std::span<const std::size_t> begins) override {
    const under_way call(calls_);
    if (all.size() > most_at_once) {
      for (int r = 0; r < size_; ++r) {
        const auto i = static_cast<std::size_t>(r);
        broadcast_from(r, all.subspan(begins[i], begins[i + 1] - begins[i]));
      }
      return;
    }
    std::vector<int> counts, displacements;
    for (std::size_t r = 0; r + 1 < begins.size(); ++r) {
      counts.push_back(static_cast<int>(begins[r + 1] - begins[r]));
      displacements.push_back(static_cast<int>(begins[r]));
    }
    std::vector<MPI_Request> request(1);
    require(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_BYTE, all.data(), counts.data(), displacements.data(), MPI_BYTE, MPI_COMM_WORLD,
                            request.data()),
            "MPI_Iallgatherv");
    wait_for(request, "gathering from all ranks");
  }

  void broadcast(std::span<std::byte> bytes) override {
    const under_way call(calls_);
    broadcast_from(0, bytes);
  }

  /// Two or three times there and back are what a part costs beside its bytes; that pays where it is little of what these take.
  index least_bytes_at_once() const override {
    constexpr double bytes_a_second = 500e6;
    return std::max(mpi_group::least_bytes_at_once(), static_cast<index>(bytes_a_second * 2 * latency_));
  }

  /// A byte to every other is the claim. What MPI does not carry any more is no reason to be silent.
  bool claim_last_words() override {
    if (std::this_thread::get_id() != caller_ || calls_ > 0) return true;  // MPI may be at work, and serves one thread at a time
    if (is_claimed(MPI_ANY_SOURCE)) return false;
    for (int r = 0; r < size_; ++r) {
      MPI_Request sent{};
      if (r != rank_) MPI_Isend(&claim_, 1, MPI_BYTE, r, claim_tag, MPI_COMM_WORLD, &sent);
    }
    for (int waited = 0; waited < 20 && rank_ > 0; ++waited) {  // a lower one may have asked before this claim was there
      for (int r = 0; r < rank_; ++r) {
        if (is_claimed(r)) return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  void leave() override { MPI_Finalize(); }
  void abort(int exit_code) override {
    // MPICH's mpiexec does not read what it has not read until then.
    for (int unread = 0, waited = 0; waited < 200 && ::ioctl(2, FIONREAD, &unread) == 0 && unread > 0; ++waited) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    ::_exit(exit_code);
  }

 private:
  struct under_way {
    explicit under_way(std::atomic<int>& all) : calls(all) { ++calls; }
    under_way(const under_way&) = delete;
    under_way& operator=(const under_way&) = delete;
    ~under_way() { --calls; }
    std::atomic<int>& calls;
  };

  static constexpr int claim_tag = 1;  // 0: all others

  static bool is_claimed(int by) {
    int there = 0;
    for (int again = 0; again < 3 && there == 0; ++again) {  // Open MPI finds at one call what it took in at the one before
      if (MPI_Iprobe(by, claim_tag, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE) != MPI_SUCCESS) return false;
    }
    return there != 0;
  }

  template <class Byte, class F>
  static void for_each_chunk(std::span<Byte> bytes, F&& f) {
    while (!bytes.empty()) {
      const auto chunk = bytes.first(std::min(bytes.size(), most_at_once));
      f(chunk.data(), static_cast<int>(chunk.size()));
      bytes = bytes.subspan(chunk.size());
    }
  }

  static void broadcast_from(int rank, std::span<std::byte> all) {
    for_each_chunk(all, [&](std::byte* bytes, int count) {
      std::vector<MPI_Request> request(1);
      require(MPI_Ibcast(bytes, count, MPI_BYTE, rank, MPI_COMM_WORLD, request.data()), "MPI_Ibcast");
      wait_for(request, "a broadcast");
    });
  }

  void count_sharing() {
    MPI_Comm node{};
    require(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node), "MPI_Comm_split_type");
    int ranks = 0;
    MPI_Comm_size(node, &ranks);
    cpu_set_t processors;
    CPU_ZERO(&processors);
    ::sched_getaffinity(0, sizeof processors, &processors);
    std::vector<cpu_set_t> all(static_cast<std::size_t>(ranks));
    require(MPI_Allgather(&processors, sizeof processors, MPI_BYTE, all.data(), sizeof processors, MPI_BYTE, node), "MPI_Allgather");
    sharing_ = std::count_if(all.begin(), all.end(), [&](const cpu_set_t& one) { return CPU_EQUAL(&one, &processors) != 0; });
    MPI_Comm_free(&node);
  }

  /// How long a byte is on its way between neighbors, where it takes longest: the shortest of some tries, since a processor may be busy.
  void measure_latency() {
    std::byte sent{}, received{};
    const int next = (rank_ + 1) % size_, before = (rank_ + size_ - 1) % size_;
    double shortest = 1e9;
    for (int i = 0; i < 5; ++i) {
      require(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
      const double begun = MPI_Wtime();
      require(MPI_Sendrecv(&sent, 1, MPI_BYTE, next, 0, &received, 1, MPI_BYTE, before, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
              "MPI_Sendrecv");
      require(MPI_Sendrecv(&sent, 1, MPI_BYTE, before, 0, &received, 1, MPI_BYTE, next, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
              "MPI_Sendrecv");
      shortest = std::min(shortest, (MPI_Wtime() - begun) / 2);
    }
    require(MPI_Allreduce(&shortest, &latency_, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD), "MPI_Allreduce");
  }

  const std::thread::id caller_ = std::this_thread::get_id();
  int rank_ = 0, size_ = 1;
  std::byte claim_{};
  std::atomic<int> calls_{0};
  double latency_ = 0;  // seconds, the same on all ranks
  std::int64_t sharing_ = 1;
};

}  // namespace

std::unique_ptr<mpi_group> mpi_group::join() {
  const bool started =
      std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMI_SIZE") != nullptr || std::getenv("PMIX_RANK") != nullptr;
  if (!started) return nullptr;
  auto all = std::make_unique<world>();
  if (several() && all->size() == 1) {  // each would do the same work, and write the same files
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(library, &length);
    std::string name(library, static_cast<std::size_t>(length));
    name.resize(std::min(name.size(), name.find_first_of(",\n")));
    std::replace(name.begin(), name.end(), '\t', ' ');
    name.erase(std::unique(name.begin(), name.end(), [](char a, char b) { return a == ' ' && b == ' '; }), name.end());
    throw config_error("this graft was built with another MPI (" + name +
                       ") than that of mpirun or srun, which started several processes: start it with its own MPI's mpirun, or build "
                       "it with the other (-DMPI_CXX_COMPILER=...)");
  }
  return all;
}

#endif

}  // namespace graft::program
