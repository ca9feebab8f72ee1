#include "run/run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "graft/io/model_file.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/version.hpp"
#include "run/log_writer.hpp"

namespace graft::program {
namespace {

namespace fs = std::filesystem;

/// All that a run may write besides run.json and its logs.
constexpr const char* file_names[] = {"args.json",
                                      "checkpoint.safetensors",
                                      ".reserved",
                                      "model.safetensors",
                                      "model_full.safetensors",
                                      "val_metrics.json",
                                      "val_preds.csv",
                                      "val_report.json",
                                      "val_mismatched_metrics.json",
                                      "val_mismatched_preds.csv",
                                      "val_mismatched_report.json",
                                      "test_preds.csv",
                                      "test_predictions.tsv",
                                      "test_mismatched_preds.csv",
                                      "test_mismatched_predictions.tsv",
                                      "DONE"};
constexpr const char* event_files = "tensorboard/events.out.tfevents.";  // and the name of the folder of logs that they belong to
constexpr const char* log_names[] = {"loss_train.zlog", "train_val.zlog", "train_val_best.zlog", "weights.zlog", "errors.zlog"};

/// Flags that may differ between the starts of a run: they change no number, or what they name is compared by what it holds.
constexpr const char* free_flags[] = {"resume",
                                      "force_overwrite",
                                      "ZZsrc",
                                      "save_every_steps",
                                      "tensorboard",
                                      "output_dir",
                                      "do_val",
                                      "do_test",
                                      "do_save",
                                      "do_save_full",
                                      "threads",
                                      "prefix_cache",
                                      "eval_batch_size",
                                      "model_path",
                                      "model_type",
                                      "model_config_path",
                                      "model_tokenizer_path",
                                      "task_config_path",
                                      "adapter_weights_path",
                                      "adapter_exclude",
                                      "adapter_init_path",
                                      "no_cuda",
                                      "fp16",
                                      "fp16_opt_level",
                                      "local_rank",
                                      "server_ip",
                                      "server_port",
                                      "model_load_mode",
                                      "model_save_mode"};

bool is_free(const std::string& flag) { return std::find(std::begin(free_flags), std::end(free_flags), flag) != std::end(free_flags); }

/// Whether an adapter may be read from FILE in its folder: a card or what a file manager leaves changes no number.
bool is_read(const fs::path& file) {
  const std::string kind = file.extension().string();
  return !file.filename().string().starts_with('.') && (kind == ".json" || kind == ".safetensors");
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

bool is_regular(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::string digest_of_file(const std::string& path) {
  input_stream stream(path);
  std::string block(1 << 16, '\0');
  fnv1a hash;
  while (const std::size_t got = stream.read(block.data(), block.size())) hash.add(std::string_view(block).substr(0, got));
  return hash.text();
}

/// Whether ARGS came from a run of a graft that did not write run.json yet: its own flags are there, and nobody else has them all.
bool is_of_earlier_graft(const std::string& path) {
  try {
    const auto args = read_json(path);
    if (!args.is_object()) return false;
    for (const char* name : {"task_config_path", "output_dir", "threads", "resume", "do_save_full", "save_every_steps"}) {
      if (!args.contains(name)) return false;
    }
    return true;
  } catch (const format_error&) {
    return false;
  }
}

/// Folders with logs of a run, and nothing else, in FOLDER, named by the second in which they were made.
ordered_json earlier_logs(const std::string& folder) {
  ordered_json found = ordered_json::array();
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_symlink() || !entry.is_directory() || name.find_first_not_of("0123456789") != name.npos) continue;
    const bool logs_alone = std::all_of(fs::directory_iterator(entry), fs::directory_iterator(), [](const fs::directory_entry& log) {
      const std::string log_name = log.path().filename().string();
      return is_regular(log.path().string()) &&
             std::any_of(std::begin(log_names), std::end(log_names), [&](const char* known) { return log_name == known; });
    });
    if (logs_alone) found.push_back(name);
  }
  return found;
}

}  // namespace

std::string input_digest(const std::string& path) {
  if (!fs::is_directory(path)) return digest_of_file(path);
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.is_regular_file() && is_read(entry.path())) files[entry.path().filename().string()] = digest_of_file(entry.path().string());
  }
  fnv1a hash;
  for (const auto& [name, digest] : files) hash.add(name + "\n" + digest + "\n");
  return hash.text();
}

