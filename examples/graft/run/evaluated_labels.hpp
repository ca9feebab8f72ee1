#pragma once
// The labels of rows and those of a model, brought together.

#include <cstddef>
#include <string>
#include <vector>

#include "graft/predict/predictor.hpp"
#include "run/question.hpp"

namespace graft::program {

/// What is scored.
struct evaluated_labels_result {
  task of;                         // of the rows; of rows without a task the model's
  std::vector<std::size_t> order;  // which logit of the model is that of each of its labels
  std::vector<std::string> notes;  // what the user should know of
};

/// MODEL beside the rows that Q names. Labels are compared as they are, else without regard to capitals; a model that does not say what its
/// labels are is taken to have the task's, in its order.
/// @throws config_error  the model answers something else than the rows ask
evaluated_labels_result evaluated_labels(const question& q, const predictor& model);

}  // namespace graft::program
