#include "host/ranks.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <thread>

#include "graft/core/printable.hpp"
#include "graft/version.hpp"
#include "host/mpi_group.hpp"
#include "host/stop.hpp"

namespace graft::program {
namespace {

std::unique_ptr<mpi_group>& joined() {
  static std::unique_ptr<mpi_group> group;
  return group;
}

int& original_stderr() {  // standard error as it was
  static int descriptor = -1;
  return descriptor;
}

std::string processor() {
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);) {
    if (line.starts_with("model name") && line.find(": ") != line.npos) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

void be_silent() {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  original_stderr() = ::fcntl(2, F_DUPFD_CLOEXEC, 3);
  for (const int stream : {1, 2}) {
    if (nowhere >= 0) ::dup2(nowhere, stream);
  }
  if (nowhere >= 0) ::close(nowhere);
}

}  // namespace

rank_group* ranks() { return joined() && joined()->size() > 1 ? joined().get() : nullptr; }

bool is_first_rank() { return ranks() == nullptr || ranks()->rank() == 0; }

void join_ranks(const std::string& command) {
  joined() = mpi_group::join();
  if (ranks() == nullptr) return;
  if (!is_first_rank()) be_silent();
  stop_requested();
  std::ostringstream version;
  version << GRAFT_VERSION_MAJOR << '.' << GRAFT_VERSION_MINOR << '.' << GRAFT_VERSION_PATCH;
  require_same_on_ranks({{"the version of graft", version.str()}, {"the sub-command", command}});
  const auto processors = gather_texts(*ranks(), processor());
  for (std::size_t r = 1; r < processors.size(); ++r) {
    if (processors[r] == processors[0]) continue;
    std::cerr << "graft: rank " << r << " has another processor (" << printable(processors[r]) << ") than rank 0 ("
              << printable(processors[0]) << "): the last bits may not be those of one process\n";
    break;
  }
}

void refuse_ranks(const std::string& command) {
  if (!mpi_group::several()) return;
  throw config_error(
      command +
      " is work of one process, and mpirun or srun started several: start it without (train-adapter, train-multi-adapter, predict, "
      "evaluate and embed share theirs)");
}

std::int64_t ranks_that_share_processors() { return ranks() == nullptr ? 1 : joined()->sharing(); }

void require_same_on_ranks(const rank_facts& facts) {
  if (ranks() == nullptr) return;
  std::string facts_text;
  const auto one_line = [](const std::string& text) { return printable(text, 4000); };
  for (const auto& [name, value] : facts) facts_text += one_line(name) + '\t' + one_line(value) + '\n';
  const auto all = gather_texts(*ranks(), facts_text);
  for (std::size_t r = 1; r < all.size(); ++r) {
    std::istringstream first(all[0]), other(all[r]);
    for (std::string expected, found;; expected.clear(), found.clear()) {
      const bool one = static_cast<bool>(std::getline(first, expected)), two = static_cast<bool>(std::getline(other, found));
      if (!one && !two) break;
      if (expected == found) continue;
      const auto name = [](const std::string& line) { return line.substr(0, line.find('\t')); };
      const auto value = [](const std::string& line) { return line.substr(line.find('\t') + 1); };
      const bool same_fact = one && two && name(expected) == name(found);
      const std::string text = same_fact ? name(expected) + " is " + value(found) + " there, and " + value(expected) + " on rank 0"
                               : one     ? name(expected) + " (" + value(expected) + " on rank 0) is not there"
                                         : name(found) + " (" + value(found) + ") is there, and not on rank 0";
      throw ranks_differ("rank " + std::to_string(r) + " of " + std::to_string(all.size()) + ": " + text +
                         "; every rank needs the same program, flags and files");
    }
  }
}

void leave_ranks() {
  if (joined()) joined()->leave();
}

std::string begin_last_words(bool names_rank) {
  if (ranks() == nullptr) return "";
  // mpirun ends this process as soon as another has said why.
  const bool before = stop_requested();
  const auto waits = [&](int milliseconds) {
    for (int waited = 0; waited < milliseconds; waited += 10) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      if (!before && stop_requested()) std::_Exit(1);
    }
  };
  if (!is_first_rank()) waits(500 + 20 * std::min(ranks()->rank(), 50));  // who fails for a reason that all have lets the first say it
  if (!joined()->claim_last_words()) {
    waits(2000);
    if (is_first_rank()) be_silent();
  } else if (original_stderr() >= 0) {
    ::dup2(original_stderr(), 2);
  }
  return names_rank ? "rank " + std::to_string(ranks()->rank()) + " of " + std::to_string(ranks()->size()) + ": " : "";
}

void end_ranks(int exit_code) {
  if (joined()) joined()->abort(exit_code);
}

}  // namespace graft::program
