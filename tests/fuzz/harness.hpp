#pragma once
// What the fuzzing harnesses share. To be included before every other header.
// the others behind it, so that they map files its way
// Each harness hands any bytes to one kind of reader, which must read them or throw graft::error; anything else is a crash.
// Harnesses are listed by name, for the replay of the corpus and for the fuzzer, which are one unit each.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

/// In place of mmap, which fills the last page with zeros: on the heap AddressSanitizer sees a read one byte behind the file's end.
inline void* graft_fuzz_mmap(void*, std::size_t size, int, int, int descriptor, off_t) {
  void* const memory = std::malloc(size);
  if (memory == nullptr || ::pread(descriptor, memory, size, 0) != static_cast<ssize_t>(size)) std::abort();
  return memory;
}
inline int graft_fuzz_munmap(void* memory, std::size_t) {
  std::free(memory);
  return 0;
}
#define mmap graft_fuzz_mmap
#define munmap graft_fuzz_munmap
#include "graft/core/file.hpp"
#undef mmap
#undef munmap

#include "graft/core/error.hpp"
#include "graft/io/tensor_source.hpp"
#include "support/shared.hpp"

namespace graft_fuzz {

using harness = int (*)(const std::uint8_t* data, std::size_t size);

/// How many readers took what they were given, since the start.
inline std::uint64_t accepted = 0;

inline void require(bool condition) {
  if (!condition) std::abort();
}

/// Calls READ, which may refuse with graft::error and with nothing else.
template <class Read>
void attempt(Read&& read) {
  try {
    read();
    ++accepted;
  } catch (const graft::error& refusal) {
    require(refusal.what()[0] != '\0');
  }
}

/// A folder of this process's own; fastest when $TMPDIR lies in memory.
inline const graft_test::temporary_folder& folder() {
  static const graft_test::temporary_folder made;
  return made;
}

/// Writes the file NAME in `folder()`, without the waiting for the disk that graft::write_file does.
inline std::string write(const std::string& name, std::string_view bytes) {
  const std::string path = folder() / name;
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require(descriptor >= 0 && ::write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  ::close(descriptor);
  return path;
}

/// Reads each byte of each tensor, and converts what can be converted.
inline void touch(const graft::tensor_source& tensors) {
  for (const auto& [name, info] : tensors.tensors()) {
    require(graft::element_count(info.shape) == info.count());
    [[maybe_unused]] volatile unsigned sum = 0;
    for (const auto byte : info.bytes) sum = sum + static_cast<unsigned>(byte);
    if (!graft::is_floating_point(info.type)) continue;
    tensors.values<float>(name);
    tensors.values<double>(name);
  }
}

struct listed_harness {
  listed_harness(const char* its_name, harness its_run) : name(its_name), run(its_run), next(first) { first = this; }
  const char* name;
  harness run;
  const listed_harness* next;
  static inline const listed_harness* first = nullptr;
};

}  // namespace graft_fuzz

#define GRAFT_HARNESS(NAME)                                           \
  static int NAME(const std::uint8_t* data, std::size_t size);        \
  static const graft_fuzz::listed_harness NAME##_listed(#NAME, NAME); \
  static int NAME(const std::uint8_t* data, std::size_t size)
