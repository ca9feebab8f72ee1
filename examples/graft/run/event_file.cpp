#include "run/event_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

namespace graft::program {
namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78U : 0);
    table[i] = c;
  }
  return table;
}

/// The SIZE low bytes of VALUE, the lowest first.
std::string little_endian(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

// Fields of protocol buffers: number and wire type, then the value.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string integer_field(std::uint64_t number, std::int64_t value) {
  return varint(number << 3) + varint(static_cast<std::uint64_t>(value));
}
std::string double_field(std::uint64_t number, double value) {
  return varint(number << 3 | 1) + little_endian(std::bit_cast<std::uint64_t>(value), 8);
}
std::string bytes_field(std::uint64_t number, const std::string& value) { return varint(number << 3 | 2) + varint(value.size()) + value; }
std::string float_field(std::uint64_t number, float value) {
  return varint(number << 3 | 5) + little_endian(std::bit_cast<std::uint32_t>(value), 4);
}

std::uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8U; }

double now() {
  using namespace std::chrono;
  return static_cast<double>(duration_cast<microseconds>(system_clock::now().time_since_epoch()).count()) / 1e6;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = make_crc_table();
  std::uint32_t c = ~0U;
  for (const char byte : bytes) c = table[(c ^ static_cast<unsigned char>(byte)) & 0xff] ^ (c >> 8);
  return ~c;
}

std::string tf_record(std::string_view data) {
  const std::string length = little_endian(data.size(), 8);
  return length + little_endian(masked_crc(length), 4) + std::string(data) + little_endian(masked_crc(data), 4);
}

// Event: 1 wall_time, 2 step, 3 file_version, 5 summary, 7 session_log (1 status: START is 1).  Summary: 1 value (1 tag, 2 simple_value).
std::string version_event(double time) { return double_field(1, time) + bytes_field(3, "brain.Event:2"); }

std::string restart_event(double time, std::int64_t step) {
  return double_field(1, time) + integer_field(2, step) + bytes_field(7, integer_field(1, 1));
}

std::string scalars_event(double time, std::int64_t step, const scalars& values) {
  std::string summary;
  for (const auto& [name, value] : values) {
    summary += bytes_field(1, bytes_field(1, name) + float_field(2, static_cast<float>(value)));
  }
  return double_field(1, time) + integer_field(2, step) + bytes_field(5, summary);
}

event_file::event_file(const std::string& path, std::int64_t first_step) : path_(path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  struct stat status {};
  if (::mkdir(folder.c_str(), 0777) != 0 && !(errno == EEXIST && ::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode))) {
    throw backend_error(folder + ": cannot be made a folder for TensorBoard's files: " +
                        (errno == EEXIST ? "something else is there; take it away" : std::strerror(errno)));
  }
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw backend_error(path + ": cannot be written: " + std::strerror(errno));
  append(version_event(now()));
  if (first_step > 1) append(restart_event(now(), first_step));
}

event_file::~event_file() { ::close(descriptor_); }

void event_file::write(std::int64_t step, const scalars& values) {
  try {
    append(scalars_event(now(), step, values));
  } catch (const backend_error& failure) {
    if (!not_written) throw;
    not_written(failure);
  }
}

void event_file::append(const std::string& event) {
  const std::string record = tf_record(event);
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  ssize_t written = 0;
  do {
    written = ::write(descriptor_, record.data(), record.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(record.size())) return;
  const std::string reason = written < 0 ? std::strerror(errno) : "the disk is full";
  if (written > 0 && before >= 0) (void)!::ftruncate(descriptor_, before);  // half a record would end the file for its readers
  throw backend_error(path_ + ": cannot be written: " + reason);
}

}  // namespace graft::program
