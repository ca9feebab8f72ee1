#pragma once
// Files as the rest of graft needs them: read whole or as they come, mapped, or written under another name and renamed.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/mapping.hpp"

namespace graft {

/// Whether anything has the name PATH, even a link that leads nowhere: opening it then says what is the matter with it.
bool is_there(const std::filesystem::path& path);
/// Whether PATH is a folder, or leads to one; a path that cannot be, being too long for one, is none.
bool is_folder(const std::filesystem::path& path);

namespace detail {

/// Closes itself.
class descriptor {
 public:
  explicit descriptor(int number = -1) : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept;
  ~descriptor();
  int number() const noexcept { return number_; }
  explicit operator bool() const noexcept;
  /// False, and errno set, when what was written could not be stored.
  bool close() noexcept;

 private:
  int number_;
};

/// Refuses what downloads leave in place of a file, whatever the file was to be: START are the first bytes of PATH.
/// @throws format_error  a Git LFS pointer, a web page, or a compressed file
void refuse_stand_in(std::string_view start, const std::string& path);

}  // namespace detail

/// A file mapped read-only into memory for as long as the object lives.
/// @throws format_error  the path is missing, a directory, pipe, socket or device, or cannot be opened or mapped
class mapped_file {
 public:
  explicit mapped_file(const std::string& path);
  mapped_file(mapped_file&& other) noexcept
      : path_(std::move(other.path_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        opened_(std::move(other.opened_)),
        mapping_(std::exchange(other.mapping_, nullptr)) {}
  mapped_file& operator=(mapped_file&& other) noexcept;
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file();

  const std::string& path() const noexcept { return path_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::string_view text() const noexcept;

  /// Whether PART, not empty, lies in this mapping.
  bool holds(std::span<const std::byte> part) const noexcept;
  /// PART of this mapping is not needed for a while: its pages leave this process, and come again from the file when they are read.
  void release_pages(std::span<const std::byte> part) const noexcept;
  /// Copies PART of this mapping to TO without its pages coming into this process, and those around them. False: nothing was copied,
  /// as from a file of less than 32 MiB, or because it could not be read.
  bool copy(std::span<const std::byte> part, void* to) const noexcept;

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  detail::descriptor opened_;
  mapping_registry::entry* mapping_ = nullptr;
};

/// A file, or a pipe or device, for which /dev/stdin and what a shell makes of <(COMMAND) stand, read as it comes.
/// @throws format_error  it is not there, a directory, or a pipe that nobody opens to write for ten seconds; reading fails
class input_stream {
 public:
  explicit input_stream(const std::string& path);

  /// Reads up to COUNT bytes to INTO; how many they were, 0 at the end.
  std::size_t read(char* into, std::size_t count);
  /// Whether, within MILLISECONDS, there is something to read, or the end.
  bool wait(int milliseconds) const;
  const std::string& path() const noexcept { return path_; }

 private:
  [[noreturn]] void fail() const;

  std::string path_;
  detail::descriptor opened_;
  std::string early_;  // what was read to see whether there is a writer
};

/// Numbers that lie in a mapped file, which stays mapped as long as they are kept.
template <class T>
struct mapped_numbers {
  std::shared_ptr<const mapped_file> file;
  const T* data = nullptr;
};

/// The whole file as a string.
/// @throws format_error  as mapped_file, or reading fails
std::string read_file(const std::string& path);

/// Makes a folder and its parents.
/// @throws backend_error  it cannot be made (no permission, a file stands in the way, a read-only or full disk); HELP says what gives
///                        another one, where that is not the folder of the output
void make_folder(const std::string& path, const remedy& help = {});

/// What this process puts into the names of its unfinished files: 16 hexadecimal digits that no other process has.
const std::string& process_token();

/// Where `atomic_file` writes what will become PATH in the process with TOKEN, or where it goes if that is taken.
std::string temporary_name(const std::string& path, const std::string& token);

/// Writes PATH under another name in the same folder and renames it in `commit()`, so a reader never meets a half-written file, and what
/// stood at PATH is there until the new one is on the disk. Without `commit()` it stays. A process that is killed leaves
/// `temporary_name(PATH, process_token())` at worst.
///
/// What is replaced keeps its mode, and its owner where this process may give files away. A link stays a link: what it leads to is
/// replaced, or made if nothing is there. A device or pipe, /dev/stdout for one, is written to as it is.
/// @throws backend_error  a directory is there, the folder is not writable, or the disk is full
class atomic_file {
 public:
  explicit atomic_file(const std::string& path);
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file();

  /// Appends.
  /// @throws backend_error  the disk is full, or cannot be written
  void write(const void* bytes, std::size_t count);
  void write(std::string_view text);

  /// Flushes to the disk, closes, and puts the file in its place.
  void commit();

 private:
  /// Pipes cannot be flushed, nor can folders of some file systems.
  static bool synced(const detail::descriptor& d);
  [[noreturn]] void fail(int reason) const;
  [[noreturn]] void abandon(int reason);
  void remove_temporary();

  std::string path_;
  std::string temporary_;  // "": none, or not any more
  detail::descriptor opened_;
  detail::descriptor folder_;
};

/// Replaces PATH by TEXT in one step.
/// @throws backend_error  as atomic_file
void write_file(const std::string& path, std::string_view text);

/// Files of one folder that belong together: each is written to `staged_path(NAME)`, beside the folder, and only when all of them are on
/// the disk does `commit` put them where they belong. Without it the folder is as it was: a full disk takes nothing away.
///
/// Where some of them are there already, and the folder holds nothing but files, and folders of theirs, the new folder takes the place of
/// the old one in one step: whoever is ended at any moment leaves all the old files or all the new ones. Elsewhere they are renamed one by
/// one.
/// @throws backend_error  the folder cannot be made or written to
class staged_files {
 public:
  explicit staged_files(const std::string& folder);
  staged_files(const staged_files&) = delete;
  staged_files& operator=(const staged_files&) = delete;
  ~staged_files();

  /// Where the file NAME is written until `commit`; it may lie in a folder within, as FOLDER/NAME.
  std::string staged_path(const std::string& name);

  /// Puts all files in place, and removes those of STALE that are not among them.
  void commit(const std::vector<std::string>& stale = {});

 private:
  std::string final_path(const std::string& name) const;
  bool is_new(const std::string& name) const;
  [[noreturn]] static void fail(const std::string& path);

  /// The staged folder, with all else that the old one holds, takes its place. False when that cannot be; nothing has changed then.
  bool exchange(const std::vector<std::string>& stale);

  void rename_each(const std::vector<std::string>& stale) const;

  std::string folder_, staged_;
  bool staged_as_sibling_ = true;
  std::vector<std::string> names_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/file-inl.hpp"  // IWYU pragma: export
#endif
