#pragma once
// Products of packed operands, block by block: whoever wants the product gets every block while it is in cache.

#include <algorithm>
#include <array>
#include <chrono>
#include <span>

#include "graft/core/context.hpp"
#include "graft/core/function_view.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/parameter.hpp"
#include "graft/core/precision.hpp"
#include "graft/gemm/tile_kernels.hpp"
#include "graft/gemm/tiles.hpp"

namespace graft {

namespace detail {

template <class P>
auto kernel_of(tile_path path) {
  if constexpr (std::is_same_v<typename P::operand, bfloat16>) {
    return first_that_runs(bf16_kernels(), path).code;
  } else {
    return first_that_runs(real_kernels<typename P::operand>()).code;
  }
}
template <class P>
tile_path path_of(const context& ctx) {
  if constexpr (std::is_same_v<typename P::operand, bfloat16>) return ctx.tiles ? *ctx.tiles : chosen_tile_path().path;
  return tile_path::portable;
}

}  // namespace detail

/// Calls f(i, width) for every row i of the BLOCK of a product. The width of a whole block is a constant, so that loops over it become
/// straight code.
template <class Block, class F>
[[gnu::always_inline]] inline void for_each_row(const Block& block, F&& f) {
  if (block.cols() == detail::block_side) {
    for (index i = 0; i < block.rows(); ++i) f(i, std::integral_constant<index, detail::block_side>());
  } else {
    for (index i = 0; i < block.rows(); ++i) f(i, block.cols());
  }
}

/// Every row of BLOCK += B.
template <class T>
void add_to_rows(const T* b, const view<T>& block) {
  for_each_row(block, [&](index i, auto width) {
    T* to = block.row_data(i);
#pragma omp simd
    for (index c = 0; c < width; ++c) to[c] += b[c];
  });
}

/// The left operand of products, (rows, depth), in scratch memory.
template <class P>
class packed_a {
 public:
  using real = typename P::real;
  using operand = typename P::operand;
  using format = tile<operand>;

  /// Numbers of memory that an operand needs.
  static index size(index rows, index depth) { return format::panels(rows) * format::tiles(depth) * format::size; }

  /// Borrows MEMORY, packed or to be filled.
  packed_a(operand* memory, index rows, index depth) : data_(memory), rows_(rows), depth_(depth) {}
  /// Not filled: `store` does that.
  static packed_a take(index rows, index depth, context& ctx) {
    return {ctx.memory.take<operand>(1, size(rows, depth)).data(), rows, depth};
  }
  /// op(X)
  template <class S>
  static packed_a pack(transpose op, const const_view<S>& x, context& ctx) {
    const timed time(ctx.times, operation::packing);
    packed_a f = take(op == transpose::no ? x.rows() : x.cols(), op == transpose::no ? x.cols() : x.rows(), ctx);
    parallel_for(format::panels(f.rows_), 1, ctx.threads, [&](index begin, index end) { f.fill(op, x, begin, end); });
    return f;
  }
  /// The panels BEGIN .. END - 1 of op(X), on this thread.
  template <class S>
  void fill(transpose op, const const_view<S>& x, index begin, index end) {
    for (index p = begin; p < end; ++p) pack_panel(true, op, x, p, panel(p));
  }
  void fill(transpose op, const const_view<real>& x) { fill(op, x, 0, format::panels(rows_)); }

  /// A copy with what F(numbers, row, col, n) makes of its rows, a tile's depth at a time.
  template <class F>
  packed_a changed(context& ctx, F&& f) const {
    const packed_a to = take(rows_, depth_, ctx);
    parallel_for(format::panels(rows_), 4, ctx.threads, [&](index begin, index end) {
      alignas(64) real numbers[format::depth];
      for (index p = begin; p < end; ++p) {
        for (index k = 0; k < depth_; k += format::depth) {
          for (index r = 0; r < format::side; ++r) {
            const index at = k / format::depth * format::size + format::left(r, 0), row = p * format::side + r;
            convert<format::depth>(panel(p) + at, numbers);
            if (row < rows_) f(numbers, row, k, std::min(format::depth, depth_ - k));
            convert<format::depth>(numbers, to.panel(p) + at);
          }
        }
      }
    });
    return to;
  }

  index rows() const { return rows_; }
  index depth() const { return depth_; }
  /// Where the tiles of panel P begin: 16 rows, or columns, and all of the depth.
  operand* panel(index p) const { return data_ + p * format::tiles(depth_) * format::size; }

  /// Writes BLOCK, whose first element is (ROW, COL), COL a multiple of 32. Up to 32 columns, or all to the end of the depth.
  template <class Block>
  void store(index row, index col, const Block& block) const {
    for_each_row(block, [&](index i, auto width) {
      operand* to = panel((row + i) / format::side) + col / format::depth * format::size + format::left((row + i) % format::side, 0);
      const real* from = block.row_data(i);
      for (index k = 0; k < width; k += format::depth, to += format::size) {
        const index n = width - k;
        if (n >= format::depth) {
          convert<format::depth>(from + k, to);
          continue;
        }
        convert(from + k, to, n);
        std::fill(to + n, to + format::depth, operand(0));
      }
    });
  }

