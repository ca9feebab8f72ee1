#pragma once
// Matrices, views and grow-only buffers. Everything is row-major; a row is a token unless a docstring says otherwise.

#include <sys/mman.h>

#include <Eigen/Core>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/index.hpp"

namespace graft {

static_assert(std::is_same_v<index, Eigen::Index>);

/// "(96, 768)"
inline std::string shape_text(const std::vector<index>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + ")";
}

/// Bytes of a matrix (ROWS, COLS) of elements of UNIT bytes: what memory is asked for goes through here, so that no product wraps around.
/// @throws shape_error  a size is negative, or the product is larger than any memory
inline std::size_t matrix_bytes(index rows, index cols, std::size_t unit) {
  index bytes = 0;
  constexpr index most = index{1} << 56;  // beyond any address, with room for what is added to it
  if (rows < 0 || cols < 0 || __builtin_mul_overflow(rows, cols, &bytes) ||
      __builtin_mul_overflow(bytes, static_cast<index>(unit), &bytes) || bytes > most) {
    throw shape_error("a matrix of shape " + shape_text({rows, cols}) + " is larger than any memory");
  }
  return static_cast<std::size_t>(bytes);
}

/// A matrix that owns its numbers, row after row.
template <class T>
using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A mutable window (rows, cols) onto somebody else's row-major memory; `stride` elements lie between the starts of two rows.
template <class T>
class view : public Eigen::Map<matrix<T>, Eigen::Unaligned, Eigen::OuterStride<>> {
 public:
  using base = Eigen::Map<matrix<T>, Eigen::Unaligned, Eigen::OuterStride<>>;
  view(T* data, index rows, index cols, index stride) : base(data, rows, cols, Eigen::OuterStride<>(stride)) {}
  view(T* data, index rows, index cols) : view(data, rows, cols, cols) {}
  view(matrix<T>& m) : view(m.data(), m.rows(), m.cols()) {}  // NOLINT: implicit on purpose
  view(const view&) = default;
  view& operator=(const view& other) {
    base::operator=(other);
    return *this;
  }
  using base::operator=;

  index stride() const { return this->outerStride(); }
  /// Row R, and the rows and columns from (ROW, COL) on.
  T* row_data(index r) const { return const_cast<T*>(this->data()) + r * stride(); }
  view window(index row, index col, index rows, index cols) const { return {row_data(row) + col, rows, cols, stride()}; }
};

/// The read-only counterpart of `view`.
template <class T>
class const_view : public Eigen::Map<const matrix<T>, Eigen::Unaligned, Eigen::OuterStride<>> {
 public:
  using base = Eigen::Map<const matrix<T>, Eigen::Unaligned, Eigen::OuterStride<>>;
  const_view(const T* data, index rows, index cols, index stride) : base(data, rows, cols, Eigen::OuterStride<>(stride)) {}
  const_view(const T* data, index rows, index cols) : const_view(data, rows, cols, cols) {}
  const_view(const matrix<T>& m) : const_view(m.data(), m.rows(), m.cols()) {}                 // NOLINT: implicit on purpose
  const_view(const view<T>& v) : const_view(v.data(), v.rows(), v.cols(), v.outerStride()) {}  // NOLINT: implicit on purpose
  const_view(const const_view&) = default;

  index stride() const { return this->outerStride(); }
  /// Row R, and the rows and columns from (ROW, COL) on.
  const T* row_data(index r) const { return this->data() + r * stride(); }
  const_view window(index row, index col, index rows, index cols) const { return {row_data(row) + col, rows, cols, stride()}; }
};

/// A matrix in memory of its own, 64-byte aligned, that begins as zeros. Pages of a large one that are never touched take no memory, and
/// all of them go back to the operating system with it: the heap would keep them for later.
template <class T>
class zeroed_matrix {
 public:
  zeroed_matrix(index rows, index cols) : rows_(rows), cols_(cols) {
    constexpr std::size_t line = 64;
    const std::size_t bytes = matrix_bytes(rows, cols, sizeof(T)) + line;
    const std::shared_ptr<void> block = zeroed(bytes);
    void* begin = block.get();
    std::size_t left = bytes;
    memory_ = {block, static_cast<T*>(std::align(line, bytes - line, begin, left))};
  }
  explicit zeroed_matrix(const const_view<T>& values) : zeroed_matrix(values.rows(), values.cols()) { get() = values; }
  zeroed_matrix(const zeroed_matrix& other) : zeroed_matrix(other.get()) {}
  zeroed_matrix(zeroed_matrix&&) noexcept = default;
  zeroed_matrix& operator=(zeroed_matrix other) noexcept {
    memory_ = std::move(other.memory_);
    rows_ = other.rows_;
    cols_ = other.cols_;
    return *this;
  }

  /// All of it.
  view<T> get() { return {memory_.get(), rows_, cols_}; }
  const_view<T> get() const { return {memory_.get(), rows_, cols_}; }

 private:
  static std::shared_ptr<void> zeroed(std::size_t bytes) {
    constexpr std::size_t large = std::size_t{1} << 20;
    if (bytes < large) {
      void* memory = std::calloc(bytes, 1);
      if (memory == nullptr) throw std::bad_alloc();
      return {memory, std::free};
    }
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return {memory, [bytes](void* begin) { ::munmap(begin, bytes); }};
  }

  std::shared_ptr<T> memory_;
  index rows_, cols_;
};

/// A matrix whose memory only ever grows, so that steps with other row counts do not allocate. 64-byte aligned; not initialized.
template <class T>
class buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  /// Makes the buffer (rows, cols); what it held is lost.
  view<T> resize(index rows, index cols) {
    const std::size_t needed = matrix_bytes(rows, cols, sizeof(T)) / sizeof(T);
    if (needed > capacity_) {
      data_.reset();
      capacity_ = 0;  // should there be no memory
      data_.reset(static_cast<T*>(::operator new[](needed * sizeof(T), std::align_val_t{64})));
      capacity_ = needed;
    }
    rows_ = rows;
    cols_ = cols;
    return get();
  }
  void assign(const_view<T> source) { resize(source.rows(), source.cols()) = source; }
  void clear() { rows_ = cols_ = 0; }

  bool empty() const { return rows_ == 0; }
  index rows() const { return rows_; }
  index cols() const { return cols_; }
  std::size_t bytes() const { return capacity_ * sizeof(T); }
  /// All of it.
  view<T> get() { return {data_.get(), rows_, cols_}; }
  const_view<T> get() const { return {data_.get(), rows_, cols_}; }
  operator view<T>() { return get(); }              // NOLINT: implicit on purpose
  operator const_view<T>() const { return get(); }  // NOLINT: implicit on purpose

 private:
  struct release {
    void operator()(T* data) const { ::operator delete[](data, std::align_val_t{64}); }
  };
  std::unique_ptr<T[], release> data_;
  std::size_t capacity_ = 0;
  index rows_ = 0;
  index cols_ = 0;
};

}  // namespace graft
