#pragma once
// The processes that run one command together, where mpirun started several: who speaks, who writes, who ends the others.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/rank_group.hpp"

namespace graft::program {

/// Null where this process runs the command alone.
rank_group* ranks();

/// Whether this process writes files and talks: of several the first.
bool is_first_rank();

/// Joins the others that run COMMAND, if mpirun started several. From then on this process's standard output leads nowhere, and its
/// standard error, unless it is the first.
/// @throws as mpi_group::join, and ranks_differ
void join_ranks(const std::string& command);

/// @throws config_error  mpirun started several processes of COMMAND, which does not share its work
void refuse_ranks(const std::string& command);

/// Of the processors that this process may use, its share is one of so many.
std::int64_t ranks_that_share_processors();

/// What ranks have to have in common differs: the message says of which, and so needs no name in front.
class ranks_differ : public config_error {
 public:
  using config_error::config_error;
};

/// What the numbers depend on, by name, and its value or digest.
using rank_facts = std::vector<std::pair<std::string, std::string>>;

/// Compares FACTS with those of the other ranks; the names are the same everywhere, or else their number is.
/// @throws ranks_differ  on every rank, where one has other facts than the first
void require_same_on_ranks(const rank_facts& facts);

/// Before a process ends in order: waits for the others. Nothing where it is alone.
void leave_ranks();

/// What stands before the line with which this process fails, after "graft: ": "rank 2 of 4: ", or nothing. Standard error leads to where
/// it led again. Nothing is to be said where another rank has, as all do who found the same; then this does not return.
std::string begin_last_words(bool names_rank);

/// Ends all processes, where there are several.
void end_ranks(int exit_code);

}  // namespace graft::program
