#pragma once
// Several adapters of one shape as one: averages, task arithmetic.

#include <cstdint>
#include <string>
#include <vector>

#include "graft/exchange/adapter_file.hpp"

namespace graft {

/// linear: every tensor is sum_k w_k t_k.   only_negate_b: the same of low-rank updates, with |w_k| for A, so that a negative weight takes
/// an update away.   cat: low-rank updates one behind the other, whose sum sum_k w_k (alpha_k / r_k) B_k A_k is exact, at the sum of their
/// ranks.
enum class combination : std::uint8_t { linear, only_negate_b, cat };

/// "linear", "lora_linear_only_negate_b" or "cat".
/// @throws config_error  TEXT is none of the three
combination parse_combination(const std::string& text);

/// ADAPTERS as one, with a weight each; without heads. The encoder's own tensors among them, such as LayerNorms, are
/// t + sum_k w_k (t_k - t), t being TRUNK's, which need not be there where the weights sum up to 1. F64 where all are, else F32.
/// The bits are those of AdapterHub's average_adapter.
/// @throws config_error  they are not of one kind and shape, or HOW does not fit them; TRUNK is needed and null
/// Source: adapter-hub/adapters, model_mixin.py, methods/lora.py; huggingface/peft, tuners/lora/model.py (cat).
/// Tested: tests/exchange/combine_adapters_test.cpp
adapter_file combine_adapters(const std::vector<adapter_file>& adapters, const std::vector<double>& weights, combination how,
                              const encoder_config& config, const tensor_source* trunk = nullptr);

/// Their heads as one, the weighted sum of their tensors, added to COMBINED with their labels.
/// @throws config_error  they do not all have one, over the same labels
void combine_heads(adapter_file& combined, const std::vector<adapter_file>& adapters, const std::vector<double>& weights,
                   const encoder_config& config);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/combine_adapters-inl.hpp"  // IWYU pragma: export
#endif
