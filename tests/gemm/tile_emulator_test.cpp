#include "support/tile_emulator.hpp"

#if defined(__x86_64__) && defined(__linux__)

#include <immintrin.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <catch2/catch.hpp>
#include <limits>
#include <numeric>
#include <thread>
#include <vector>

#define GRAFT_TEST_TILES __attribute__((target("amx-tile,amx-bf16"), noinline))

using graft_test::tile_configuration;
using graft_test::tile_emulator;

namespace {

// On processors with tiles the same tests run on the tiles themselves: what they expect is what the hardware does.
struct emulated {
  const bool needed = tile_emulator::needed();  // asks the operating system for tiles, too
  const std::uint64_t before = tile_emulator::executed();
  tile_emulator emulator;
  bool worked() const { return (tile_emulator::executed() > before) == needed; }
};

/// GCC takes the configuration for 8 bytes, and no load of a tile for a read: memory is made up to date by hand.
void settle(const void* p) { asm volatile("" : : "r"(p) : "memory"); }

GRAFT_TEST_TILES void configure(const tile_configuration& c) {
  settle(&c);
  _tile_loadconfig(&c);
}
GRAFT_TEST_TILES void release() { _tile_release(); }
GRAFT_TEST_TILES tile_configuration configuration() {
  tile_configuration c;
  std::memset(static_cast<void*>(&c), 0xFF, sizeof(c));
  settle(&c);
  _tile_storeconfig(&c);
  settle(&c);
  return c;
}
bool same(const tile_configuration& a, const tile_configuration& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

void shape(tile_configuration& c, int tile, int rows, int row_bytes) {
  c.palette = 1;
  c.rows[tile] = static_cast<std::uint8_t>(rows);
  c.row_bytes[tile] = static_cast<std::uint16_t>(row_bytes);
}
/// Eight tiles of different shapes.
tile_configuration eight_shapes() {
  tile_configuration c;
  for (int t = 0; t < 8; ++t) shape(c, t, 16 - t, 64 - 8 * t);
  return c;
}

float value(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
std::uint16_t bfloat(float x) { return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16); }

/// Factors and target of one product: c (m, n) += a (m, 2 k) b (2 k, n), b's rows in pairs.
struct product {
  int m, k, n;
  std::vector<std::uint16_t> a = std::vector<std::uint16_t>(static_cast<std::size_t>(m * k * 2));
  std::vector<std::uint16_t> b = std::vector<std::uint16_t>(static_cast<std::size_t>(k * n * 2));
  std::vector<float> c = std::vector<float>(static_cast<std::size_t>(m * n));

  template <class Next>
  void fill(Next next) {
    for (auto& x : a) x = bfloat(next());
    for (auto& x : b) x = bfloat(next());
    for (auto& x : c) x = next();
  }
  template <class Sum>
  std::vector<Sum> expected() const {
    std::vector<Sum> sums(c.begin(), c.end());
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        for (int d = 0; d < 2 * k; ++d) {
          sums[static_cast<std::size_t>(i * n + j)] +=
              Sum{value(a[static_cast<std::size_t>(i * 2 * k + d)])} * Sum{value(b[static_cast<std::size_t>((d / 2 * n + j) * 2 + d % 2)])};
        }
      }
    }
    return sums;
  }
  GRAFT_TEST_TILES void run() {
    tile_configuration shapes;
    shape(shapes, 1, m, 4 * n);
    shape(shapes, 6, m, 4 * k);
    shape(shapes, 3, k, 4 * n);
    configure(shapes);
    settle(this);
    _tile_loadd(1, c.data(), 4 * n);
    _tile_loadd(6, a.data(), 4 * k);
    _tile_stream_loadd(3, b.data(), 4 * n);
    _tile_dpbf16ps(1, 6, 3);
    _tile_stored(1, c.data(), 4 * n);
    settle(this);
    _tile_release();
  }
};

/// Small whole numbers, whose sums are exact in any order.
struct whole_numbers {
  std::uint32_t state;
  float operator()() {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 28) - 8.0f;
  }
};
/// Numbers in (-1, 1) with all of bf16's bits.
struct fractions {
  std::uint32_t state;
  float operator()() {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31f;
  }
};

