#pragma once
// All that a program needs to get answers: the short name of graft/predict/predictor.hpp and answer_stream.hpp.

#include "graft/predict/answer_stream.hpp"  // IWYU pragma: export
#include "graft/predict/predictor.hpp"      // IWYU pragma: export