run_folder::run_folder(const std::string& path, rank_group* group) : path_(path), group_(group) {
  if (!writes()) return;
  fs::path at = fs::absolute(path).lexically_normal();
  if (!at.has_filename()) at = at.parent_path();
  for (; !exists(at.string()) && at != at.root_path(); at = at.parent_path()) made_.push_back(at.string());
  for (;;) {
    try {
      make_folder(path_);
    } catch (...) {
      remove_made();
      throw;
    }
    lock();
    if (is_here()) return;  // another run may have taken its folder away between the two
  }
}

run_folder::~run_folder() {
  if (writes()) begun_ ? release() : remove_made();
}

/// Takes away what was made for a run that does not begin, the innermost folder first, while its lock is held.
void run_folder::remove_made() {
  for (const std::string& folder : made_) {
    if (::rmdir(folder.c_str()) != 0 && errno != ENOENT) break;
  }
}

void run_folder::lock() {
  lock_ = graft::detail::descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock_) throw backend_error(path_ + ": cannot be opened: " + std::strerror(errno) + "; choose another --output_dir");
  if (::flock(lock_.number(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;  // not every file system has locks
  throw config_error(path_ + ": another run is writing there; wait for it, or choose another --output_dir");
}

void run_folder::refuse_inputs(const std::vector<std::pair<std::string, std::string>>& inputs) const {
  if (!writes()) return;
  const fs::path here = fs::canonical(path_);
  for (const auto& [what, path] : inputs) {
    std::error_code none;
    const fs::path real = fs::canonical(path, none);
    if (path.empty() || none) continue;  // its reader will say what is wrong
    const auto lies_here = [&](const fs::path& real_path) {
      return std::mismatch(here.begin(), here.end(), real_path.begin(), real_path.end()).first == here.end();
    };
    bool found = lies_here(real);
    if (fs::is_directory(real, none)) {  // whose files may be links
      for (const auto& entry : fs::directory_iterator(real, none)) {
        if (!entry.is_symlink(none)) continue;
        const fs::path target = fs::canonical(entry.path(), none);
        found = found || (!none && fs::is_regular_file(target, none) && lies_here(target));
      }
    }
    if (!found) continue;
    throw config_error(path_ + ": " + what + ", which the run is to read, lies there (" + path +
                       "), and a run may replace what is in its folder; choose another --output_dir");
  }
}

void run_folder::claim(const std::string& command, ordered_json& args, bool resume, bool force_overwrite) {
  if (writes()) find_start(command, args, resume, force_overwrite);
  if (group_ == nullptr) return;
  const ordered_json found{{"seed", args.value("seed", std::int64_t{0})}, {"start", static_cast<int>(start_)}};
  const json told = json::parse(text_of_first_rank(*group_, found.dump()));
  args["seed"] = told["seed"];
  start_ = static_cast<start>(told["start"].get<int>());
}

/// What `claim` does where nobody else is.
void run_folder::find_start(const std::string& command, ordered_json& args, bool resume, bool force_overwrite) {
  for (const char* name : file_names) {
    if (!exists(file(name)) || is_regular(file(name))) continue;
    throw config_error(file(name) + ": is a link or a folder, which no run makes; take it away, or choose another --output_dir");
  }
  state_ = {{"graft_run", 1},
            {"state", "running"},
            {"command", command},
            {"version",
             std::to_string(GRAFT_VERSION_MAJOR) + "." + std::to_string(GRAFT_VERSION_MINOR) + "." + std::to_string(GRAFT_VERSION_PATCH)},
            {"asked", ordered_json::object()},
            {"reads", ordered_json::object()},
            {"temporaries", ordered_json::array({process_token()})},
            {"logs", ordered_json::array()},
            {"files", ordered_json::object()}};
  for (const auto& [name, value] : args.items()) {
    if (!is_free(name)) state_["asked"][name] = value;
    if (name == "prefix_cache") state_["asked"][name] = value != "";  // where it is changes no number
  }
  if (!exists(file("run.json"))) {
    claim_unknown(resume, force_overwrite);
  } else {
    try {
      if (!is_regular(file("run.json"))) throw format_error(file("run.json"), "is no file");
      earlier_ = read_json<ordered_json>(file("run.json"));
      if (required<int>(earlier_, "graft_run", path_) != 1) throw format_error(file("run.json"), "is of a later version");
      for (const char* text : {"state", "command"}) required<std::string>(earlier_, text, path_);
      for (const char* object : {"asked", "files", "reads"}) {
        if (!required<ordered_json>(earlier_, object, path_).is_object())
          throw format_error(file("run.json"), "has a field that is no object");
      }
      for (const char* list : {"temporaries", "logs"}) {
        for (const auto& name : required<std::vector<std::string>>(earlier_, list, path_)) {
          if (name.empty() || name.find_first_not_of("0123456789abcdef") != name.npos)
            throw format_error(file("run.json"), "has a strange name");
        }
      }
      for (const auto& [name, about] : earlier_["files"].items()) {
        const bool known = std::find(std::begin(file_names), std::end(file_names), name) != std::end(file_names);
        if (!known || !(about.is_null() || about.is_object())) throw format_error(file("run.json"), "has a strange file");
      }
    } catch (const format_error&) {
      throw config_error(file("run.json") + ": is not one that a run of this version of graft wrote; choose another --output_dir");
    }
    claim_known(resume, force_overwrite, args);
  }
  if (args.value("seed", std::int64_t{0}) == -1)
    args["seed"] = state_["asked"]["seed"] = static_cast<std::int64_t>(std::random_device{}() & 0x7fffffffU);
  // A run that goes on, or is begun again over nothing but its logs, keeps what is listed.
  if (!clears_ && !earlier_.is_null()) {
    state_["logs"] = earlier_["logs"];
    state_["files"] = earlier_["files"];
  }
}

/// A folder without run.json: new, somebody else's, or of an earlier version of graft.
void run_folder::claim_unknown(bool resume, bool force_overwrite) {
  const bool args_there = exists(file("args.json"));
  const bool earlier_graft = args_there && is_of_earlier_graft(file("args.json"));
  std::string held;
  for (const char* name : file_names) {
    if (exists(file(name)) && (held.empty() || std::string(name) == "DONE") && std::string(name) != "args.json") held = name;
  }
  if (!earlier_graft && (args_there || !held.empty())) {
    throw config_error(path_ + ": holds " + (held.empty() ? "an args.json" : held) +
                       ", but no run.json of a run that left it; choose another --output_dir");
  }
  if (earlier_graft && !held.empty() && !force_overwrite) {
    throw config_error(path_ + ": holds " +
                       (held == "DONE" ? "a finished run"
                                       : "a run of an earlier version of graft (" + held +
                                             ", but no run.json that says what it was trained on), with which this one cannot go on") +
                       "; choose another --output_dir, or give --force_overwrite to replace it");
  }
  if (resume) throw config_error(path_ + ": holds no checkpoint.safetensors to resume from; leave --resume out to start");
  clears_ = earlier_graft && force_overwrite;
  if (!earlier_graft) return;
  earlier_ = state_;
  earlier_["logs"] = earlier_logs(path_);
  for (const char* name : file_names) {
    if (exists(file(name))) earlier_["files"][name] = nullptr;
  }
}

/// Files that a finished run lists are still those it wrote: others are not ours to remove.
void run_folder::check_files() const {
  for (const auto& [name, about] : earlier_["files"].items()) {
    if (about.is_null() || !exists(file(name))) continue;
    if (about != summary_of(name)) {
      throw config_error(file(name) + ": is not the file that the run in this folder wrote; move it away, or choose another --output_dir");
    }
  }
}

void run_folder::claim_known(bool resume, bool force_overwrite, ordered_json& args) {
  const std::string state = earlier_["state"];
  const auto replace = [&] {
    check_files();
    clears_ = true;
  };
  if (state == "clearing") {
    if (force_overwrite && !resume) return replace();
    throw config_error(path_ + ": holds what is left of a run that --force_overwrite was replacing; give --force_overwrite without " +
                       "--resume to remove the rest, or choose another --output_dir");
  }
  const bool done = exists(file("DONE")) && earlier_["files"].contains("DONE");
  if (state == "finished" || (state == "running" && done)) {
    if (force_overwrite && !resume) return replace();
    throw config_error(path_ + ": holds a finished run; choose another --output_dir, or give --force_overwrite" +
                       (resume ? " without --resume" : "") + " to replace it");
  }
  if (state == "diverged") {
    if (force_overwrite && !resume) return replace();
    throw config_error(path_ + ": holds a run that diverged (" + earlier_.value("ended", "") +
                       "), and the same steps would lead there again; choose another --output_dir and a lower --learning_rate or more " +
                       "warm-up, or give --force_overwrite without --resume to replace it");
  }
  const bool saved = (earlier_["files"].contains("model.safetensors") && exists(file("model.safetensors"))) ||
                     (earlier_["files"].contains("model_full.safetensors") && exists(file("model_full.safetensors")));
  const bool stopped = earlier_["files"].contains("checkpoint.safetensors") && exists(checkpoint());
  if (force_overwrite && !resume) return replace();
  if (resume && !saved && !stopped) {
    throw config_error(path_ + ": holds no checkpoint.safetensors to resume from; leave --resume out to start");
  }
  if (stopped && !saved && !resume) {
    throw config_error(path_ + ": holds a run that was stopped; give --resume to go on, or --force_overwrite to start anew");
  }
  // Going on: the same run, or none.
  if (const auto seed = earlier_["asked"].find("seed"); args.value("seed", std::int64_t{0}) == -1 && seed != earlier_["asked"].end())
    args["seed"] = state_["asked"]["seed"] = *seed;
  if (earlier_["command"] != state_["command"]) {
    throw config_error(path_ + ": holds a run of " + earlier_["command"].get<std::string>() + "; choose another --output_dir, or give " +
                       "--force_overwrite without --resume to replace it");
  }
  for (const auto& [name, value] : state_["asked"].items()) {
    const auto before = earlier_["asked"].find(name);
    if (before == earlier_["asked"].end() || *before == value) continue;
    throw config_error((resume ? "--resume: --" : "--") + name + " is " + value.dump() + ", the run in " + path_ + " was started with " +
                       before->dump() + "; give the same flags to go on" +
                       (name == "precision" && before->get<std::string>().find('+') == std::string::npos
                            ? ", --precision " + before->get<std::string>() + " where it was auto, which is not the same on every machine"
                            : "") +
                       ", or another --output_dir");
  }
  start_ = saved ? start::after_training : stopped ? start::from_checkpoint : start::anew;
}

run_identity run_folder::asked() const {
  run_identity all;
  if (!writes()) return all;
  for (const auto& [name, value] : state_["asked"].items()) all[name] = value.dump();
  return all;
}

void run_folder::begin(const ordered_json& args, const run_identity& reads) {
  if (!writes()) return;
  state_["reads"] = reads;
  if (!clears_ && !earlier_.is_null()) {
    const std::string changed = changed_since(earlier_["reads"].get<run_identity>(), reads);
    if (!changed.empty()) {
      throw config_error(path_ + ": the run there was started with something else: " + changed +
                         "; put it back to go on, or choose another --output_dir");
    }
  }
  begun_ = true;
  remove_temporaries();
  if (clears_) clear();
  for (const char* name : file_names) {
    if (!state_["files"].contains(name)) state_["files"][name] = nullptr;
  }
  write_state();
  ordered_json written = args;
  for (const char* once : {"resume", "force_overwrite"})
    written.erase(once);  // meant for this start: who reads the file back starts another
  write_file(file("args.json"), written.dump(2) + "\n");
}

/// What killed processes left half-written.
void run_folder::remove_temporaries() const {
  for (const auto& entry : fs::directory_iterator(path_)) {  // those of run.json itself, which a first start may not have come to list
    const std::string name = entry.path().filename().string();
    const std::string before = ".run.json.", after = ".tmp";
    if (name.size() != before.size() + process_token().size() + after.size() || !name.starts_with(before) || !name.ends_with(after))
      continue;
    if (name.find_first_not_of("0123456789abcdef", before.size()) == name.size() - after.size()) ::unlink(entry.path().c_str());
  }
  if (earlier_.is_null()) return;
  for (const std::string token : earlier_["temporaries"]) {
    for (const char* name : file_names) ::unlink(temporary_name(file(name), token).c_str());
  }
}

void run_folder::clear() {
  ordered_json clearing = earlier_;
  clearing["state"] = "clearing";
  std::swap(clearing, state_);
  write_state();
  std::swap(clearing, state_);
  for (const auto& [name, about] : earlier_["files"].items()) {
    if (!is_regular(file(name)) || ::unlink(file(name).c_str()) == 0) continue;
    throw backend_error(file(name) + ": cannot be removed: " + std::strerror(errno));
  }
  for (const std::string name : earlier_["logs"]) {
    struct stat status {};
    if (::lstat(file(name).c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) continue;
    for (const char* log : log_names) ::unlink((file(name) + "/" + log).c_str());
    ::rmdir(file(name).c_str());  // stays when somebody has put something there
  }
  if (struct stat status{}; ::lstat(file("tensorboard").c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    for (const std::string name : earlier_["logs"]) ::unlink(file(event_files + name).c_str());
    ::rmdir(file("tensorboard").c_str());
  }
}

void run_folder::reserve(std::int64_t bytes) const {
  if (!writes()) return;
  require_disk_space(bytes);  // a file system may fill itself up before it says that it is full
  const graft::detail::descriptor reserved(::openat(lock_.number(), ".reserved", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!reserved || ::fallocate(reserved.number(), 0, 0, bytes) == 0 || (errno != ENOSPC && errno != EDQUOT))
    return;  // not every file system can
  release();
  throw disk_full(bytes);
}

void run_folder::require_disk_space(std::int64_t bytes) const {
  if (!writes()) return;
  std::uint64_t cleared = 0;
  for (const char* name : file_names) {
    struct stat status {};
    if (!clears_ || !earlier_["files"].contains(name)) continue;
    if (::lstat(file(name).c_str(), &status) == 0) cleared += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  struct statvfs disk {};
  if (::statvfs(path_.c_str(), &disk) == 0 && static_cast<std::uint64_t>(bytes) / disk.f_frsize >= disk.f_bavail + cleared / disk.f_frsize)
    throw disk_full(bytes);
}

backend_error run_folder::disk_full(std::int64_t bytes) const {
  return backend_error(path_ + ": has no room for the " + std::to_string((bytes + 999'999) / 1'000'000) +
                       " MB that are saved at the end; make room, or choose another --output_dir");
}

void run_folder::release() const {
  if (writes()) ::unlinkat(lock_.number(), ".reserved", 0);
}

void run_folder::require_here() const {
  if (!writes() || is_here()) return;
  std::error_code none;
  const std::string now = fs::read_symlink("/proc/self/fd/" + std::to_string(lock_.number()), none).string();
  const bool known = !now.empty() && fs::is_directory(now, none);
  throw backend_error(path_ + ": is no longer the folder of this run, which " +
                      (known ? "was moved to " + now : std::string("was removed")) + ": nothing more was written" +
                      (known ? "; move it back, and --resume goes on from its last checkpoint, if it has one" : ""));
}

/// Whether the path leads to the folder that is locked.
bool run_folder::is_here() const {
  struct stat here {
  }, locked{};
  return ::stat(path_.c_str(), &here) == 0 && ::fstat(lock_.number(), &locked) == 0 && here.st_ino == locked.st_ino &&
         here.st_dev == locked.st_dev;
}

std::string run_folder::log_folder() {
  if (!writes()) return "";
  std::int64_t second = std::time(nullptr);
  for (const std::string earlier : state_["logs"]) {  // names sort by start, though the clock be set back
    if (earlier.size() < 18) second = std::max<std::int64_t>(second, std::strtoll(earlier.c_str(), nullptr, 10) + 1);
  }
  while (exists(file(std::to_string(second)))) ++second;  // two starts in one second: the later one takes the next free name
  state_["logs"].push_back(std::to_string(second));
  write_state();
  return file(std::to_string(second));
}

std::string run_folder::event_file() const { return file(event_files + state_["logs"].back().get<std::string>()); }

void run_folder::finish() {
  if (!writes()) return;
  require_here();
  write_file(file("DONE"), "");
  ::unlink(checkpoint().c_str());  // no sooner: until DONE is there, the run may have to go on from it
  ordered_json written = ordered_json::object();
  for (const auto& [name, about] : state_["files"].items()) {
    if (exists(file(name))) written[name] = summary_of(name);
  }
  state_["files"] = std::move(written);
  state_["state"] = "finished";
  write_state();
}

void run_folder::diverged(std::int64_t step, const std::string& what) {
  if (!writes()) return;
  state_["state"] = "diverged";
  state_["ended"] = "step " + std::to_string(step) + ": " + what;
  write_state();
}

ordered_json run_folder::summary_of(const std::string& name) const {
  return {{"size", fs::file_size(file(name))}, {"digest", digest_of_file(file(name))}};
}

void run_folder::write_state() {
  require_here();
  write_file(file("run.json"), state_.dump(2) + "\n");
}

}  // namespace graft::program
