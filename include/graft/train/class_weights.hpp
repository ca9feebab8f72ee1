#pragma once
// Weights of labels in the loss: balanced, or given by name.

#include <span>
#include <string>
#include <vector>

#include "graft/data/example.hpp"
#include "graft/data/tasks.hpp"
#include "graft/losses/loss_options.hpp"

namespace graft {

/// loss_options::class_weights that make all labels of T count the same in ROWS.   One label: n / (C n_c), n rows and n_c of label c.
/// Several at once: (n - n_c) / n_c, what a label lacks to half of the rows.
/// @throws config_error  T is a regression; a label has no row, or, of several at once, all
/// Source: sklearn.utils.class_weight.compute_class_weight("balanced"); `pos_weight` in torch's BCEWithLogitsLoss.
/// Tested: tests/train/class_weights_test.cpp
std::vector<double> balanced_class_weights(const task& t, std::span<const features> rows);

/// The weights that TEXT gives to T's labels: "yes=2,no=0.5", {"yes": 2, "no": 0.5}, or [0.5, 2] in the order of T's labels. Labels that
/// are not named have 1.
/// @throws config_error  it is none of these, T is a regression, a label is unknown or there twice, or a weight is out of range
std::vector<double> parse_class_weights(const std::string& text, const task& t);

/// @throws config_error  O is not for a task like T
void check_loss(const loss_options& o, const task& t);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/class_weights-inl.hpp"  // IWYU pragma: export
#endif