/// What a child process that calls WORK under the emulator ends with: minus the signal that killed it, or its exit code. Before the
/// emulator, SIGILL had the handler PREVIOUS.
template <class Work>
int end_of(Work work, void (*previous)(int) = SIG_DFL) {
  const pid_t child = ::fork();
  if (child == 0) {
    static_cast<void>(tile_emulator::needed());
    ::signal(SIGILL, previous);
    const tile_emulator emulator;
    work();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("tile emulator: the configuration comes back, until tiles are released", "[tiles]") {
  const emulated here;
  const tile_configuration wanted = eight_shapes();
  configure(wanted);
  CHECK(same(configuration(), wanted));
  tile_configuration nothing = wanted;
  nothing.palette = 0;
  configure(nothing);
  CHECK(same(configuration(), tile_configuration{}));
  configure(wanted);
  release();
  CHECK(same(configuration(), tile_configuration{}));
  CHECK(here.worked());
}

TEST_CASE("tile emulator: every form of an address", "[tiles]") {
  const emulated here;
  static tile_configuration fixed = eight_shapes();
  const tile_configuration& wanted = fixed;
  const auto at = reinterpret_cast<std::uintptr_t>(&fixed);
  const auto expect_loaded = [&] {
    CHECK(same(configuration(), wanted));
    release();
  };
  settle(&fixed);
  [&]() __attribute__((target("amx-tile"))) {
    asm volatile("ldtilecfg %0" : : "m"(fixed) : "memory");  // relative to RIP
    expect_loaded();
    asm volatile("mov %0, %%rax\n ldtilecfg (%%rax)" : : "r"(at) : "rax", "memory");
    expect_loaded();
    asm volatile("mov %0, %%r9\n ldtilecfg -128(%%r9)" : : "r"(at + 128) : "r9", "memory");
    expect_loaded();
    asm volatile("mov %0, %%rdi\n ldtilecfg 0x12345(%%rdi)" : : "r"(at - 0x12345) : "rdi", "memory");
    expect_loaded();
    asm volatile("mov %0, %%r12\n ldtilecfg (%%r12)" : : "r"(at) : "r12", "memory");
    expect_loaded();
    asm volatile("mov %0, %%r13\n ldtilecfg (%%r13)" : : "r"(at) : "r13", "memory");
    expect_loaded();
    asm volatile("mov %0, %%r13\n mov $24, %%r12\n ldtilecfg -192(%%r13,%%r12,8)" : : "r"(at) : "r12", "r13", "memory");
    expect_loaded();
    asm volatile("mov %0, %%rcx\n ldtilecfg 0x1000(,%%rcx,2)" : : "r"((at - 0x1000) / 2) : "rcx", "memory");
    expect_loaded();
    asm volatile("mov %0, %%rsi\n mov $-16, %%r15\n ldtilecfg 16(%%rsi,%%r15)" : : "r"(at) : "rsi", "r15", "memory");
    expect_loaded();
  }
  ();
  CHECK(here.worked());
}

namespace {

/// FROM (rows IN bytes apart) through a tile of ROWS x ROW_BYTES to TO (rows OUT bytes apart).
GRAFT_TEST_TILES void copy_through_tile(int rows, int row_bytes, const std::int32_t* from, std::int32_t* to, long in, long out) {
  tile_configuration c;
  shape(c, 5, rows, row_bytes);
  configure(c);
  settle(from);
  _tile_loadd(5, from, in);
  _tile_stored(5, to, out);
  settle(to);
  release();
}
}  // namespace

TEST_CASE("tile emulator: loads and stores keep to the configured rows and bytes, and to the strides", "[tiles]") {
  const emulated here;
  for (int rows = 1; rows <= 16; ++rows) {
    for (int columns = 1; columns <= 16; ++columns) {
      const int in = columns + rows % 3, out = columns + 2;
      std::vector<std::int32_t> from(static_cast<std::size_t>((rows - 1) * in + columns)),
          to(static_cast<std::size_t>(rows * out + 16), -1);
      std::iota(from.begin(), from.end(), 1);
      auto expected = to;
      for (int r = 0; r < rows; ++r) std::copy_n(from.begin() + r * in, columns, expected.begin() + r * out);
      copy_through_tile(rows, 4 * columns, from.data(), to.data(), 4 * in, 4 * out);
      INFO(rows << " rows of " << columns);
      CHECK(to == expected);
      std::fill(to.begin(), to.end(), -1);  // upside down: from the last row, with a negative stride
      copy_through_tile(rows, 4 * columns, from.data() + (rows - 1) * in, to.data() + (rows - 1) * out, -4 * in, -4 * out);
      CHECK(to == expected);
    }
  }
  CHECK(here.worked());
}

TEST_CASE("tile emulator: a zeroed tile stores zeros", "[tiles]") {
  const emulated here;
  std::vector<std::int32_t> numbers(16 * 16, 7), zeros(16 * 16, -1);
  tile_configuration c;
  shape(c, 2, 16, 64);
  shape(c, 7, 16, 64);
  [&]() GRAFT_TEST_TILES {
    configure(c);
    _tile_loadd(2, numbers.data(), 64);
    _tile_loadd(7, numbers.data(), 64);
    _tile_zero(7);
    _tile_stored(7, zeros.data(), 64);
    _tile_stored(2, numbers.data(), 64);
    _tile_release();
  }();
  CHECK(zeros == std::vector<std::int32_t>(16 * 16, 0));
  CHECK(numbers == std::vector<std::int32_t>(16 * 16, 7));
  CHECK(here.worked());
}

TEST_CASE("tile emulator: products of every shape", "[tiles]") {
  const emulated here;
  for (int m = 1; m <= 16; ++m) {
    for (int k = 1; k <= 16; ++k) {
      product p{m, k, (m + 5 * k) % 16 + 1};
      p.fill(whole_numbers{static_cast<std::uint32_t>(100 * m + k)});
      const auto expected = p.expected<float>();
      p.run();
      INFO("(" << m << ", " << 2 * k << ", " << p.n << ")");
      CHECK(p.c == expected);
    }
  }
  CHECK(here.worked());
}

TEST_CASE("tile emulator: sums are rounded to float, not to less", "[tiles]") {
  const emulated here;
  product p{16, 16, 16};
  p.fill(fractions{3});
  const auto exact = p.expected<double>();
  auto magnitudes = p;
  for (auto* half : {&magnitudes.a, &magnitudes.b}) {
    for (auto& x : *half) x &= 0x7FFF;
  }
  for (auto& x : magnitudes.c) x = std::fabs(x);
  const auto bound = magnitudes.expected<double>();
  p.run();
  int wrong = 0;
  for (std::size_t i = 0; i < p.c.size(); ++i) wrong += std::fabs(p.c[i] - exact[i]) > 34 * 0x1p-24 * bound[i];
  CHECK(wrong == 0);
  CHECK(here.worked());
}

TEST_CASE("tile emulator: denormal numbers are zeros, infinities and not-a-numbers pass", "[tiles]") {
  const emulated here;
  const auto result = [](float a, float b, float c, float second_a = 0) {
    product p{1, 1, 1, {bfloat(a), bfloat(second_a)}, {bfloat(b), bfloat(b)}, {c}};
    p.run();
    return p.c[0];
  };
  constexpr float infinite = std::numeric_limits<float>::infinity();
  CHECK(result(0x1p-130f, 0x1p120f, 0) == 0);         // a factor
  CHECK(result(0x1p-70f, 0x1p-70f, 0) == 0);          // the sum
  CHECK(result(0, 0, 0x1p-130f) == 0);                // the target
  CHECK(result(0x1p-63f, 0x1p-63f, 0) == 0x1p-126f);  // the smallest that stays
  CHECK(result(0x1p-63f, 0x1p-63f, 0x1p-127f) == 0x1p-126f);
  CHECK(result(0x1.8p-63f, 0x1p-63f, 0x1p-126f, -0x1p-63f) == 0x1p-126f);  // the products' sum
  CHECK(result(0x1p100f, 0x1p100f, 0) == infinite);
  CHECK(result(2, 3, -infinite) == -infinite);
  CHECK(std::isnan(result(infinite, 0, 1)));
  CHECK(here.worked());
}

TEST_CASE("tile emulator: even and odd products are summed apart before the target is added", "[tiles]") {
  const emulated here;
  if (!here.needed) return;  // the manual's order, not seen on a processor
  product p{1, 2, 1, {bfloat(0x1p30f), bfloat(1), bfloat(-0x1p30f), bfloat(1)}, {bfloat(1), bfloat(1), bfloat(1), bfloat(1)}, {0.5f}};
  p.run();
  CHECK(p.c[0] == 2.5f);
  CHECK(here.worked());
}

TEST_CASE("tile emulator: threads have tiles of their own", "[tiles]") {
  const emulated here;
  int wrong[2] = {};
  const auto work = [&](int which) {
    for (std::uint32_t round = 0; round < 200; ++round) {
      product p = which == 0 ? product{16, 4, 5} : product{7, 16, 16};
      p.fill(whole_numbers{round});
      const auto expected = p.expected<float>();
      p.run();
      wrong[which] += p.c != expected;
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  CHECK(wrong[0] == 0);
  CHECK(wrong[1] == 0);
  CHECK(here.worked());
}

TEST_CASE("tile emulator: other illegal instructions stay illegal", "[tiles]") {
  CHECK(end_of([] { configure(eight_shapes()); }) == 0);
  CHECK(end_of([] { asm volatile("ud2"); }) == -SIGILL);
  CHECK(end_of([] { asm volatile(".byte 0xc4, 0xe2, 0xf8, 0x49, 0xc0"); }) == -SIGILL);  // TILERELEASE, but for W
  CHECK(end_of([] { asm volatile(".byte 0xc4, 0xe2, 0x78, 0x49, 0xc1"); }) == -SIGILL);  // and for one bit of ModRM
  CHECK(end_of([] { asm volatile(".byte 0xc4, 0xe2, 0x70, 0x49, 0xc0"); }) == -SIGILL);  // and with a third register
  CHECK(end_of([] { asm volatile("ud2"); }, [](int) { ::_exit(42); }) == 42);
}

TEST_CASE("tile emulator: what the architecture forbids is refused", "[tiles]") {
  CHECK(end_of([]() GRAFT_TEST_TILES {
          release();
          _tile_zero(0);
        }) == -SIGILL);
  const auto multiply = [](int target_rows, int target_bytes, int left_rows, int left_bytes, int right_rows, int right_bytes) {
    return end_of([=]() GRAFT_TEST_TILES {
      tile_configuration c;
      shape(c, 0, target_rows, target_bytes);
      shape(c, 1, left_rows, left_bytes);
      shape(c, 2, right_rows, right_bytes);
      configure(c);
      _tile_dpbf16ps(0, 1, 2);
    });
  };
  CHECK(multiply(4, 8, 4, 12, 3, 8) == 0);
  CHECK(multiply(4, 8, 5, 12, 3, 8) == -SIGILL);
  CHECK(multiply(4, 8, 4, 16, 3, 8) == -SIGILL);
  CHECK(multiply(4, 8, 4, 12, 3, 12) == -SIGILL);
  CHECK(multiply(4, 8, 4, 12, 0, 0) == -SIGILL);
  CHECK(end_of([] {
          tile_configuration squares;
          for (int t = 0; t < 8; ++t) shape(squares, t, 4, 16);
          configure(squares);
          asm volatile(".byte 0xc4, 0xe2, 0x6a, 0x5c, 0xc9");  // tmm1 += tmm1 tmm2
        }) == -SIGILL);
  CHECK(multiply(17, 8, 17, 12, 3, 8) < 0);  // on the processor another signal than here
}

TEST_CASE("tile emulator: gone with its object", "[tiles]") {
  struct sigaction before {
  }, after{};
  ::sigaction(SIGILL, nullptr, &before);
  { const tile_emulator emulator; }
  ::sigaction(SIGILL, nullptr, &after);
  CHECK(before.sa_sigaction == after.sa_sigaction);
}

#endif
