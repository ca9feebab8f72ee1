#pragma once
// The exceptions that graft throws. Every message says who, what came, and what was needed, in one line.

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace graft {

/// What a caller could give for it to work: a parameter or field by its name, and its value, "" where only the caller can know that.
struct remedy {
  std::string parameter{};
  std::string value{};
};

/// Base of every exception that graft throws.
class error : public std::runtime_error {
 public:
  explicit error(const std::string& message, remedy help = {}) : std::runtime_error(message), help_(std::move(help)) {}

  /// Not part of the message. A program can say it in its own words, of its flags for instance.
  const remedy& help() const noexcept { return help_; }

 private:
  remedy help_;
};

/// A matrix or tensor has other dimensions than the operation needs.
class shape_error : public error {
 public:
  using error::error;
  /// "layer 'LAYER': ARGUMENT is (ROWS, COLS), NEEDED"
  static shape_error of_argument(std::string_view layer, std::string_view argument, std::ptrdiff_t rows, std::ptrdiff_t cols,
                                 const std::string& needed);
};

/// An option or configuration value is unknown, contradictory or out of range.
class config_error : public error {
 public:
  using error::error;
};

/// The numerical back end or the operating system refused (oneDNN, mmap, a full disk).
class backend_error : public error {
 public:
  using error::error;
};

/// A file does not hold what its format demands. `what()` starts with the path and, when known, the line or byte.
class format_error : public error {
 public:
  /// "PATH: MESSAGE"
  format_error(const std::string& path, const std::string& message, remedy help = {})
      : error(path + ": " + message, std::move(help)), path_(path) {}

  /// "PATH:LINE: MESSAGE", lines counted from 1
  static format_error at_line(const std::string& path, std::uint64_t line, const std::string& message);

  /// "PATH: byte OFFSET: MESSAGE", bytes counted from 0
  static format_error at_byte(const std::string& path, std::uint64_t offset, const std::string& message);

  const std::string& path() const noexcept { return path_; }

 private:
  format_error(const std::string& path, const std::string& where, const std::string& message);
  std::string path_;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/core/error-inl.hpp"  // IWYU pragma: export
#endif
