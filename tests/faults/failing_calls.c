// Loaded into the program before its C library (LD_PRELOAD): makes one call that touches a file in GRAFT_FAULT_FOLDER fail.
//   GRAFT_FAULT_AT     which of those calls, counted from 1 (0: none)      GRAFT_FAULT_ERRNO  with which error
//   GRAFT_FAULT_COUNT  a file whose last line is how many there were when the program ended
//   GRAFT_FAULT_ONWARD 1: the later calls that write fail too, as on a disk that stays full
// Source: dlsym(3), RTLD_NEXT.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls = 0;

static long number(const char* name) {
  const char* text = getenv(name);
  return text == NULL ? 0 : atol(text);
}

/// Whether PATH, absolute or from the working directory, lies in the folder.
static int watched(const char* path) {
  const char* folder = getenv("GRAFT_FAULT_FOLDER");
  if (folder == NULL || path == NULL) return 0;
  char whole[2 * PATH_MAX];
  if (path[0] != '/') {
    char here[PATH_MAX];
    if (getcwd(here, sizeof here) == NULL) return 0;
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    path = whole;
  }
  return strncmp(path, folder, strlen(folder)) == 0;
}

static int watched_descriptor(int descriptor) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  return watched(path);
}

/// Counts a call; true, and errno set, when it is to fail.
static int fails(void) {
  const long at = number("GRAFT_FAULT_AT"), now = atomic_fetch_add(&calls, 1) + 1;
  if (at == 0 || (number("GRAFT_FAULT_ONWARD") ? now < at : now != at)) return 0;
  errno = (int)number("GRAFT_FAULT_ERRNO");
  return 1;
}

__attribute__((destructor)) static void report(void) {
  const char* path = getenv("GRAFT_FAULT_COUNT");
  FILE* file = path == NULL ? NULL : fopen(path, "w");
  if (file == NULL) return;
  fprintf(file, "%ld\n", atomic_load(&calls));
  fclose(file);
}

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

static int open_real(const char* name, const char* path, int flags, mode_t mode) {
  const int writes = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0 || (flags & O_DIRECTORY) != 0;
  if (writes && watched(path) && fails()) return -1;
  return REAL(name, int (*)(const char*, int, mode_t))(path, flags, mode);
}

static mode_t mode_of(int flags, va_list more) { return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0; }

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  return open_real("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  return open_real("open64", path, flags, mode);
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
  ssize_t (*real)(int, const void*, size_t) = REAL("write", ssize_t(*)(int, const void*, size_t));
  if (descriptor > 2 && watched_descriptor(descriptor) && fails()) {
    const int reason = errno;
    const ssize_t half = reason == ENOSPC && count > 1 ? real(descriptor, bytes, count / 2) : -1;  // a disk fills up in the middle
    errno = reason;
    return half;
  }
  return real(descriptor, bytes, count);
}

int fsync(int descriptor) {
  if (watched_descriptor(descriptor) && fails()) return -1;
  return REAL("fsync", int (*)(int))(descriptor);
}

int rename(const char* from, const char* to) {
  if (watched(to) && fails()) return -1;
  return REAL("rename", int (*)(const char*, const char*))(from, to);
}

int mkdir(const char* path, mode_t mode) {
  if (watched(path) && fails()) return -1;
  return REAL("mkdir", int (*)(const char*, mode_t))(path, mode);
}
