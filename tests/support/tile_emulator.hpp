#pragma once
// Intel's AMX tiles of bf16 and of 8 bits on processors without them: their instructions raise SIGILL, whose handler decodes and executes
// them.

#if defined(__x86_64__) && defined(__linux__)

#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "graft/core/cpu.hpp"

namespace graft_test {

/// The 64 bytes that LDTILECFG reads and STTILECFG writes; all zero where no tiles are configured.
struct tile_configuration {
  std::uint8_t palette = 0;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(tile_configuration) == 64);

/// As long as the object lives, the machine code of AMX-TILE and AMX-BF16, and of AMX-INT8 TDPBUSD, runs on every thread of this process,
/// one set of tiles each. Anything else that raises SIGILL, and whatever the architecture forbids (tiles not configured, shapes that do not
/// fit), goes to the handler that was there before. One object at a time. With AddressSanitizer, what tiles load and store is checked.
///
/// Not done: prefixes before VEX (segments other than DS, 32-bit addresses), loads resumed at a start row other than 0.
/// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, "Intel AMX Instruction Set Reference".
class tile_emulator {
 public:
  tile_emulator() {
    struct sigaction ours {};
    ours.sa_sigaction = handle;
    ours.sa_flags = SA_SIGINFO | SA_NODEFER;
    ::sigaction(SIGILL, &ours, &previous_);
  }
  ~tile_emulator() { ::sigaction(SIGILL, &previous_, nullptr); }
  tile_emulator(const tile_emulator&) = delete;
  tile_emulator& operator=(const tile_emulator&) = delete;

  /// Whether processor or operating system refuse tiles. (Where they grant them nothing raises SIGILL, and nothing is emulated.)
  static bool needed() { return !graft::detail::has_amx(); }

  /// How many instructions all threads have had executed here: a test that expects emulation checks that this grows.
  static std::uint64_t executed() { return executed_; }

 private:
  static constexpr int tiles = 8, max_rows = 16, max_row_bytes = 64;
  enum : unsigned { no_prefix = 0, prefix_66 = 1, prefix_f3 = 2, prefix_f2 = 3 };

  struct tile_file {
    tile_configuration shape;
    std::uint8_t memory[tiles][max_rows][max_row_bytes];

    bool usable(unsigned t) const { return t < tiles && shape.palette == 1 && shape.rows[t] > 0; }
    bool has_dwords(unsigned t) const { return usable(t) && shape.row_bytes[t] % 4 == 0; }
  };

  /// ModRM (and SIB, displacement): BASE + displacement, the scaled INDEX beside it, and where the instruction ends. A tile's rows are
  /// INDEX apart.
  struct memory_operand {
    std::uint64_t base, index, end;
    std::uint8_t* address() const { return row(1); }
    std::uint8_t* row(int r) const { return reinterpret_cast<std::uint8_t*>(base + static_cast<std::uint64_t>(r) * index); }
  };

  // initial-exec: an access in the handler must never allocate
  [[gnu::tls_model("initial-exec")]] static inline constinit thread_local tile_file file_{};
  static inline std::atomic<std::uint64_t> executed_{0};
  static inline struct sigaction previous_ {};

  /// The kernel starts handlers with MXCSR at its default: rounding to nearest even, nothing trapped; what it was comes back afterwards.
  static void handle(int, siginfo_t*, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    if (const std::uint64_t next = execute(registers); next != 0) {
      registers[REG_RIP] = static_cast<greg_t>(next);
      ++executed_;
    } else {
      ::sigaction(SIGILL, &previous_, nullptr);  // which gets the signal as the instruction is tried again
    }
  }

