#pragma once
// What the machine lets this process have: processors, threads, memory.

#include <omp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/threads.hpp"
#include "host/ranks.hpp"

namespace graft::program {

inline constexpr std::int64_t most_threads = 1024;
inline constexpr const char* threads_help =
    "Threads to compute with, no more than processors; 0: as OMP_NUM_THREADS says, else one a processor that may be used.";

namespace detail {

/// The parts of TEXT between SEPARATORs, empty ones too.
inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) c == separator ? void(parts.emplace_back()) : parts.back().push_back(c);
  return parts;
}

inline std::optional<std::int64_t> whole_number(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n')) text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// The first line of the file PATH, "" when it cannot be read.
inline std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The folders of the control groups that limit this process as CONTROLLER ("cpu", "memory"), of either version: its own and those above,
/// as far as they are mounted here. ROOT is where the file system begins: "/" but in tests.
inline std::vector<std::filesystem::path> control_groups(const std::string& controller, const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  std::optional<std::string> group[2];  // the process's group: version 1, version 2
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "4:cpu,cpuacct:/group" or "0::/group"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto names = split(line.substr(first + 1, second - first - 1), ',');
    if (names == std::vector<std::string>{""}) group[1] = line.substr(second + 1);
    if (std::find(names.begin(), names.end(), controller) != names.end()) group[0] = line.substr(second + 1);
  }
  std::vector<fs::path> folders;
  std::ifstream mounts(root / "proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {  // "36 35 98:0 ROOT MOUNT_POINT options [more] - TYPE source options"
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const auto before = split(line.substr(0, dash), ' '), after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3 || (after[0] != "cgroup" && after[0] != "cgroup2")) continue;
    const int version = after[0] == "cgroup2" ? 1 : 0;
    const auto options = split(after[2], ',');
    if (!group[version] || (version == 0 && std::find(options.begin(), options.end(), controller) == options.end())) continue;
    // What is mounted is the group ROOT with all below it. A group that is not below it, seen from inside a container, is ROOT itself.
    const std::string mounted = before[3] == "/" ? "" : before[3];
    std::string below = *group[version];
    below = below == mounted || below.starts_with(mounted + "/") ? below.substr(mounted.size()) : "";
    std::string mount_point = before[4];
    for (std::size_t at = 0; (at = mount_point.find("\\040", at)) != std::string::npos;) mount_point.replace(at, 4, " ");
    const fs::path top = root / fs::path(mount_point).relative_path();
    fs::path folder = top;
    folders.push_back(folder);
    for (const auto& part : fs::path(below).relative_path()) {
      if (part == ".." || part.empty()) break;
      folders.push_back(folder /= part);
    }
  }
  return folders;
}

}  // namespace detail

/// The processors' worth of time that control groups let this process have, rounded up; nothing when they set no limit.
inline std::optional<std::int64_t> processor_quota(const std::filesystem::path& root = "/") {
  std::optional<std::int64_t> least;
  for (const auto& folder : detail::control_groups("cpu", root)) {
    std::optional<std::int64_t> quota, period;
    const auto both = detail::split(detail::first_line(folder / "cpu.max"), ' ');  // "max 100000", "150000 100000"
    if (both.size() == 2) {
      quota = detail::whole_number(both[0]);
      period = detail::whole_number(both[1]);
    } else {
      quota = detail::whole_number(detail::first_line(folder / "cpu.cfs_quota_us"));  // -1: no limit
      period = detail::whole_number(detail::first_line(folder / "cpu.cfs_period_us"));
    }
    if (!quota || !period || *quota <= 0 || *period <= 0) continue;
    const std::int64_t processors = (*quota - 1) / *period + 1;
    least = std::min(least.value_or(processors), processors);
  }
  return least;
}

/// The bytes of memory that this process may have: what the machine has, or less by its control groups or `ulimit -v`.
inline double memory_limit(const std::filesystem::path& root = "/") {
  double least = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  for (const auto& folder : detail::control_groups("memory", root)) {
    for (const char* name : {"memory.max", "memory.limit_in_bytes"}) {  // "max", or about 2^63, where there is no limit
      const auto bytes = detail::whole_number(detail::first_line(folder / name));
      if (bytes && *bytes > 0) least = std::min(least, static_cast<double>(*bytes));
    }
  }
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) least = std::min(least, static_cast<double>(limit.rlim_cur));
  return least;
}

inline constexpr const char* less_memory =
    "a smaller --train_batch_size, --micro_batch_tokens, --eval_batch_size or --max_seq_length, or fewer --threads, need less";

/// The number of threads that OMP_NUM_THREADS (VALUE; null when it is not set) names: the first of a list counts. Nothing when it names
/// none; WARNING says so then, unless it is empty.
inline std::optional<std::int64_t> named_threads(const char* value, std::string& warning) {
  if (value == nullptr || std::string_view(value).find_first_not_of(' ') == std::string_view::npos) return {};
  const auto count = detail::whole_number(detail::split(value, ',').front());
  if (count && *count >= 1 && *count <= most_threads) return count;
  warning = "OMP_NUM_THREADS is \"" + printable(value) + "\", a number from 1 to " + std::to_string(most_threads) +
            " was expected: it is ignored; --threads names a number too";
  return {};
}

