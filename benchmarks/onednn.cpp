// Products with weights from memory, by graft and by oneDNN's matmul, in turns on one thread: y = x W^T with all weights of 12 layers of
// roberta-base's width, one after the other, so that none is in cache when its turn comes. x is packed, converted or rounded in the
// measured time, weights before. y is f32; oneDNN's of u8s8 is whole numbers that nobody scales. Usage: OMP_NUM_THREADS=1
// graft_benchmark_onednn [ROUNDS]     prints G/s of each: the median and the best of the rounds, 7

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <dnnl.hpp>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "graft/gemm/gemm.hpp"

namespace {

using dnnl::memory;
using graft::index;
using graft::transpose;
using kind = memory::data_type;
using values = graft::matrix<float>;
/// A product with weight I of those of the layers, and what that costs.
using multiply = std::function<void(std::size_t)>;

struct shape {
  index out, in;
};

std::vector<shape> shapes_of_layers() {
  std::vector<shape> all;
  for (int layer = 0; layer < 12; ++layer) {
    for (int projection = 0; projection < 4; ++projection) all.push_back({768, 768});
    all.push_back({3072, 768});
    all.push_back({768, 3072});
  }
  return all;
}

const std::vector<shape> shapes = shapes_of_layers();

/// x with IN columns, and a y that both write.
const values& input(index rows, index in) {
  static std::unordered_map<index, values> made;
  values& x = made[rows * 10000 + in];
  if (x.size() == 0) x = values::Random(rows, in);
  return x;
}

/// Graft's: P's numbers, or 8 bits.
template <class P>
class ours {
 public:
  explicit ours(bool int8) {
    for (const auto& [out, in] : shapes) {
      weights_.push_back(graft::parameter<float>::factor("w", graft::parameter_role::weight, out, in));
      weights_.back().edit() = values::Random(out, in);
      if (int8) {
        graft::pack_int8_weight(weights_.back(), 1);
      } else {
        graft::pack_weight<P>(weights_.back(), false, 1);
      }
    }
  }
  void operator()(std::size_t i, index rows) {
    y_.resize(rows, shapes[i].out);
    graft::view<float> to(y_);
    graft::product<P>(input(rows, shapes[i].in), {weights_[i], transpose::yes}, ctx_,
                      [&](index row, index col, const auto& block) { to.window(row, col, block.rows(), block.cols()) = block; });
  }

 private:
  std::vector<graft::parameter<float>> weights_;
  graft::context ctx_;
  values y_;
};

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const memory::desc& x, const memory::desc& w, const memory::desc& y) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, x, w, y};
#else
  return {dnnl::matmul::desc(x, w, y), engine};
#endif
}

/// oneDNN's, weights in the layout that it likes best.
class theirs {
 public:
  theirs(kind x, kind w, kind y, index rows) : x_kind_(x) {
    for (const auto& [out, in] : shapes) {
      const auto chosen = describe(engine_, {{rows, in}, x, memory::format_tag::ab}, {{in, out}, w, memory::format_tag::any},
                                   {{rows, out}, y, memory::format_tag::ab});
      how = chosen.impl_info_str();
      values plain = values::Random(in, out) * (w == kind::s8 ? 127 : 1);
      const memory from({{in, out}, kind::f32, memory::format_tag::ab}, engine_, plain.data());
      product& p = products_.emplace_back(product{dnnl::matmul(chosen),
                                                  memory(chosen.weights_desc(), engine_),
                                                  memory(chosen.src_desc(), engine_),
                                                  memory(chosen.dst_desc(), engine_),
                                                  {},
                                                  {}});
      dnnl::reorder(from, p.w).execute(stream_, const_cast<memory&>(from), p.w);
      p.from = memory({{rows, in}, kind::f32, memory::format_tag::ab}, engine_, const_cast<float*>(input(rows, in).data()));
      p.convert = dnnl::reorder(p.from, p.x);
      stream_.wait();
    }
  }
  void operator()(std::size_t i) {
    product& p = products_[i];
    if (x_kind_ != kind::f32) p.convert.execute(stream_, p.from, p.x);
    p.call.execute(stream_, {{DNNL_ARG_SRC, x_kind_ == kind::f32 ? p.from : p.x}, {DNNL_ARG_WEIGHTS, p.w}, {DNNL_ARG_DST, p.y}});
    stream_.wait();
  }
  std::string how;

 private:
  struct product {
    dnnl::matmul call;
    memory w, x, y, from;
    dnnl::reorder convert;
  };
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  kind x_kind_;
  std::vector<product> products_;
};

double seconds_of(const multiply& f) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < shapes.size(); ++i) f(i);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void compare(const char* name, int rounds, index rows, const multiply& graft_s, const multiply& onednn_s, const std::string& how) {
  std::vector<double> times[2];
  for (int round = -1; round < rounds; ++round) {  // the first one is not counted
    const double own = seconds_of(graft_s), other = seconds_of(onednn_s);
    if (round >= 0) times[0].push_back(own), times[1].push_back(other);
  }
  double operations = 0;
  for (const auto& [out, in] : shapes) operations += 2e-9 * static_cast<double>(rows * out * in);
  std::printf("%-5s %4ld rows", name, static_cast<long>(rows));
  for (auto& t : times) {
    std::sort(t.begin(), t.end());
    std::printf("   %s median %6.0f G/s, best %6.0f", &t == times ? "graft" : "oneDNN", operations / t[t.size() / 2], operations / t[0]);
  }
  std::printf("   (%s)\n", how.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
  if (graft::detail::hides_tile_shapes()) dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_bf16);
  std::printf("oneDNN %d.%d.%d\n", dnnl_version()->major, dnnl_version()->minor, dnnl_version()->patch);
  for (const graft::index rows : {106, 216}) {
    const auto all = [&](const char* name, auto& own, kind x, kind w, kind y) {
      theirs other(x, w, y, rows);
      compare(
          name, rounds, rows, [&](std::size_t i) { own(i, rows); }, [&](std::size_t i) { other(i); }, other.how);
    };
    ours<graft::f32> f32(false);
    all("f32", f32, kind::f32, kind::f32, kind::f32);
    ours<graft::bf16> bf16(false);
    all("bf16", bf16, kind::bf16, kind::bf16, kind::f32);
    ours<graft::bf16> int8(true);
    all("u8s8", int8, kind::u8, kind::s8, kind::s32);
  }
}
