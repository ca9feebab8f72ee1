#pragma once
// All that a program needs to train: tasks and their rows, a model of any kind, the training loop.

#include "graft/data/data_set.hpp"         // IWYU pragma: export
#include "graft/data/example_reader.hpp"   // IWYU pragma: export
#include "graft/data/tasks.hpp"            // IWYU pragma: export
#include "graft/text/tokenizer.hpp"        // IWYU pragma: export
#include "graft/train/trainer.hpp"         // IWYU pragma: export
#include "graft/train/tunable_model.hpp"   // IWYU pragma: export
