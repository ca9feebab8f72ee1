#pragma once
// Bodies of graft/gemm/library.hpp: compiled once, as Eigen's products take long to compile.

#include <dnnl.h>

#include <string>

#include "graft/core/compiled.hpp"
#include "graft/core/cpu.hpp"
#include "graft/core/error.hpp"
#include "graft/gemm/library.hpp"

namespace graft::detail {

/// Where CPUID hides the shapes of tiles that it promises, oneDNN must not try them: it would run into an illegal instruction.
/// Only its f32 products are used here, which have no tiles: where somebody used oneDNN before, and it can no longer be told, all is
/// well. Source: uxlfoundation/oneDNN issue 5689.
inline bool keep_onednn_from_hidden_tiles() {
  return hides_tile_shapes() && dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16) == dnnl_success;
}

GRAFT_INLINE void library_product(bool transpose_a, const_view<float> a, bool transpose_b, const_view<float> b, float beta, view<float> c) {
  const index k = transpose_a ? a.rows() : a.cols();
  if (k == 0) {  // a sum of nothing, which oneDNN refuses
    beta == 0 ? c.setZero() : c *= beta;
    return;
  }
  [[maybe_unused]] static const bool guarded = keep_onednn_from_hidden_tiles();
  const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', c.rows(), c.cols(), k, 1.0F, a.data(),
                                          a.stride(), b.data(), b.stride(), beta, c.data(), c.stride());
  if (status != dnnl_success) throw backend_error("oneDNN sgemm failed with status " + std::to_string(static_cast<int>(status)));
}

template <std::same_as<double> T>
void library_product(bool transpose_a, const_view<T> a, bool transpose_b, const_view<T> b, T beta, view<T> c) {
  const auto store = [&](const auto& product) {
    if (beta == 0) {
      c.noalias() = product;
    } else {
      if (beta != 1) c *= beta;
      c.noalias() += product;
    }
  };
  const auto times = [&](const auto& left) { transpose_b ? store(left * b.transpose()) : store(left * b); };
  transpose_a ? times(a.transpose()) : times(a);
}

#if defined(GRAFT_COMPILED)
template void library_product(bool, const_view<double>, bool, const_view<double>, double, view<double>);
#endif

}  // namespace graft::detail
