#pragma once
// What an adapter is, and what a mix of several is, without the code that computes them.

#include <string>
#include <vector>

#include "graft/core/index.hpp"
#include "graft/core/tuning_options.hpp"

namespace graft {

/// One adapter at every site where its kind stands, but for those of layers that are left out.
struct adapter_options {
  index size = 64;                    // K
  activation act = activation::gelu;  // a
  std::string kind = "houlsby";       // one of adapter_kind_names() (adapters/kind_names.hpp)
  double scaling = 1;                 // s, by which U is multiplied
  std::string settings{};             // what only some kinds read, as a JSON object: parse_general_settings; "": nothing
  std::vector<index> leave_out{};     // layers without, in rising order; a general adapter has sizes of 0 instead
  double dropout = 0;                 // of U, in training; in a mix there is none

  bool operator==(const adapter_options&) const = default;
};

namespace detail {
/// "0, 1, 2"
std::string layers_text(const std::vector<index>& layers);
}  // namespace detail

/// "houlsby, of size 64, with gelu", for people.
std::string adapter_text(const adapter_options& o);

/// What a fusion is, as AdapterHub's AdapterFusionConfig says: which matrices it has, and what it reads (adapters/fusion_adapter.hpp).
struct fusion_options {
  bool query = true, key = true, value = true;
  bool query_before_ln = false;
  bool residual_before = false;

  bool operator==(const fusion_options&) const = default;
};

/// One member of a mix.
struct mixed_adapter {
  std::string name;
  adapter_options adapter{};  // kind `adapter`: at the sites
  tuning_kind kind = tuning_kind::adapter;
  lora_options lora{};                 // kind `lora`: at the projections
  ia3_options ia3{};                   // kind `ia3`: there, too
  prefix_options prefix{};             // kind `prefix`: in the attention
  std::vector<mixed_adapter> fused{};  // kind `fusion`: of these, at the sites
  fusion_options fusion{};             // kind `fusion`
};

/// What A is, for people.
std::string member_text(const mixed_adapter& a);

/// Whether A and B are the same but for their names.
bool same_member(const mixed_adapter& a, const mixed_adapter& b);

/// What is mixed at every site and projection, in order; `base`, when included, is last.
struct multi_adapter_options {
  std::vector<mixed_adapter> adapters{};
  bool include_base = true;
  bool include_flex = false;
  index flex_size = 64;
  activation flex_activation = activation::gelu;
  mixing_mode mode = mixing_mode::softmax;
  fusion_options fusion{};  // mode `fusion`
  bool optimized = true;    // the fused kernel wherever the adapters are frozen; false: always the plain loop

  index count() const { return static_cast<index>(adapters.size()) + (include_base ? 1 : 0); }
  std::vector<std::string> mixed_names() const;
};

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/adapters/adapter_options-inl.hpp"  // IWYU pragma: export
#endif
