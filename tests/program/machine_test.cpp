#include "host/machine.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "graft/core/file.hpp"
#include "support/any_threads.hpp"
#include "support/shared.hpp"

namespace fs = std::filesystem;
using graft::program::memory_limit;
using graft::program::named_threads;
using graft::program::processor_quota;
using std::nullopt;

namespace {

/// A file system with what Linux tells of control groups.
struct machine {
  machine(const std::string& groups, const std::string& mounts) {
    put("proc/self/cgroup", groups);
    put("proc/self/mountinfo", mounts);
  }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(folder / path).parent_path());
    graft::write_file(folder / path, text);
  }
  auto quota() const { return processor_quota(folder.path()); }

  graft_test::temporary_folder folder;
};

const std::string v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string v1 = "33 32 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

}  // namespace

TEST_CASE("a quota of version 2 counts, rounded up") {
  const machine m("0::/user/job\n", "22 1 8:1 / / rw - ext4 /dev/root rw\n" + v2);
  CHECK(m.quota() == nullopt);
  m.put("sys/fs/cgroup/user/job/cpu.max", "150000 100000\n");
  CHECK(m.quota() == 2);
  m.put("sys/fs/cgroup/user/cpu.max", "10000 100000\n");  // of all jobs of the user
  CHECK(m.quota() == 1);
  m.put("sys/fs/cgroup/user/cpu.max", "max 100000\n");
  CHECK(m.quota() == 2);
  m.put("sys/fs/cgroup/user/job/cpu.max", "300000 100000\n");
  CHECK(m.quota() == 3);
  m.put("sys/fs/cgroup/cpu.max", "200000 100000\n");  // seen from inside a container, its own limit is at the top
  CHECK(m.quota() == 2);
  m.put("sys/fs/cgroup/cpu.max", "nonsense\n");
  CHECK(m.quota() == 3);
}

TEST_CASE("a quota of version 1 counts, beside version 2") {
  const machine m("4:cpu,cpuacct:/jobs/one\n2:cpuset:/\n0::/\n", v1 + v2);
  m.put("sys/fs/cgroup/cpu,cpuacct/jobs/one/cpu.cfs_quota_us", "-1\n");
  m.put("sys/fs/cgroup/cpu,cpuacct/jobs/one/cpu.cfs_period_us", "100000\n");
  CHECK(m.quota() == nullopt);
  m.put("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us", "400000\n");
  m.put("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us", "100000\n");
  CHECK(m.quota() == 4);
  m.put("sys/fs/cgroup/cpu,cpuacct/jobs/one/cpu.cfs_quota_us", "50000\n");
  CHECK(m.quota() == 1);
}