  /// The address of the next instruction, 0 when this one is not ours. C4, ~R ~X ~B and the map (5 bits), W ~vvvv L pp, opcode, ModRM.
  /// (The two-byte form, C5, cannot name the map 0F38 of these instructions.)
  static std::uint64_t execute(const gregset_t& registers) {
    const auto start = static_cast<std::uint64_t>(registers[REG_RIP]);
    const auto* code = reinterpret_cast<const std::uint8_t*>(start);
    if (code[0] != 0xC4 || (code[1] & 0x1F) != 2 || (code[2] & 0x84) != 0) return 0;
    const unsigned prefix = code[2] & 3u, opcode = code[3], mod = code[4] >> 6, rm = code[4] & 7u;
    const unsigned reg = (code[4] >> 3 & 7u) | (~code[1] >> 4 & 8u), vvvv = ~code[2] >> 3 & 15u;  // R = 1 gives a tile > 7: refused
    const bool in_memory = mod != 3;
    const std::uint64_t end = start + 5;

    if (opcode == 0x5C && prefix == prefix_f3 && !in_memory) return multiply(reg, rm | (~code[1] >> 2 & 8u), vvvv) ? end : 0;
    if (opcode == 0x5E && prefix == prefix_66 && !in_memory) return multiply_bytes(reg, rm | (~code[1] >> 2 & 8u), vvvv) ? end : 0;
    if (vvvv != 0) return 0;
    if (opcode == 0x49 && in_memory && reg == 0 && (prefix == no_prefix || prefix == prefix_66)) {
      const memory_operand operand = decode(registers, code);
      if (prefix == no_prefix && !configure(operand.address())) return 0;
      if (prefix == prefix_66) std::memcpy(operand.address(), &file_.shape, sizeof(file_.shape));
      return operand.end;
    }
    if (opcode == 0x49 && prefix == no_prefix && code[4] == 0xC0) {
      file_ = tile_file{};
      return end;
    }
    if (opcode == 0x49 && prefix == prefix_f2 && !in_memory && rm == 0 && file_.usable(reg)) {
      std::memset(file_.memory[reg], 0, sizeof(file_.memory[reg]));
      return end;
    }
    if (opcode == 0x4B && prefix != no_prefix && in_memory && rm == 4 && file_.has_dwords(reg)) {
      const memory_operand operand = decode(registers, code);
      prefix == prefix_f3 ? store(reg, operand) : load(reg, operand);
      return operand.end;
    }
    return 0;
  }

  static memory_operand decode(const gregset_t& registers, const std::uint8_t* code) {
    const auto value = [&](unsigned number) {
      constexpr int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                 REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
      return static_cast<std::uint64_t>(registers[order[number]]);
    };
    const unsigned mod = code[4] >> 6, rm = code[4] & 7u, x = ~code[1] >> 3 & 8u, b = ~code[1] >> 2 & 8u;
    const std::uint8_t* rest = code + 5;
    memory_operand operand{};
    unsigned base = rm;
    if (rm == 4) {
      const unsigned sib = *rest++, index = (sib >> 3 & 7u) | x;
      base = sib & 7u;
      if (index != 4) operand.index = value(index) << (sib >> 6);
    }
    const bool without_base = mod == 0 && base == 5;
    std::int32_t displacement = 0;
    if (mod == 1) {
      displacement = static_cast<std::int8_t>(*rest++);
    } else if (mod == 2 || without_base) {
      std::memcpy(&displacement, rest, sizeof(displacement));
      rest += sizeof(displacement);
    }
    operand.end = reinterpret_cast<std::uint64_t>(rest);
    if (!without_base) {
      operand.base = value(base | b);
    } else if (rm == 5) {
      operand.base = operand.end;  // relative to RIP
    }
    operand.base += static_cast<std::uint64_t>(static_cast<std::int64_t>(displacement));
    return operand;
  }

  static bool configure(const std::uint8_t* address) {
    tile_configuration wanted;
    std::memcpy(&wanted, address, sizeof(wanted));
    if (wanted.palette > 1 || wanted.start_row != 0) return false;
    if (wanted.palette == 0) {
      file_ = tile_file{};
      return true;
    }
    if (std::any_of(wanted.reserved, wanted.reserved + 14, [](auto byte) { return byte != 0; })) return false;
    for (int t = 0; t < 16; ++t) {
      const int rows = wanted.rows[t], row_bytes = wanted.row_bytes[t];
      if (rows > (t < tiles ? max_rows : 0) || row_bytes > (t < tiles ? max_row_bytes : 0) || (rows == 0) != (row_bytes == 0)) return false;
    }
    file_ = tile_file{};
    file_.shape = wanted;
    return true;
  }

