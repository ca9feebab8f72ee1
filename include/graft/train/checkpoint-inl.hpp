#pragma once
// Bodies of graft/train/checkpoint.hpp.

#include <cstdint>
#include <optional>

#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/core/text_list.hpp"
#include "graft/io/model_file.hpp"
#include "graft/train/checkpoint.hpp"

namespace graft {

GRAFT_INLINE std::string changed_since(const run_identity& before, const run_identity& now) {
  std::string text;
  for (const auto& [name, value] : now) {
    const auto old = before.find(name);
    if (old == before.end() || old->second == value) continue;
    add_to_list(text, name, "; ");
    // Digests say nothing to a reader; what they are of has a name in words.
    text += name.find(' ') != std::string::npos
                ? std::string(name.ends_with('s') ? " are not the same as then" : " is not the same as then")
                : " is " + value + " and was " + old->second;
  }
  return text;
}

GRAFT_INLINE std::string rows_digest(std::span<const features> rows) {
  fnv1a hash;
  for (const features& row : rows) {
    const std::uint64_t length = row.input_ids.size();
    hash.add(std::as_bytes(std::span(&length, 1)));
    hash.add(std::as_bytes(std::span(row.input_ids)));
    hash.add(std::as_bytes(std::span(row.token_type_ids)));
    hash.add(std::as_bytes(std::span(&row.label, 1)));
    hash.add(std::as_bytes(std::span(&row.target, 1)));
    hash.add(std::as_bytes(std::span(row.label_set)));
    hash.add(std::as_bytes(std::span(row.answering)));
    hash.add(std::as_bytes(std::span(row.tags)));
  }
  return hash.text();
}

}  // namespace graft

namespace graft::detail {

GRAFT_INLINE std::string state_text(const run_identity& identity, const training_state& state) {
  const ordered_json text{{"epoch", state.epoch},
                          {"epoch_step", state.epoch_step},
                          {"global_step", state.global_step},
                          {"evaluated_step", state.evaluated_step},
                          {"best_score", state.best_score ? ordered_json(*state.best_score) : ordered_json()},
                          {"best_step", state.best_step},
                          {"stalled_evaluations", state.stalled_evaluations},
                          {"run", identity}};
  return text.dump();
}

GRAFT_INLINE training_state state_of(const safetensors_file& file, const run_identity& identity) {
  const std::string& path = file.path();
  const auto text = file.metadata().find("graft_checkpoint");
  if (text == file.metadata().end()) throw format_error(path, "is not a checkpoint of graft");
  const json o = parse_json(text->second, path);
  if (!o.contains("run")) {
    throw format_error(path, "does not say which rows and options it belongs to, as earlier versions of graft did not: start anew");
  }
  auto before = required<run_identity>(o, "run", path);
  if (before["seed"] == "-1") before.erase("seed");  // earlier versions wrote what was asked for where they meant the seed that was drawn
  if (const std::string changed = changed_since(before, identity); !changed.empty()) {
    throw format_error(path, "is of another run: " + changed + "; a run goes on only as it was started");
  }
  return state_of_text(text->second, path);
}

GRAFT_INLINE void check_sums(const safetensors_file& file) {
  const auto found = file.metadata().find(checkpoint_sums_field), state = file.metadata().find("graft_checkpoint");
  if (found == file.metadata().end() || state == file.metadata().end()) return;
  const json sums = parse_json(found->second, file.path() + " (its sums)");
  const auto check = [&](const std::string& name, std::span<const std::byte> bytes, const std::string& what) {
    if (sums.is_object() && sums.value(name, json()) == byte_sum(bytes)) return;
    throw format_error(file.path(), what + " is not what was written: the file is damaged, and no run can go on from it; start anew");
  };
  check("", std::as_bytes(std::span(state->second)), "where the run stands");
  for (const auto& [name, info] : file.tensors()) check(name, info.bytes, "tensor '" + name + "'");
}

GRAFT_INLINE training_state state_of_text(const std::string& text, const std::string& path) {
  const json o = parse_json(text, path);
  training_state state;
  state.epoch = required<std::int64_t>(o, "epoch", path);
  state.epoch_step = required<std::int64_t>(o, "epoch_step", path);
  state.global_step = required<std::int64_t>(o, "global_step", path);
  state.evaluated_step = required<std::int64_t>(o, "evaluated_step", path);
  if (o.contains("best_score") && !o["best_score"].is_null()) state.best_score = required<double>(o, "best_score", path);
  state.best_step = required<std::int64_t>(o, "best_step", path);
  state.stalled_evaluations = optional<std::int64_t>(o, "stalled_evaluations", path, 0);  // earlier versions had none
  return state;
}

}  // namespace graft::detail
