#pragma once
// How the names of adapters' tensors go on, behind the name of the place where they stand.

namespace graft::tensor_names {

inline constexpr char member[] = ".multi_adapter.adapter_dict.";          // of a mix; the member's name follows
inline constexpr char member_norm[] = ".multi_adapter.layer_norm_dict.";  // its LayerNorm, likewise
inline constexpr char weighted_sum[] = ".multi_adapter.weighted_sum";     // the mixing weights
// Of low-rank updates; of AdapterHub's gates, DoRA and IA3.
inline constexpr char lora_a[] = ".lora_A.weight", lora_b[] = ".lora_B.weight", lora_b_bias[] = ".lora_B.bias", lora_gate[] = ".lora_gate",
                      lora_magnitude[] = ".lora_magnitude_vector", ia3[] = ".ia3_l";

}  // namespace graft::tensor_names
