#pragma once
// Bodies of graft/exchange/config_fields.hpp.

#include <charconv>
#include <filesystem>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/data/tasks.hpp"
#include "graft/exchange/config_fields.hpp"

namespace graft {

GRAFT_INLINE bool is_off(const json& value) {
  return value.is_null() || value.empty() || value == json(false) || value == json("") || (value.is_number() && value.get<double>() == 0);
}

GRAFT_INLINE void check_fields(const json& object, const std::map<std::string, json>& needed, const std::set<std::string>& handled,
                               const std::string& path) {
  for (const auto& [field, value] : object.items()) {
    if (handled.contains(field)) continue;
    const auto only = needed.find(field);
    if (only != needed.end() ? value == only->second : is_off(value)) continue;
    throw format_error(path, "\"" + field + "\" is " + shown(value) + ", which graft does not compute: " +
                                 (only != needed.end() ? shown(only->second) : "an adapter without it") + " was expected");
  }
}

}  // namespace graft

namespace graft::detail {

GRAFT_INLINE std::optional<std::size_t> label_id(const json& value, index count) {
  std::size_t id = 0;
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto end = text.data() + text.size();
    if (const auto [stop, failed] = std::from_chars(text.data(), end, id); failed != std::errc() || stop != end) return std::nullopt;
  } else if (value.is_number_unsigned()) {
    id = value.get<std::size_t>();
  } else {
    return std::nullopt;
  }
  return id < static_cast<std::size_t>(count) ? std::optional(id) : std::nullopt;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::vector<std::string> labels_by_id(const json& object, index count, const std::string& path) {
  std::vector<std::string> labels;
  for (const std::string field : {"id2label", "label2id"}) {
    const json given = object.value(field, json());
    if (given.is_null()) continue;
    const std::string who = "\"" + field + "\" ", each = "one label for each id from 0 to " + std::to_string(count - 1) + " was expected";
    if (!given.is_object()) throw format_error(path, who + "is " + shown(given) + ", an object with " + each);
    std::vector<std::string> found(static_cast<std::size_t>(count));
    std::set<std::size_t> known;
    for (const auto& [key, value] : given.items()) {
      const bool by_label = field == "label2id";
      const auto id = detail::label_id(by_label ? value : json(key), count);
      if (!id) {
        throw format_error(path, who + "has the id " + shown(by_label ? value : json(key)) + (by_label ? " for " + shown(json(key)) : "") +
                                     ", a whole number from 0 to " + std::to_string(count - 1) + " was expected");
      }
      if (!by_label && !value.is_string() && !value.is_number_integer())
        throw format_error(path, who + "has the label " + shown(value) + " for id " + key + ", a text or a whole number was expected");
      if (!known.insert(*id).second) throw format_error(path, who + "has two labels for id " + std::to_string(*id) + ", " + each);
      found[*id] = by_label ? key : value.is_string() ? value.get<std::string>() : value.dump();
    }
    if (known.size() != found.size()) throw format_error(path, who + "is " + shown(given) + ", " + each);
    labels = found;
    check_labels(labels, path, field);
    break;
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != "LABEL_" + std::to_string(i)) return labels;
  }
  return {};
}

GRAFT_INLINE std::optional<index> model_max_length(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / "tokenizer_config.json").string();
  const json about = is_there(path) ? read_json(path) : json();
  const json most = about.is_object() ? about.value("model_max_length", json()) : json();
  if (!most.is_number() || most.get<double>() < 1 || most.get<double>() > 1e9) return std::nullopt;
  return most.get<index>();
}

}  // namespace graft
