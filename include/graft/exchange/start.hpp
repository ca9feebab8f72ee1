#pragma once
// What a run may start from, fitted to what it is to become: each difference is resolved by name, or refused with both values.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "graft/exchange/adapter_file.hpp"

namespace graft {

/// Whatever open_tuned reads, or tensors under graft's own names that say nothing of themselves (kind `unknown`).
/// @throws format_error  as open_tuned
adapter_file open_start(const std::string& path, const encoder_config& config);

/// What a new head takes over from another: its first layer, and of the last the rows of the labels that both have.
struct head_start {
  tensor_source tensors{""};                       // the other's
  std::vector<std::optional<std::size_t>> rows{};  // for each of the new one's labels the row there; no rows at all: nothing is taken
};

/// What the head in FILE, whatever else that holds, has for the labels of TO, by their names; a number for a number.
head_start fit_head(const adapter_file& file, const model_description& to, const encoder_config& config);

/// "the labels a, b", "2 labels without names", "a regression": what a head is for that D describes.
std::string head_text(const model_description& d);

/// "the rows of a, b are taken over, those of c start fresh": of START, for the labels of TO.
std::string head_start_text(const head_start& start, const model_description& to);

/// A start as the run takes it: tensors under its names, a head that it takes in part, and in a sentence each what differed.
struct fitted_start {
  tensor_source tensors;
  std::vector<std::string> notes;
  head_start head{};
};

namespace detail {

/// Refuses a file that is not what the run trains, with the value of the field of its description that would agree.
class start_check {
 public:
  explicit start_check(const std::string& path) : path_(path) {}

  template <class Value, class Text>
  void same(const std::string& what, const Value& file, const Value& run, const std::string& field, Text&& text) const {
    if (file != run) refuse(what + " " + text(file) + ", this run's is " + text(run), {field, text(file)});
  }
  [[noreturn]] void refuse(const std::string& message, const remedy& help = {}) const;

 private:
  std::string path_;
};

/// The tensor INFO with row ORDER[i] as its row i, in memory that SOURCE keeps.
tensor_info permuted(const tensor_info& info, const std::vector<std::size_t>& order, tensor_source& source);

}  // namespace detail

/// FILE as the start of a run that trains TO, a model around an encoder with CONFIG. The rows of its head follow the names of the labels,
/// mixing weights the names of the adapters; a head for other labels is left out, but for the rows of labels that both have, and a note
/// says so.
/// @throws format_error  it was trained around another encoder
/// @throws config_error  it says of itself what the run is not: kind, size, activation, placement, rank, alpha, targets, what is mixed and
/// how
fitted_start fit_start(const adapter_file& file, const model_description& to, const encoder_config& config);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/start-inl.hpp"  // IWYU pragma: export
#endif
