#pragma once
// All that a program needs to get answers or embeddings: the short name of graft/predict/predictor.hpp, answer_stream.hpp and embedder.hpp.

#include "graft/predict/answer_stream.hpp"  // IWYU pragma: export
#include "graft/predict/embedder.hpp"       // IWYU pragma: export
#include "graft/predict/predictor.hpp"      // IWYU pragma: export
