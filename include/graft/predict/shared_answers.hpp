#pragma once
// Answers to rows that several processes share: the first has the rows and wants the answers, each computes some.

#include <atomic>
#include <span>
#include <vector>

#include "graft/core/index.hpp"
#include "graft/core/rank_group.hpp"
#include "graft/data/example.hpp"
#include "graft/predict/predictor.hpp"

namespace graft {

/// Of the first rank of GROUP: the answers to ROWS, as predictor::predict_each gives them, to the bit, of which every rank computes a
/// share; the others have to be in `share_answers`. Nothing when *STOP turns true, there or on any other rank.
/// @throws as predictor::predict_each, and as the group      Tested: tests/predict/shared_answers_test.cpp
std::vector<answer> shared_answers(rank_group& group, const predictor& model, std::span<const example> rows, index batch_size = 0,
                                   int threads = 0, const std::atomic<bool>* stop = nullptr);
/// Of the first rank: there are no more rows, and the others return.
void end_shared_answers(rank_group& group);

/// Of all others: answers rows of the first rank's with MODEL, the same one as there, until there are no more.
void share_answers(rank_group& group, const predictor& model, int threads = 0, const std::atomic<bool>* stop = nullptr);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/predict/shared_answers-inl.hpp"  // IWYU pragma: export
#endif
