#pragma once
// The families of encoders that there are, by name.

#include <string>
#include <string_view>
#include <vector>

#include "graft/encoder/families/family.hpp"

namespace graft {

/// All of them.
const std::vector<model_family>& model_families();

/// The one that graft calls NAME.
/// @throws config_error  there is none
const model_family& family_of(std::string_view name);

/// The one whose config.json says TYPE; null: there is none.
const model_family* family_of_type(std::string_view type);

/// "bert, roberta, xlm-roberta, ...": what config.json may say.
std::string known_model_types();

/// How transformers' classes of models begin that graft calls NAME and config.json TYPE: "Roberta".
std::string model_class(std::string_view name, std::string_view type);

/// NAME, of a tensor or a part of its name that begins behind a dot, as graft calls it in a model of FAMILY; and as files do, in which a
/// TOKEN_HEAD is but a last layer, classifier.*, in every family.
std::string name_in_graft(const model_family& family, std::string_view name);
std::string name_in_files(const model_family& family, std::string_view name, bool token_head = false);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/encoder/families/families-inl.hpp"  // IWYU pragma: export
#endif
