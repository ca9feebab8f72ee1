#pragma once
// The folder of a run, as a protocol: who may write there, what is there, and what may be taken away. docs/logs.md tells it to users.
//
//   lock        before anything is read or removed; held until the program ends
//   run.json    written first (state "running", what the run was asked, what it reads, which files it may write) and last ("finished",
//               with size and digest of each file). Every name is in it before the file is there; nothing else is ever removed.
//   args.json, DONE    for others to look at

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/core/rank_group.hpp"
#include "graft/train/checkpoint.hpp"

namespace graft::program {

/// 16 hexadecimal digits over the bytes of a file, or over names and bytes of the files in a folder that an adapter may be read from.
/// @throws format_error  it cannot be read
std::string input_digest(const std::string& path);

class run_folder {
 public:
  /// Where a run begins that may have been begun before.
  enum class start : std::uint8_t {
    anew,
    from_checkpoint,
    after_training  // what was trained is saved: the rest is to be done
  };

  /// Locks the folder PATH, which is made if it is not there, and taken away again if the run does not `begin`. Of a GROUP of processes
  /// that run together the first does all that is said here; for the others `claim` is told what the first found, and they read and write
  /// nothing.
  /// @throws config_error   another run has it      @throws backend_error  it cannot be made or opened
  explicit run_folder(const std::string& path, rank_group* group = nullptr);
  ~run_folder();
  run_folder(const run_folder&) = delete;
  run_folder& operator=(const run_folder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string checkpoint() const { return file("checkpoint.safetensors"); }
  start where() const { return start_; }
  /// Whether this process is the one that writes there.
  bool writes() const { return group_ == nullptr || group_->rank() == 0; }

  /// What a run reads must lie elsewhere: a run may replace or remove what is in its folder.
  /// @param inputs  (what it is, its path)
  /// @throws config_error  one lies here, by whatever spelling or link
  void refuse_inputs(const std::vector<std::pair<std::string, std::string>>& inputs) const;

  /// Decides whether and where the run COMMAND may begin, from what is in the folder. Nothing is written or removed yet.
  /// @param args  every flag; a seed of -1 becomes that of the run to go on with, or one that is drawn
  /// @throws config_error  the folder holds a run that this one would replace, or another one, or files that are no run's
  void claim(const std::string& command, ordered_json& args, bool resume, bool force_overwrite);

  /// Takes the folder: removes the earlier run if that was asked for, and writes run.json and args.json.
  /// @param reads  digests of what the run reads, by name
  /// @throws config_error  a run that is to be gone on with has read something else      @throws backend_error  nothing can be written
  void begin(const ordered_json& args, const run_identity& reads);

  /// What `claim` found to decide the numbers of the run: the flags that do.
  run_identity asked() const;

  /// Keeps BYTES of the disk for what is saved at the end, where the file system can do that; `release`, or the run's end, gives them back.
  /// @throws backend_error  there is no room for them
  void reserve(std::int64_t bytes) const;
  void release() const;
  /// @throws backend_error  there is no room for BYTES, what `begin` will remove counted as free
  void require_disk_space(std::int64_t bytes) const;

  /// @throws backend_error  the path leads elsewhere by now: to nothing, or to a folder that is not this run's to write to
  void require_here() const;

  /// The folder for the logs of this start of the run, which is listed and not there yet; "" where this process does not write.
  std::string log_folder();

  /// The file for TensorBoard that belongs to the folder of logs, in a folder of its own with those of earlier starts.
  std::string event_file() const;

  /// All that was asked for is there.
  void finish();
  /// Training ended at STEP because of WHAT, not a finite number.
  void diverged(std::int64_t step, const std::string& what);

 private:
  void find_start(const std::string& command, ordered_json& args, bool resume, bool force_overwrite);
  void lock();
  bool is_here() const;
  backend_error disk_full(std::int64_t bytes) const;
  void remove_made();
  void claim_known(bool resume, bool force_overwrite, ordered_json& args);
  void claim_unknown(bool resume, bool force_overwrite);
  void clear();
  void remove_temporaries() const;
  void check_files() const;
  void write_state();
  ordered_json summary_of(const std::string& name) const;

  std::string path_;
  rank_group* group_;
  graft::detail::descriptor lock_;
  std::vector<std::string> made_;  // folders that were made for this one, itself first
  bool begun_ = false;
  start start_ = start::anew;
  bool clears_ = false;
  ordered_json state_;    // of run.json
  ordered_json earlier_;  // as it was found; null: there was none
};

}  // namespace graft::program