/// How many processors this process may use: those of its affinity, and of the quota of its control groups.
inline std::int64_t usable_processors() {
  const std::int64_t processors = omp_get_num_procs();
  return std::clamp<std::int64_t>(processor_quota().value_or(processors), 1, std::min(processors, most_threads));
}

/// The number of threads to compute with when --threads does not say: as OMP_NUM_THREADS names, else one for each processor that this
/// process may use, of which it is one of SHARING. WARNING as in named_threads.
inline std::int64_t default_threads(std::string& warning, std::int64_t sharing = 1) {
  if (const auto named = named_threads(std::getenv("OMP_NUM_THREADS"), warning)) return *named;
  return std::max<std::int64_t>(usable_processors() / sharing, 1);
}

namespace detail {

/// The size of a thread's stack that OMP_STACKSIZE asks for ("512k", "4 M"; kibibytes when no unit is named), 0 when it is not set.
inline std::size_t openmp_stack_size(const char* value) {
  std::string text = value == nullptr ? "" : value;
  while (!text.empty() && text.back() == ' ') text.pop_back();
  std::size_t unit = 1024;
  const std::string_view units = "bkmg";
  if (!text.empty()) {
    const std::size_t found = units.find(static_cast<char>(text.back() | 0x20));
    if (found != std::string_view::npos) {
      unit = std::size_t{1} << (10 * found);
      text.pop_back();
    }
  }
  const auto size = whole_number(text);
  return size && *size > 0 && *size < INT64_MAX / static_cast<std::int64_t>(unit) ? static_cast<std::size_t>(*size) * unit : 0;
}

/// How many of COUNT threads, with stacks as OpenMP gives them, can be there at once; REASON says why not all.
inline std::int64_t possible_threads(std::int64_t count, std::string& reason) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  const std::size_t stack = openmp_stack_size(std::getenv("OMP_STACKSIZE"));
  if (stack > 0) ::pthread_attr_setstacksize(&attributes, stack);
  struct gate {
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
  } all;
  const auto wait = [](void* shared) -> void* {
    auto& g = *static_cast<gate*>(shared);
    std::unique_lock lock(g.mutex);
    g.opened.wait(lock, [&] { return g.open; });
    return nullptr;
  };
  std::vector<pthread_t> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    pthread_t thread;
    const int failure = ::pthread_create(&thread, &attributes, wait, &all);
    if (failure != 0) {
      reason = std::strerror(failure);
      break;
    }
    threads.push_back(thread);
  }
  {
    const std::lock_guard lock(all.mutex);
    all.open = true;
  }
  all.opened.notify_all();
  for (const pthread_t thread : threads) ::pthread_join(thread, nullptr);
  ::pthread_attr_destroy(&attributes);
  return static_cast<std::int64_t>(threads.size());
}

}  // namespace detail

/// The number of threads to compute with where --threads says WANTED (0: the default), no more than PROCESSORS, which becomes the limit of
/// core/threads.hpp, unless OMP_DYNAMIC is false; they are started at once, since OpenMP ends the program when it cannot start one later.
/// Words about what counts go to standard error.
/// @throws config_error  so many threads cannot be made
inline std::int64_t start_threads(std::int64_t wanted, std::int64_t processors = usable_processors()) {
  std::string warning;
  std::int64_t count = wanted > 0 ? wanted : default_threads(warning, ranks_that_share_processors());
  if (!warning.empty()) std::cerr << "graft: " << warning << '\n';
  const char* const dynamic = std::getenv("OMP_DYNAMIC");
  const std::int64_t limit = std::max(1, omp_get_thread_limit());
  const std::int64_t most = dynamic != nullptr && std::string_view(dynamic) == "false" ? limit : std::min(limit, processors);
  if (count > most && wanted > 0) {
    std::cerr << "graft: --threads is " << count << (limit == most ? ", OMP_THREAD_LIMIT allows " : ", processors that may be used: ")
              << most << (limit == most ? ": it counts\n" : "; as many threads compute\n");
  }
  limit_threads(static_cast<int>(most));
  count = usable_threads(static_cast<int>(std::min(count, most)));
  std::string reason;
  const std::int64_t possible = 1 + detail::possible_threads(count - 1, reason);
  if (possible < count) {
    throw config_error("--threads is " + std::to_string(count) + (wanted > 0 ? "" : " (not given: one a processor)") + ", but only " +
                       std::to_string(possible) + " can be started here (" + reason +
                       "): give fewer --threads, a smaller OMP_STACKSIZE, or more room (ulimit -u, ulimit -v, the container's limits)");
  }
  omp_set_num_threads(static_cast<int>(count));
#pragma omp parallel num_threads(static_cast <int>(count))
  {}
  return count;
}

}  // namespace graft::program
