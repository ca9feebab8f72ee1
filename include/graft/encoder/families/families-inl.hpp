#pragma once
// Bodies of graft/encoder/families/families.hpp, and the one place where a new family is named.

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/core/text_list.hpp"
#include "graft/encoder/families/bert.hpp"
#include "graft/encoder/families/deberta_v2.hpp"
#include "graft/encoder/families/distilbert.hpp"
#include "graft/encoder/families/electra.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/encoder/families/modernbert.hpp"
#include "graft/encoder/families/mpnet.hpp"
#include "graft/encoder/families/roberta.hpp"

namespace graft {

GRAFT_INLINE const std::vector<model_family>& model_families() {
  static const std::vector<model_family> all{detail::roberta_family(),     //
                                             detail::bert_family(),        //
                                             detail::distilbert_family(),  //
                                             detail::electra_family(),     //
                                             detail::mpnet_family(),       //
                                             detail::deberta_v2_family(),  //
                                             detail::modernbert_family()};
  return all;
}

GRAFT_INLINE const model_family& family_of(std::string_view name) {
  for (const model_family& one : model_families()) {
    if (one.name == name) return one;
  }
  throw config_error("\"" + std::string(name) + "\" is no family of encoders: one of " + known_model_types() + " was expected");
}

GRAFT_INLINE const model_family* family_of_type(std::string_view type) {
  for (const model_family& one : model_families()) {
    for (const auto& known : one.types) {
      if (known.type == type) return &one;
    }
  }
  return nullptr;
}

GRAFT_INLINE std::string known_model_types() {
  std::string all;
  for (const model_family& one : model_families()) {
    for (const auto& known : one.types) add_to_list(all, known.type);
  }
  return all;
}

GRAFT_INLINE std::string model_class(std::string_view name, std::string_view type) {
  const model_family& family = family_of(name);
  for (const auto& known : family.types) {
    if (known.type == type) return std::string(known.classes);
  }
  return std::string(family.types[0].classes);
}

}  // namespace graft

namespace graft::detail {

/// NAME with the first of PARTS that fits at each word replaced: into OURS, or into theirs. What is called as ours already stays in OURS.
GRAFT_INLINE std::string renamed(const std::vector<renamed_part>& parts, std::string_view name, bool ours) {
  std::string result;
  const auto begins_with = [&](std::string_view part) {
    return name.starts_with(part) && (name.size() == part.size() || name[part.size()] == '.');
  };
  while (!name.empty()) {
    std::string_view taken = name.substr(0, name.find('.')), put = taken;
    const auto find = [&](std::string_view renamed_part::*from, std::string_view renamed_part::*to) {
      for (const renamed_part& one : parts) {
        if (!begins_with(one.*from)) continue;
        taken = one.*from;
        put = one.*to;
        return true;
      }
      return false;
    };
    if (ours) {
      find(&renamed_part::ours, &renamed_part::ours) || find(&renamed_part::theirs, &renamed_part::ours);
    } else {
      find(&renamed_part::ours, &renamed_part::theirs);
    }
    result += put;
    name.remove_prefix(taken.size());
    if (name.empty()) break;
    result += '.';
    name.remove_prefix(1);
  }
  return result;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::string name_in_graft(const model_family& family, std::string_view name) {
  return detail::renamed(family.names, name, true);
}

GRAFT_INLINE std::string name_in_files(const model_family& family, std::string_view name, bool token_head) {
  constexpr std::string_view last = "classifier.out_proj";
  if (token_head && (name == last || name.starts_with("classifier.out_proj."))) return "classifier" + std::string(name.substr(last.size()));
  return detail::renamed(family.names, name, false);
}

}  // namespace graft