 private:
  operand* data_;
  index rows_, depth_;
};

/// The right operand of products, (depth, columns): borrowed memory, scratch or a packed weight's.
template <class P>
class packed_b {
 public:
  using operand = typename P::operand;
  using format = tile<operand>;

  /// Numbers of memory that an operand needs.
  static index size(index depth, index columns) { return format::panels(columns) * format::tiles(depth) * format::size; }
  /// Bytes of a panel: 16 columns and all of the depth.
  static index panel_bytes(index depth) { return format::tiles(depth) * format::size * static_cast<index>(sizeof(operand)); }

  /// Borrows MEMORY, which is packed.
  packed_b(const operand* memory, index depth, index columns) : data_(memory), depth_(depth), columns_(columns) {}
  /// op(X)
  template <class S>
  static packed_b pack(transpose op, const const_view<S>& x, context& ctx) {
    const timed time(ctx.times, operation::packing);
    const index depth = op == transpose::no ? x.rows() : x.cols();
    const index columns = op == transpose::no ? x.cols() : x.rows();
    return pack(op, x, ctx.memory.take<operand>(1, size(depth, columns)).data(), ctx.threads);
  }
  template <class S>
  static packed_b pack(transpose op, const const_view<S>& x, operand* memory, int threads) {
    packed_b f(memory, op == transpose::no ? x.rows() : x.cols(), op == transpose::no ? x.cols() : x.rows());
    const index panel = format::tiles(f.depth_) * format::size;
    parallel_for(format::panels(f.columns_), 4, threads, [&](index begin, index end) {
      for (index p = begin; p < end; ++p) pack_panel(false, op, x, p, memory + p * panel);
    });
    return f;
  }

  index depth() const { return depth_; }
  index columns() const { return columns_; }
  /// Where the tiles of panel P begin.
  const operand* panel(index p) const { return data_ + p * format::tiles(depth_) * format::size; }

 private:
  const operand* data_;
  index depth_, columns_;
};

/// What takes the blocks of a product, (row, col, block), or of one of several, (i, row, col, block). The block may be written to. It goes
/// by its address, as what kernels fetch does (upcoming.hpp).
template <class P>
using block_function = function_view<void(index, index, view<typename P::real>&)>;
template <class P>
using blocks_function = function_view<void(index, index, index, view<typename P::real>&)>;

namespace detail {

/// The blocks of a product of ALL[0] x ALL[1] numbers, those of the panels ROWS x COLUMNS, [begin, end) each, one after the other: two
/// columns of panels stay in cache while all the rows go by, HIGH at a time. COMPUTE(row, j, height, width, strip, next) lets a kernel
/// write the strip of rows that begins at ROW, in the panels J and J + 1, and returns how deep the product is; next(panel, bytes) is what
/// the kernel is to fetch of the two panels behind those at PANEL. F gets the blocks. TIMES gets what kernels take, if it is not null.
template <class Real, class Compute, class F>
void for_each_block(std::array<index, 2> all, std::array<index, 2> rows, std::array<index, 2> columns, index high, profile* times,
                    Compute&& compute, F&& f) {
  using clock = std::chrono::steady_clock;
  constexpr index side = tile<Real>::side;
  const index first = rows[0] * side, end = std::min(all[0], rows[1] * side);
  const index last = std::min(columns[1], tile<Real>::panels(all[1])), strips = (end - first + high - 1) / high;
  alignas(64) Real strip[most_rows * block_side];
  for (index j = columns[0]; j < last; j += 2) {
    const index width = std::min(block_side, all[1] - j * side);
    for (index n = 0; n < strips; ++n) {
      const index row = first + n * high, height = std::min(high, end - row);
      const auto next = [&](const void* panel, index bytes) {
        const upcoming panels{static_cast<const char*>(panel) + 2 * bytes, std::clamp<index>(last - j - 2, 0, 2) * bytes / 64};
        return panels.in_parts(strips, 1)[n];
      };
      const auto started = times != nullptr ? clock::now() : clock::time_point();
      const index depth = compute(row, j, height, width, strip, next);
      if (times != nullptr) {
        times->kernel_operations += 2 * height * width * depth;
        times->kernel_nanoseconds += std::chrono::nanoseconds(clock::now() - started).count();
      }
      for (index i = 0; i < height; i += block_side) {
        view<Real> block(strip + i * block_side, std::min(block_side, height - i), width, block_side);
        f(row + i, j * side, block);
      }
    }
  }
}

/// The same of the sum of all LEFTS[t] RIGHTS[t].
template <class P>
void blocks(std::span<const packed_a<P>> lefts, std::span<const packed_b<P>> rights, std::array<index, 2> rows,
            std::array<index, 2> columns, tile_path path, profile* times, block_function<P> f);

/// Calls f(i, thread) for every i of 0 .. COUNT - 1 on ctx.threads threads, THREAD being which of them, that hold PATH's unit; each takes
/// the next one when it is done.
template <class F>
void share_out(index count, tile_path path, const context& ctx, F&& f) {
  if (count <= 1 || ctx.threads <= 1) {
    const tile_unit unit(path);
    for (index i = 0; i < count; ++i) f(i, 0);
    return;
  }
#pragma omp parallel num_threads(ctx.threads)
  {
    const tile_unit unit(path);
    const int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1)
    for (index i = 0; i < count; ++i) f(i, thread);
  }
}

/// Calls f(which, rows, columns) for blocks of COUNT products, [begin, end) of panels each, on ctx.threads threads, which hold PATH's unit.
/// A panel of the right operand has PANEL_BYTES; all that pass at once are read once for every 256 rows. Threads share columns, in pieces
/// of one width, four or more a thread, and rows too where columns are too few.
template <class F>
void partition(index row_panels, index column_panels, index panel_bytes, index count, tile_path path, context& ctx, F&& f) {
  constexpr index most = 16;               // panels of rows that pass at once
  constexpr index pieces = 4;              // of columns, for each thread
  constexpr index cache = index{1} << 19;  // bytes of right panels that stay in a core's second-level cache while rows pass in turns
  const index threads = ctx.threads, pairs = (column_panels + 1) / 2;
  index down = (row_panels + most - 1) / most, wide = std::max<index>(1, pairs);
  if (threads > 1) {
    wide = std::max<index>(1, pairs / (pieces * threads));
    if (down > 1) wide = std::clamp<index>(cache / std::max<index>(1, 2 * panel_bytes), 1, wide);
    while ((pairs + wide - 1) / wide * count * down < 2 * threads && 2 * down < row_panels) down *= 2;
  }
  const index across = (pairs + wide - 1) / wide;
  const index high = std::max<index>(2, (row_panels + 2 * down - 1) / std::max<index>(1, 2 * down) * 2);
  down = (row_panels + high - 1) / high;
  ctx.counters.products += static_cast<std::uint64_t>(count);
  share_out(down * across * count, path, ctx, [&](index n, int) {
    const index i = n % down * high, j = n % (down * across) / down * (2 * wide);
    f(n / (down * across), {i, std::min(row_panels, i + high)}, {j, std::min(column_panels, j + 2 * wide)});
  });
}

}  // namespace detail

