#pragma once
// Low-rank updates and IA3 made part of the weights they belong to.

#include "graft/exchange/adapter_file.hpp"

namespace graft {

namespace detail {

/// The tensor NAME as a matrix; a vector is one column.
matrix<double> matrix_of(const tensor_source& source, const std::string& name);

}  // namespace detail

/// Whether what D describes is computed in merged weights alone: DoRA, IA3 and a bias of B.
bool needs_merging(const model_description& d);

/// What becomes of the weights and biases that A changes, with the rest of what A holds, its head; BASE has the encoder's, and the head's
/// where A updates a head that it does not hold. Computed in double, kept as F64 where BASE is F64, else as F32.
///   LoRA: W' = W + (alpha / r) B A,  b' = b + (alpha / r) b_B          DoRA: the rows of that W', row i of length m_i
///   DoRA in AdapterHub's library: W' and b alike by diag(m_i / |row i of W + B A|), a length without the scale
///   IA3: W' = diag(l) W,  b' = diag(l) b;  of inputs W' = W diag(l)
/// The description is that of a model without updates; gates of IA3, which scale outputs, are left beside it.
/// @throws config_error  A is neither low-rank nor IA3      @throws format_error  a weight that is no finite number, or becomes none
/// Source: Hu et al. 2021, section 4.1; Liu et al. 2024 (DoRA), equation 5; Liu et al. 2022 (IA3), section 3.3.
/// Tested: tests/exchange/merge_adapter_test.cpp
adapter_file merged_tensors(const tensor_source& base, const adapter_file& a);

/// TRUNK with what MERGED, from merged_tensors, holds of its tensors; the others are as they were, and its memory is kept. A pooler that
/// MERGED holds goes with its head.
/// @throws config_error  MERGED has gates
tensor_source merge_adapter(const tensor_source& trunk, const adapter_file& merged);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/merge_adapter-inl.hpp"  // IWYU pragma: export
#endif
