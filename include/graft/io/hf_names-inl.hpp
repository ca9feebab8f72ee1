#pragma once
// Bodies of graft/io/hf_names.hpp.

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/io/hf_names.hpp"

namespace graft {

GRAFT_INLINE std::optional<std::string> canonical_name(std::string name, std::string_view model_type) {
  const model_family& family = family_of(model_type);
  const std::string prefix = std::string(model_type) + ".";
  name = name_in_graft(family, name);
  for (const auto* start : {"embeddings.", "encoder.", "pooler."}) {
    if (name.starts_with(start)) {
      name = prefix + name;
      break;
    }
  }
  for (const auto* start : {"lm_head.", "cls.", "__pad."}) {
    if (name.starts_with(start)) return std::nullopt;
  }
  for (const auto start : family.other_heads) {
    if (name.starts_with(start)) return std::nullopt;
  }
  if (!family.trunk_pooler && name.starts_with(prefix + "pooler.")) return std::nullopt;
  if (name.ends_with(".position_ids") || name.ends_with(".token_type_ids")) return std::nullopt;
  if (!family.trunk_pooler && (name == "classifier.weight" || name == "classifier.bias")) name.insert(10, ".out_proj");
  const auto replace_end = [&](std::string_view from, std::string_view to) {
    if (name.ends_with(from)) name.replace(name.size() - from.size(), from.size(), to);
  };
  replace_end(".gamma", ".weight");
  replace_end(".beta", ".bias");
  return name;
}

GRAFT_INLINE bool names_token_head(const json& config) {
  const json names = config.is_object() ? config.value("architectures", json()) : json();
  const auto is_one = [](const json& name) { return name.is_string() && name.get<std::string>().ends_with("ForTokenClassification"); };
  return names.is_array() && std::any_of(names.begin(), names.end(), is_one);
}

GRAFT_INLINE std::string name_prefix::in_graft(const std::string& name) const {
  return name_in_graft(family_of(std::string_view(type_prefix_).substr(0, type_prefix_.size() - 1)), name);
}

GRAFT_INLINE std::optional<std::string> name_prefix::canonical(const std::string& theirs) const {
  const std::string_view type = std::string_view(type_prefix_).substr(0, type_prefix_.size() - 1);
  const std::string name = in_graft(theirs);
  if (text_.empty() || (text_ == type_prefix_ && name.starts_with(type_prefix_))) return canonical_name(name, type);
  if (name.starts_with(text_)) return canonical_name(name.substr(text_.size()), type);
  // Heads stand beside the encoder, inside the outer wrappers.
  std::size_t off = 0;
  for (const std::size_t end : ends_) {
    if (name.starts_with(text_.substr(0, end))) off = end;
  }
  auto renamed = canonical_name(name.substr(off), type);
  if (renamed && renamed->starts_with(type_prefix_)) return std::nullopt;
  return renamed;
}

}  // namespace graft
