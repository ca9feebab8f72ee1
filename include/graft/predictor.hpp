#pragma once
// All that a program needs to get answers: the short name of graft/predict/predictor.hpp.

#include "graft/predict/predictor.hpp"  // IWYU pragma: export
