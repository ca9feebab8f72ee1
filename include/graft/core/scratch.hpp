#pragma once
// A bump arena for temporaries that do not outlive a call.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "graft/core/types.hpp"

namespace graft {

/// Hands out uninitialized matrices; a `mark` gives everything taken since back when it goes out of scope. Memory is kept between
/// steps: after the first step of the largest shape nothing is allocated.
class scratch {
 public:
  class mark {
   public:
    explicit mark(scratch& arena) : arena_(arena), block_(arena.block_), used_(arena.used_) {}
    mark(const mark&) = delete;
    mark& operator=(const mark&) = delete;
    ~mark() {
      arena_.block_ = block_;
      arena_.used_ = used_;
    }

   private:
    scratch& arena_;
    std::size_t block_, used_;
  };

  /// An uninitialized (rows, cols) matrix, 64-byte aligned, valid until the enclosing mark ends.
  template <class T>
  view<T> take(index rows, index cols) {
    const std::size_t bytes = (matrix_bytes(rows, cols, sizeof(T)) + 63) / 64 * 64;
    while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size()) {
      const std::size_t size = std::max(bytes, std::size_t{1} << 24);
      blocks_.push_back(
          {std::unique_ptr<std::byte[], release>(static_cast<std::byte*>(::operator new[](size, std::align_val_t{64}))), size});
      used_ = 0;
    }
    auto* data = reinterpret_cast<T*>(blocks_[block_].data.get() + used_);
    used_ += bytes;
    return {data, rows, cols};
  }

  /// Room for COUNT objects, for the caller to construct; they are never destroyed.
  template <class T>
  std::span<T> take_array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 64);
    return {reinterpret_cast<T*>(take<std::byte>(static_cast<index>(count), static_cast<index>(sizeof(T))).data()), count};
  }

  /// Room for one row of COLS numbers on each of THREADS threads; every one begins on a cache line.
  template <class T>
  view<T> take_rows(int threads, index cols) {
    constexpr index line = 64 / static_cast<index>(sizeof(T));
    const index stride = (cols + line - 1) / line * line;
    return take<T>(threads, stride).window(0, 0, threads, cols);
  }

  std::size_t bytes() const {
    std::size_t total = 0;
    for (const auto& b : blocks_) total += b.size;
    return total;
  }

 private:
  struct release {
    void operator()(std::byte* data) const { ::operator delete[](data, std::align_val_t{64}); }
  };
  struct block {
    std::unique_ptr<std::byte[], release> data;
    std::size_t size;
  };
  std::vector<block> blocks_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
};

}  // namespace graft
