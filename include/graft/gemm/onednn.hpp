#pragma once
// Matrix products on oneDNN, f32.

#include <dnnl.h>

#include <string>

#include "graft/core/cpu.hpp"
#include "graft/core/error.hpp"
#include "graft/gemm/eigen.hpp"

namespace graft {

/// oneDNN's product, C = op(A) op(B) + beta C.
template <>
struct gemm_backend<onednn_backend> {
  /// Where CPUID hides the shapes of tiles that it promises, oneDNN must not try them: it would run into an illegal instruction.
  /// Only its f32 products are used here, which have no tiles: where somebody used oneDNN before, and it can no longer be told, all is
  /// well. Source: uxlfoundation/oneDNN issue 5689.
  static bool keep_from_hidden_tiles() {
    return detail::hides_tile_shapes() && dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16) == dnnl_success;
  }
  static void multiply(bool transpose_a, const_view<float> a, bool transpose_b, const_view<float> b, float beta, view<float> c) {
    const index k = transpose_a ? a.rows() : a.cols();
    if (k == 0) {
      gemm_backend<eigen_backend>::multiply(transpose_a, a, transpose_b, b, beta, c);
      return;
    }
    static const bool guarded = keep_from_hidden_tiles();
    (void)guarded;
    const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', c.rows(), c.cols(), k, 1.0F, a.data(),
                                            a.stride(), b.data(), b.stride(), beta, c.data(), c.stride());
    if (status != dnnl_success) throw backend_error("oneDNN sgemm failed with status " + std::to_string(static_cast<int>(status)));
  }
};

}  // namespace graft
