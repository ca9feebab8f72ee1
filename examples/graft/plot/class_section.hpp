#pragma once
// What a report says of an evaluation, label by label and row by row.

#include <string>

#include "graft/core/json.hpp"

namespace graft::program {

/// Tables of the confusions, of each label's scores and of the worst rows, as HTML, from REPORT, what a run wrote to val_report.json.
/// @throws format_error  it is not what a run writes
std::string class_section(const ordered_json& report);

}  // namespace graft::program
