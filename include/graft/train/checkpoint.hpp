#pragma once
// All that a run needs to go on as if it had never stopped, in one file.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "graft/core/byte_sum.hpp"
#include "graft/core/error.hpp"
#include "graft/core/json.hpp"
#include "graft/data/example.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/optim/adamw.hpp"
#include "graft/train/training_options.hpp"
#include "graft/train/training_reports.hpp"

namespace graft {

/// What differs between BEFORE and NOW among the names that both have, in words: "learning_rate is 0.1 and was 0.001"; "": nothing.
std::string changed_since(const run_identity& before, const run_identity& now);

/// 16 hexadecimal digits over ids, labels and targets of ROWS, in order.
std::string rows_digest(std::span<const features> rows);

namespace detail {
template <class M>
auto elements(M&& m) {
  return std::span(m.data(), static_cast<std::size_t>(m.size()));
}

/// The metadata's field with the byte_sum of each tensor, and of the field with the state. In "graft_checkpoint_sums" earlier versions
/// wrote other sums.
inline constexpr const char* checkpoint_sums_field = "graft_checkpoint_byte_sums";

/// Where a run stands, and which run it is, as text for the checkpoint's metadata.
std::string state_text(const run_identity& identity, const training_state& state);

/// Where the run stands that wrote TEXT, into the file PATH.
training_state state_of_text(const std::string& text, const std::string& path);

/// What state_text wrote to the metadata of FILE.
/// @throws format_error  FILE is no checkpoint, or of another run than IDENTITY
training_state state_of(const safetensors_file& file, const run_identity& identity);

/// Compares what FILE holds with the sums that save_checkpoint wrote of it; one of an earlier version has none, and is taken as it is.
/// @throws format_error  a tensor, or where the run stands, is not what was written
void check_sums(const safetensors_file& file);

}  // namespace detail

/// Writes STATE, the parameters and moments of OPTIMIZER, and BEST (empty: no best yet) of the run IDENTITY to PATH in one step.
/// @throws backend_error  as safetensors_writer::write
template <class T>
void save_checkpoint(const std::string& path, const run_identity& identity, const training_state& state, adamw<T>& optimizer,
                     std::vector<matrix<T>>& best) {
  safetensors_writer writer;
  const std::string text = detail::state_text(identity, state);
  json sums{{"", byte_sum(std::as_bytes(std::span(text)))}};
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
    auto& p = *optimizer.parameters()[i];
    const auto add = [&](const char* what, const auto& m) {
      const std::string name = std::string(what) + "/" + p.name;
      const std::span<const T> values = detail::elements(m);
      sums[name] = byte_sum(std::as_bytes(values));
      writer.add(name, p.shape(), values);
    };
    add("parameter", p.value());
    add("m", optimizer.state()[i].m);
    add("v", optimizer.state()[i].v);
    if (!best.empty()) add("best", best[i]);
  }
  writer.metadata = {{"graft_checkpoint", text}, {detail::checkpoint_sums_field, sums.dump()}};
  writer.write(path);
}

/// Reads what save_checkpoint wrote.
/// @throws format_error  damaged, or of another run than IDENTITY: what differs is named
template <class T>
training_state load_checkpoint(const std::string& path, const run_identity& identity, adamw<T>& optimizer, std::vector<matrix<T>>& best) {
  const safetensors_file file(path);
  detail::check_sums(file);
  const training_state state = detail::state_of(file, identity);
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