TEST_CASE("a group that is mounted at another place, or not below what is mounted, is found") {
  const machine bound("4:cpu:/docker/abc/inner\n", "33 32 0:29 /docker/abc /my\\040groups rw - cgroup cgroup rw,cpu\n");
  bound.put("my groups/inner/cpu.cfs_quota_us", "100000\n");
  bound.put("my groups/inner/cpu.cfs_period_us", "100000\n");
  CHECK(bound.quota() == 1);
  const machine outside("0::/../other\n", v2);
  outside.put("sys/fs/cgroup/cpu.max", "100000 50000\n");
  CHECK(outside.quota() == 2);
  const machine hidden("4:cpu:/docker/abc\n", "33 32 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
  hidden.put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  hidden.put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(hidden.quota() == 2);
}

TEST_CASE("a machine that tells nothing sets no limit") {
  const graft_test::temporary_folder empty;
  CHECK(processor_quota(empty.path()) == nullopt);
  const machine odd("\n:\n::\n0:\n", "\n-\n a - b\n1 2 3 4 5 - cgroup2 x\n");
  CHECK(odd.quota() == nullopt);
}

TEST_CASE("the least limit of memory counts") {
  const machine m("0::/job\n", v2);
  const auto before = memory_limit(m.folder.path());
  m.put("sys/fs/cgroup/job/memory.max", "max\n");
  CHECK(memory_limit(m.folder.path()) == before);
  m.put("sys/fs/cgroup/memory.max", "2000000\n");
  CHECK(memory_limit(m.folder.path()) == 2e6);
  m.put("sys/fs/cgroup/job/memory.max", "1000000\n");
  CHECK(memory_limit(m.folder.path()) == 1e6);
}

TEST_CASE("OMP_NUM_THREADS names a number or is ignored with a word") {
  std::string warning;
  CHECK(named_threads(nullptr, warning) == nullopt);
  CHECK(named_threads("", warning) == nullopt);
  CHECK(named_threads("4", warning) == 4);
  CHECK(named_threads(" 4 , 2", warning) == 4);
  CHECK(warning.empty());
  for (const char* nonsense : {"four", "0", "-1", "4x", ",2", "1.5", "1e3", "99999999999999999999", "\x1b[31m"}) {
    CAPTURE(nonsense);
    warning.clear();
    CHECK(named_threads(nonsense, warning) == nullopt);
    CHECK_THAT(warning, Catch::Contains("OMP_NUM_THREADS") && Catch::Contains("--threads") && !Catch::Contains("\x1b"));
  }
}

TEST_CASE("threads are tried out before OpenMP starts them") {
  std::string reason;
  CHECK(graft::program::detail::possible_threads(3, reason) == 3);
  CHECK(reason.empty());
  CHECK(graft::program::detail::openmp_stack_size("512k") == 512 * 1024);
  CHECK(graft::program::detail::openmp_stack_size("4 M ") == 4 << 20);
  CHECK(graft::program::detail::openmp_stack_size("100") == 100 * 1024);
  CHECK(graft::program::detail::openmp_stack_size("64B") == 64);
  for (const char* nothing : {static_cast<const char*>(nullptr), "", "k", "x", "-1", "9999999999999999999G"})
    CHECK(graft::program::detail::openmp_stack_size(nothing) == 0);
}

TEST_CASE("threads that cannot be made are an error that names --threads, not the end of the program") {
  const pid_t child = ::fork();
  if (child == 0) {
    std::ifstream sizes("/proc/self/statm");
    rlim_t pages = 0;
    sizes >> pages;
    const rlim_t room = pages * 4096 + (rlim_t{1} << 28);
    const struct rlimit limit { room, room };
    ::setrlimit(RLIMIT_AS, &limit);
    try {
      graft::program::start_threads(1000, 1000);
      ::_exit(1);
    } catch (const graft::config_error& failure) {
      ::_exit(std::string(failure.what()).starts_with("--threads is 1000, but only ") ? 0 : 2);
    }
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("no more threads compute than there are processors, unless OMP_DYNAMIC is false") {
  const auto processors = graft::program::usable_processors();
  CHECK(processors >= 1);
  CHECK(processors <= omp_get_num_procs());
  const int before = omp_get_max_threads();
  ::unsetenv("OMP_DYNAMIC");  // which start_graft sets
  CHECK(graft::program::start_threads(processors + 1) == processors);
  CHECK(graft::program::start_threads(2, 1) == 1);
  CHECK(omp_get_max_threads() == 1);
  CHECK(graft::usable_threads(3) == 1);
  ::setenv("OMP_DYNAMIC", "false", 1);
  CHECK(graft::program::start_threads(2, 1) == 2);
  CHECK(graft::usable_threads(3) == std::min(3, omp_get_thread_limit()));  // of the library, too
  omp_set_num_threads(before);
  graft::limit_threads(graft_test::any_threads);
}

TEST_CASE("the default number of threads is what OMP_NUM_THREADS says, else no more than the processors that may be used") {
  const char* const set = std::getenv("OMP_NUM_THREADS");
  const std::string before = set == nullptr ? "" : set;
  std::string warning;
  ::setenv("OMP_NUM_THREADS", "3,1", 1);
  CHECK(graft::program::default_threads(warning) == 3);
  ::unsetenv("OMP_NUM_THREADS");
  const auto count = graft::program::default_threads(warning);
  CHECK(count >= 1);
  CHECK(count <= omp_get_num_procs());
  if (const auto quota = processor_quota()) CHECK(count <= *quota);
  CHECK(graft::program::default_threads(warning, 2) == std::max<std::int64_t>(1, count / 2));  // of two ranks that share them
  CHECK(warning.empty());
  if (set != nullptr) ::setenv("OMP_NUM_THREADS", before.c_str(), 1);
}