  static void load(unsigned t, const memory_operand& from) {
    std::memset(file_.memory[t], 0, sizeof(file_.memory[t]));
    for (int r = 0; r < file_.shape.rows[t]; ++r) std::memcpy(file_.memory[t][r], from.row(r), file_.shape.row_bytes[t]);
  }
  static void store(unsigned t, const memory_operand& to) {
    for (int r = 0; r < file_.shape.rows[t]; ++r) std::memcpy(to.row(r), file_.memory[t][r], file_.shape.row_bytes[t]);
  }

  static float flushed(float x) { return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x; }
  static float dword(unsigned t, int row, int column) {
    float x;
    std::memcpy(&x, file_.memory[t][row] + 4 * column, sizeof(x));
    return flushed(x);
  }
  /// Element COLUMN of a row of bf16, as f32.
  static float half(unsigned t, int row, int column) {
    std::uint16_t bits;
    std::memcpy(&bits, file_.memory[t][row] + 2 * column, sizeof(bits));
    const std::uint32_t wide = std::uint32_t{bits} << 16;
    float x;
    std::memcpy(&x, &wide, sizeof(x));
    return flushed(x);
  }

  /// Whether the architecture multiplies tiles of these shapes.
  static bool fit(unsigned target, unsigned left, unsigned right) {
    const auto& rows = file_.shape.rows;
    const auto& row_bytes = file_.shape.row_bytes;
    if (target == left || target == right || left == right) return false;
    if (!file_.has_dwords(target) || !file_.has_dwords(left) || !file_.has_dwords(right)) return false;
    return rows[target] == rows[left] && row_bytes[target] == row_bytes[right] && row_bytes[left] == 4 * rows[right];
  }

  /// TDPBUSD: unsigned bytes of LEFT by signed ones of RIGHT, four by four, added to 32-bit numbers that wrap.
  static bool multiply_bytes(unsigned target, unsigned left, unsigned right) {
    if (!fit(target, left, right)) return false;
    for (int m = 0; m < file_.shape.rows[target]; ++m) {
      for (int n = 0; n < file_.shape.row_bytes[target] / 4; ++n) {
        std::uint32_t sum;
        std::memcpy(&sum, file_.memory[target][m] + 4 * n, sizeof(sum));
        for (int k = 0; k < 4 * file_.shape.rows[right]; ++k) {
          const auto weight = static_cast<std::int8_t>(file_.memory[right][k / 4][4 * n + k % 4]);
          sum += static_cast<std::uint32_t>(file_.memory[left][m][k] * weight);
        }
        std::memcpy(file_.memory[target][m] + 4 * n, &sum, sizeof(sum));
      }
    }
    return true;
  }

  /// TDPBF16PS in the manual's order: even and odd products are summed apart, each from 0 in the order of the depth by fused
  /// multiply-adds; both sums are added, then that to the target. Denormals are zeros, in and out. (A product of two bf16 is exact in
  /// double, and so many bits make the second rounding, to float, harmless.)
  static bool multiply(unsigned target, unsigned left, unsigned right) {
    const auto& rows = file_.shape.rows;
    const auto& row_bytes = file_.shape.row_bytes;
    if (!fit(target, left, right)) return false;
    const int columns = row_bytes[target] / 4;
    for (int m = 0; m < rows[target]; ++m) {
      float sums[max_row_bytes / 2] = {};
      for (int k = 0; k < rows[right]; ++k) {
        const double a[2] = {half(left, m, 2 * k), half(left, m, 2 * k + 1)};
        for (int n = 0; n < 2 * columns; ++n) sums[n] = flushed(static_cast<float>(sums[n] + a[n % 2] * half(right, k, n)));
      }
      for (int n = 0; n < columns; ++n) {
        const float sum = flushed(dword(target, m, n) + flushed(sums[2 * n] + sums[2 * n + 1]));
        std::memcpy(file_.memory[target][m] + 4 * n, &sum, sizeof(sum));
      }
    }
    return true;
  }
};

}  // namespace graft_test

#endif
