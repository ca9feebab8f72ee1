#pragma once
// All that a run needs to go on as if it had never stopped, in one file.

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/core/json.hpp"
#include "graft/data/example.hpp"
#include "graft/io/model_file.hpp"
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
  std::string training_data;  // rows_digest of what is trained on
};

/// 16 hexadecimal digits over ids, labels and targets of ROWS, in order.
inline std::string rows_digest(std::span<const features> rows) {
  fnv1a hash;
  for (const features& row : rows) {
    hash.add(std::as_bytes(std::span(row.input_ids)));
    hash.add(std::as_bytes(std::span(row.token_type_ids)));
    hash.add(std::as_bytes(std::span(&row.label, 1)));
    hash.add(std::as_bytes(std::span(&row.target, 1)));
  }
  return hash.text();
}

namespace detail {
template <class M>
std::span<typename M::Scalar> elements(M& m) {
  return {m.data(), static_cast<std::size_t>(m.size())};
}
}  // namespace detail

/// Writes STATE, the parameters and moments of OPTIMIZER, and BEST (empty: no best yet) to PATH in one step.
/// @throws backend_error  as safetensors_writer::write
template <class T>
void save_checkpoint(const std::string& path, const training_state& state, adamw<T>& optimizer, std::vector<matrix<T>>& best) {
  safetensors_writer writer;
  const ordered_json text{{"epoch", state.epoch},
                          {"epoch_step", state.epoch_step},
                          {"global_step", state.global_step},
                          {"evaluated_step", state.evaluated_step},
                          {"best_score", state.best_score ? ordered_json(*state.best_score) : ordered_json()},
                          {"best_step", state.best_step},
                          {"training_data", state.training_data}};
  writer.metadata = {{"graft_checkpoint", text.dump()}};
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
    auto& p = *optimizer.parameters()[i];
    const auto add = [&](const char* what, auto& m) {
      writer.add(std::string(what) + "/" + p.name, p.shape(), std::span<const T>(detail::elements(m)));
    };
    add("parameter", p.value);
    add("m", optimizer.state()[i].m);
    add("v", optimizer.state()[i].v);
    if (!best.empty()) add("best", best[i]);
  }
  writer.write(path);
}

/// Reads what save_checkpoint wrote.
/// @throws format_error  damaged, or of a run with other trained parameters or another precision
template <class T>
training_state load_checkpoint(const std::string& path, adamw<T>& optimizer, std::vector<matrix<T>>& best) {
  const safetensors_file file(path);
  const auto text = file.metadata().find("graft_checkpoint");
  if (text == file.metadata().end()) throw format_error(path, "is not a checkpoint of graft");
  const json o = parse_json(text->second, path);
  training_state state;
  state.epoch = required<std::int64_t>(o, "epoch", path);
  state.epoch_step = required<std::int64_t>(o, "epoch_step", path);
  state.global_step = required<std::int64_t>(o, "global_step", path);
  state.evaluated_step = required<std::int64_t>(o, "evaluated_step", path);
  if (!o.at("best_score").is_null()) state.best_score = required<double>(o, "best_score", path);
  state.best_step = required<std::int64_t>(o, "best_step", path);
  state.training_data = required<std::string>(o, "training_data", path);
  best.clear();
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
    auto& p = *optimizer.parameters()[i];
    const auto get = [&](const char* what, auto& m) {
      const std::string name = std::string(what) + "/" + p.name;
      file.expect({{name, p.shape()}});
      if (file.at(name).type != dtype_of<T>()) {
        throw format_error(path,
                           "was written in another --precision: tensor '" + name + "' is " + std::string(dtype_name(file.at(name).type)));
      }
      file.read(name, detail::elements(m));
    };
    get("parameter", p.value);
    get("m", optimizer.state()[i].m);
    get("v", optimizer.state()[i].v);
    if (state.best_score) {
      best.emplace_back(p.value.rows(), p.value.cols());
      get("best", best.back());
    }
  }
  optimizer.set_steps(state.global_step);
  return state;
}

}  // namespace graft
