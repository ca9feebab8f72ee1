#pragma once
// A low-rank update made part of the weights it belongs to.

#include "graft/exchange/adapter_file.hpp"

namespace graft {

/// TRUNK with W + alpha / r B A in place of every W that LORA updates, as F32; its other tensors are as they were, and its memory is kept.
/// @throws config_error  LORA is no low-rank update      @throws format_error  a weight that is no finite number, or becomes none
/// Source: Hu et al. 2021, section 4.1.   Tested: tests/exchange/merge_lora_test.cpp
tensor_source merge_lora(const tensor_source& trunk, const adapter_file& lora);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/merge_lora-inl.hpp"  // IWYU pragma: export
#endif
