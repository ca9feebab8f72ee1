#pragma once
// Configurations of other programs: what graft would not compute as they say is refused, by name.

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graft/core/json_fwd.hpp"
#include "graft/core/types.hpp"

namespace graft {

/// Whether VALUE says "without": null, false, 0, "", [] or {}.
bool is_off(const json& value);

/// Checks every member of OBJECT that is not HANDLED elsewhere: those of NEEDED have exactly that value, all others are off.
/// @throws format_error  naming the first one that is not so
void check_fields(const json& object, const std::map<std::string, json>& needed, const std::set<std::string>& handled,
                  const std::string& path);

namespace detail {

/// VALUE, a number or the text of one, as an id below COUNT; nothing if it is none.
std::optional<std::size_t> label_id(const json& value, index count);

}  // namespace detail

/// The COUNT labels of a head in the order of their ids, as OBJECT, a configuration of Hugging Face's, gives them in "id2label"
/// ({"0": "no", "1": "yes"}; a whole number is its digits), by which alone transformers answers, or else in "label2id" ({"no": 0, "yes":
/// 1}); empty when in neither, or when they are LABEL_0, LABEL_1, ..., the names that stand for none.
/// @throws format_error  an id without a label, a label without an id, or one that is neither text nor whole number
std::vector<std::string> labels_by_id(const json& object, index count, const std::string& path);

/// At how many tokens the tokenizer in FOLDER cuts texts: "model_max_length" of its tokenizer_config.json; nothing where that says nothing.
std::optional<index> model_max_length(const std::string& folder);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/config_fields-inl.hpp"  // IWYU pragma: export
#endif
