#pragma once
// All that a run needs to go on as if it had never stopped, in one file.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/core/json.hpp"
#include "graft/data/example.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/optim/adamw.hpp"

namespace graft {

/// Where a run stands. `epoch_step` counts optimizer steps within the epoch, `global_step` all of them.
struct training_state {
  std::int64_t epoch = 0;
  std::int64_t epoch_step = 0;
  std::int64_t global_step = 0;
  std::int64_t evaluated_step = 0;  // global step of the last evaluation
  std::optional<double> best_score;
  std::int64_t best_step = 0;
};

/// What the numbers of a run depend on: name -> value, or digest of what is read. "learning_rate" -> "0.001", "training rows" -> 16 digits.
using run_identity = std::map<std::string, std::string>;

/// What differs between BEFORE and NOW among the names that both have, in words: "learning_rate is 0.1 and was 0.001"; "": nothing.
std::string changed_since(const run_identity& before, const run_identity& now);

/// 16 hexadecimal digits over ids, labels and targets of ROWS, in order.
std::string rows_digest(std::span<const features> rows);

namespace detail {
template <class M>
auto elements(M&& m) {
  return std::span(m.data(), static_cast<std::size_t>(m.size()));
}
}  // namespace detail

/// Writes STATE, the parameters and moments of OPTIMIZER, and BEST (empty: no best yet) of the run IDENTITY to PATH in one step.
/// @throws backend_error  as safetensors_writer::write
template <class T>
void save_checkpoint(const std::string& path, const run_identity& identity, const training_state& state, adamw<T>& optimizer,
                     std::vector<matrix<T>>& best) {
  safetensors_writer writer;
  const ordered_json text{{"epoch", state.epoch},
                          {"epoch_step", state.epoch_step},
                          {"global_step", state.global_step},
                          {"evaluated_step", state.evaluated_step},
                          {"best_score", state.best_score ? ordered_json(*state.best_score) : ordered_json()},
                          {"best_step", state.best_step},
                          {"run", identity}};
  writer.metadata = {{"graft_checkpoint", text.dump()}};
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
    auto& p = *optimizer.parameters()[i];
    const auto add = [&](const char* what, const auto& m) {
      writer.add(std::string(what) + "/" + p.name, p.shape(), std::span<const T>(detail::elements(m)));
    };
    add("parameter", p.value());
    add("m", optimizer.state()[i].m);
    add("v", optimizer.state()[i].v);
    if (!best.empty()) add("best", best[i]);
  }
  writer.write(path);
}

/// Reads what save_checkpoint wrote.
/// @throws format_error  damaged, or of another run than IDENTITY: what differs is named
template <class T>
training_state load_checkpoint(const std::string& path, const run_identity& identity, adamw<T>& optimizer, std::vector<matrix<T>>& best) {
  const safetensors_file file(path);
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
  training_state state;
  state.epoch = required<std::int64_t>(o, "epoch", path);
  state.epoch_step = required<std::int64_t>(o, "epoch_step", path);
  state.global_step = required<std::int64_t>(o, "global_step", path);
  state.evaluated_step = required<std::int64_t>(o, "evaluated_step", path);
  if (o.contains("best_score") && !o["best_score"].is_null()) state.best_score = required<double>(o, "best_score", path);
  state.best_step = required<std::int64_t>(o, "best_step", path);
  best.clear();
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
    auto& p = *optimizer.parameters()[i];
    const auto get = [&](const char* what, auto&& m) {
      const std::string name = std::string(what) + "/" + p.name;
      file.expect({{name, p.shape()}});
      if (file.at(name).type != dtype_of<T>()) {
        throw format_error(path,
                           "was written in another precision: tensor '" + name + "' is " + std::string(dtype_name(file.at(name).type)));
      }
      file.read(name, detail::elements(m));
    };
    get("parameter", p.edit());
    get("m", optimizer.state()[i].m);
    get("v", optimizer.state()[i].v);
    if (state.best_score) {
      best.emplace_back(p.rows(), p.cols());
      get("best", best.back());
    }
  }
  optimizer.set_steps(state.global_step);
  return state;
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/checkpoint-inl.hpp"  // IWYU pragma: export
#endif
