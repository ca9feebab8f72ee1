#pragma once
// Weights that a model file holds as products read them, too: how they get there. model/packed_loading.hpp reads them.

#include <optional>
#include <string>

#include "graft/core/precision_choice.hpp"
#include "graft/encoder/config.hpp"
#include "graft/io/tensor_source.hpp"

namespace graft {

/// Adds to MODEL, the tensors of an encoder that CONFIG describes and that has the fingerprint PRINT, the weights of its layers as products
/// of FORM read them: U8 tensors called packed_name(its name, weight's name), and metadata that says whose they are. What MODEL had of the
/// kind before is left out; without FORM, nothing is added.
/// Cost: as pack_frozen, and that much memory.
/// @throws format_error  a number is NaN or infinite      @throws config_error  FORM is f64
tensor_source with_packed_trunk(const tensor_source& model, const encoder_config& config, const std::string& print,
                                std::optional<precision> form, int threads);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/model/packed_trunk-inl.hpp"  // IWYU pragma: export
#endif
