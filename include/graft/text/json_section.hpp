#pragma once
// A part of a JSON file that knows where it stands.

#include <string>
#include <utility>
#include <vector>

#include "graft/core/json.hpp"

namespace graft::detail {

/// A value inside a JSON file, which outlives it, with the place where it stands: PATH: "model".
struct json_section {
  const json& value;
  std::string where;

  json_section at(const std::string& field) const;

  /// @throws format_error  FIELD is none of VALUES; one that is absent counts as null
  void expect(const std::string& field, const std::vector<json>& values) const;

  /// @throws format_error  not an object of type TYPE, or one with other fields than KNOWN
  void expect_only(const std::string& type, const std::vector<std::string>& known) const;

  /// The field "type" of an object.
  std::string type() const { return get<std::string>("type"); }

  template <class T>
  T get(const std::string& field) const {
    return required<T>(value, field, where);
  }

  /// Calls VISIT(section) for each of the list FIELD, which lies in DEPTH others.
  /// @throws format_error  it is no list, or too deep in others
  template <class Visit>
  void for_each(const std::string& field, int depth, Visit visit) const {
    const auto list = at(field);
    if (!list.value.is_array()) throw format_error(list.where, "is " + shown(list.value) + ", a list was expected");
    if (depth > 8) throw format_error(list.where, "is a list in more lists than graft follows");
    std::size_t number = 0;
    for (const auto& one : list.value) visit(json_section{one, list.where + " entry " + std::to_string(number++)});
  }
};

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/text/json_section-inl.hpp"  // IWYU pragma: export
#endif