/// Products of LEFTS, several of T terms each: calls f(i, row, col, block) for every block of sum_t LEFTS[t] RIGHTS[i T + t], up to
/// (32, 32) and each once, on ctx.threads threads; ROW and COL say where in the product it lies, multiples of 32. Every element is summed
/// along the depth in one order, whatever the number of threads.   Cost: 2 rows depth columns operations a term.
template <class P>
void products(std::span<const packed_a<P>> lefts, std::span<const packed_b<P>> rights, context& ctx, blocks_function<P> f);

/// EPILOGUES (ops/epilogues.hpp, or any e(row, col, block)) as one function of the blocks: one after the other, in this order.
template <class P, class... E>
auto in_order(const E&... epilogues) {
  return [&](index row, index col, view<typename P::real>& block) { (epilogues(row, col, block), ...); };
}

/// LEFT RIGHT, every block of which goes through EPILOGUES while it is in cache.
template <class P, class... E>
void product(const packed_a<P>& left, const packed_b<P>& right, context& ctx, const E&... epilogues) {
  products<P>({&left, 1}, {&right, 1}, ctx,
              [&](index, index row, index col, view<typename P::real>& block) { (epilogues(row, col, block), ...); });
}
/// The same on this thread alone, for callers that are parallel themselves and hold a detail::tile_unit.
template <class P, class... E>
void serial_product(const packed_a<P>& left, const packed_b<P>& right, tile_path path, const E&... epilogues) {
  using format = typename packed_a<P>::format;
  detail::blocks<P>({&left, 1}, {&right, 1}, {0, format::panels(left.rows())}, {0, format::panels(right.columns())}, path, nullptr,
                    in_order<P>(epilogues...));
}

/// FORM = OP(VALUE), a weight, as products read it.
template <class P>
void pack_form(const const_view<typename P::real>& value, transpose op, packed_bytes& form, int threads) {
  using operand = typename P::operand;
  const index depth = op == transpose::no ? value.rows() : value.cols(), columns = op == transpose::no ? value.cols() : value.rows();
  std::byte* memory = form.take(packed_b<P>::size(depth, columns) * static_cast<index>(sizeof(operand)));
  packed_b<P>::pack(op, value, reinterpret_cast<operand*>(memory), threads);
}

/// Packs VALUE as what products read in W's place, until W is edited; BACKWARD: for the gradients of its inputs too.
template <class P>
void pack_weight(parameter<typename P::real>& w, const const_view<typename P::real>& value, bool backward, int threads) {
  auto packed = w.memory_for_packing();
  pack_form<P>(value, transpose::yes, packed->forward, threads);
  if (backward) pack_form<P>(value, transpose::no, packed->backward, threads);
  w.pack(std::move(packed));
}
/// Packs W for products.
template <class P>
void pack_weight(parameter<typename P::real>& w, bool backward, int threads) {
  pack_weight<P>(w, w.value(), backward, threads);
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/gemm/product-inl.hpp"  // IWYU pragma: export
#endif
