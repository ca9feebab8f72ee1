// The number of processes that train and evaluate together changes no bit. Here they are threads.

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "graft/model/freezing.hpp"
#include "graft/train/micro_batch_gradients-inl.hpp"
#include "graft/train/trainer_of.hpp"
#include "support/shared.hpp"
#include "support/thread_ranks.hpp"
#include "training/tiny_task.hpp"

namespace {

struct trained_by_ranks {
  std::vector<double> numbers{};  // losses, entropies, norms and scores
  std::vector<graft::matrix<float>> parameters{};
  graft::trainer::outcome outcome{};
  std::string checkpoint{};

  bool operator==(const trained_by_ranks& other) const {
    bool same = numbers == other.numbers && parameters.size() == other.parameters.size() && outcome == other.outcome;
    for (std::size_t i = 0; same && i < parameters.size(); ++i) {
      same = std::memcmp(parameters[i].data(), other.parameters[i].data(),
                         static_cast<std::size_t>(parameters[i].size()) * sizeof(float)) == 0;
    }
    return same && checkpoint == other.checkpoint;
  }
};

graft::encoder_config rank_config() {
  auto c = graft_test::tiny_config();
  c.num_hidden_layers = 3;
  return c;
}

template <class P>
graft::adapter_classifier<P> rank_model() {
  auto model = graft::make_adapter_classifier<P>(rank_config(), 2, {4});
  graft_test::draw_weights(model);
  graft::tune_adapters(model);
  return model;
}

template <class P>
graft::multi_adapter_classifier<P> rank_mix() {
  graft::multi_adapter_options o;
  o.adapters = {{"a", {4}}, {"b", {6}}, {"c", {}, graft::tuning_kind::lora, {2, 4, {"query"}}}};
  o.include_flex = true;
  auto model = graft::make_multi_adapter_classifier<P>(rank_config(), 2, o, 1);
  graft_test::draw_weights(model);
  graft::tune_mix(model, graft::multi_adapter_ft_mode::flex);
  return model;
}

/// What RANK of a group, or one process, makes of MODEL. STOP_AT: the step before which STOPPER wishes to stop.
template <class Model>
trained_by_ranks train_rank(Model model, graft::rank_group* group, const std::string& checkpoint, bool resume = false, int stop_at = -1,
                            int stopper = 0, graft::index tokens = 25) {
  const auto data = graft_test::rows(70, 1), validation = graft_test::rows(37, 2);
  graft::training_options o;
  o.train_batch_size = 24;
  o.eval_batch_size = 5;
  o.micro_batch_tokens = tokens;
  o.num_train_epochs = 2;
  o.gradient_accumulation_steps = 2;
  o.learning_rate = 5e-3;
  o.eval_every_steps = 1;
  o.seed = 11;
  o.threads = group == nullptr ? 2 : 1 + group->rank() % 2;
  o.group = group;
  const bool first = group == nullptr || group->rank() == 0;
  o.checkpoint_path = first ? checkpoint : "/nowhere/that/is";
  graft::trainer_of<Model> training(model, graft_test::two_classes(), o, data, &validation);
  if (resume) training.resume(o.checkpoint_path);
  trained_by_ranks result;
  std::atomic<bool> stop = false;
  result.outcome = training.run({[&](const graft::step_report& r) {
                                   result.numbers.insert(result.numbers.end(), {r.loss, r.entropy, r.gradient_norm});
                                   stop = r.global_step == stop_at && (group == nullptr || group->rank() == stopper);
                                 },
                                 [&](const graft::evaluation_report& r) {
                                   result.numbers.insert(result.numbers.end(), {r.loss, r.metrics.major});
                                 },
                                 {}},
                                &stop);
  for (const auto* p : graft::trainable_parameters(model)) result.parameters.emplace_back(p->value());
  return result;
}

/// TOKENS 25: about eight micro-batches; 90: two or three, so that some ranks have none; 0: one, which each rank computes whole.
template <class Make>
void check_ranks(Make&& make, graft::index tokens) {
  const graft_test::temporary_folder folder;
  const trained_by_ranks alone = train_rank(make(), nullptr, folder / "none", false, -1, 0, tokens);
  REQUIRE(alone.numbers.size() == 10);
  for (const int ranks : {1, 2, 3, 4, 7}) {
    INFO(ranks << " ranks, " << tokens << " tokens");
    std::vector<trained_by_ranks> found(static_cast<std::size_t>(ranks));
    graft_test::on_ranks(ranks, [&](graft::rank_group& group) {
      found[static_cast<std::size_t>(group.rank())] = train_rank(make(), &group, folder / "none", false, -1, 0, tokens);
    });
    for (const auto& one : found) CHECK(one == alone);
  }
}

}  // namespace

TEST_CASE("one, two, three, four and seven ranks train to the same bits") { check_ranks(rank_model<graft::f32>, GENERATE(25, 90, 0)); }
TEST_CASE("one, two, three, four and seven ranks train to the same bits in bf16") {
  check_ranks(rank_model<graft::bf16>, GENERATE(25, 90));
}
TEST_CASE("one, two, three, four and seven ranks train a mix to the same bits") {
  check_ranks(rank_mix<graft::f32>, 25);
  check_ranks(rank_mix<graft::bf16>, 25);
}

TEST_CASE("ranks stop after one step where any of them wishes to, and another number of them goes on to the same bits") {
  const graft_test::temporary_folder folder;
  const trained_by_ranks alone = train_rank(rank_model<graft::f32>(), nullptr, folder / "none");
  const std::string checkpoint = folder / "checkpoint";
  graft_test::on_ranks(3, [&](graft::rank_group& group) {
    const auto found = train_rank(rank_model<graft::f32>(), &group, checkpoint, false, 1, 2);
    if (found.outcome != graft::trainer::outcome::stopped) throw graft::error("did not stop");
  });
  for (const int ranks : {1, 4}) {
    INFO(ranks << " ranks");
    std::vector<trained_by_ranks> found(static_cast<std::size_t>(ranks));
    graft_test::on_ranks(ranks, [&](graft::rank_group& group) {
      found[static_cast<std::size_t>(group.rank())] = train_rank(rank_model<graft::f32>(), &group, checkpoint, true);
    });
    for (auto& one : found) {
      CHECK(std::equal(one.numbers.rbegin(), one.numbers.rend(), alone.numbers.rbegin()));
      one.numbers = alone.numbers;
      CHECK(one == alone);
    }
  }
}

TEST_CASE("ranks whose parameters are not the same say so at once") {
  const auto differ = [](graft::rank_group& group) {
    auto model = rank_model<graft::f32>();
    if (group.rank() == 1) graft::trainable_parameters(model)[3]->edit()(0, 0) += 1e-6F;
    graft::context ctx;
    ctx.threads = 1;
    ctx.group = &group;
    graft::batch b;
    for (const auto& row : graft_test::rows(9, 5).rows) b.add(row);
    graft::micro_batch_gradients<graft::adapter_classifier<graft::f32>> gradients;
    gradients.add(model, b, graft::task_kind::classification, 1, 30, ctx);
  };
  CHECK_THROWS_WITH(graft_test::on_ranks(2, differ), Catch::Matchers::Contains("rank 1 trains other numbers than rank 0"));
}

namespace {

/// A rank that notes who exchanges, and how often.
class watched_rank final : public graft_test::thread_rank {
 public:
  watched_rank(graft_test::shared_buffers& buffers, int rank) : thread_rank(buffers, rank) {}
  void exchange(std::span<const outgoing> out, std::span<const incoming> in) override {
    by_caller = by_caller || std::this_thread::get_id() == caller;
    thread_rank::exchange(out, in);
    ++exchanges;
  }
  std::thread::id caller = std::this_thread::get_id();
  bool by_caller = false;
  std::atomic<int> exchanges = 0;
};

/// A model whose backward pass waits behind each of its upper layers, until what is above has been exchanged.
struct waiting_model : graft::adapter_classifier<graft::f32> {
  void backward(graft::const_view<float> d, const graft::batch& b, const trace& t, graft::context& ctx) {
    const auto* const inner = ctx.layer_done();
    int layers = 0;
    const auto wait = [&](graft::index l) {
      (*inner)(l);
      if (l == 0 || --passes[static_cast<std::size_t>(l)] > 0) return;
      ++layers;
      for (int waited = 0; group->exchanges < layers && waited < 10000; ++waited) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      before_the_end += group->exchanges >= layers ? 1 : 0;
    };
    const graft::function_view<void(graft::index)> told = wait;
    const graft::gradients_into scope(ctx, ctx.gradients(), &told);
    classifier::backward(d, b, t, ctx);
  }
  watched_rank* group = nullptr;
  std::array<int, 3> passes{};  // micro-batches of this rank that are to come through a layer
  int before_the_end = 0;
};

}  // namespace

TEST_CASE("what upper layers' gradients are is exchanged while lower ones are computed") {
  graft::batch b;
  for (const auto& row : graft_test::rows(24, 5).rows) b.add(row);
  std::vector<graft::index> cuts;
  graft::micro_batches(b, 30, cuts);
  const graft::index leaves = std::ssize(cuts) - 1;
  graft_test::shared_buffers buffers(2);
  std::vector<std::thread> ranks;
  std::array<std::string, 2> wrong;
  for (int r = 0; r < 2; ++r) {
    ranks.emplace_back([&, r] {
      watched_rank group(buffers, r);
      waiting_model model{rank_model<graft::f32>()};
      model.group = &group;
      model.passes.fill(static_cast<int>(graft::detail::first_leaf(leaves, r + 1, 2) - graft::detail::first_leaf(leaves, r, 2)));
      graft::context ctx;
      ctx.threads = 1;
      ctx.group = &group;
      graft::micro_batch_gradients<waiting_model> gradients;
      gradients.add(model, b, graft::task_kind::classification, 1, 30, ctx);
      if (model.before_the_end != 2 || group.exchanges != 3) {
        wrong[static_cast<std::size_t>(r)] =
            std::to_string(model.before_the_end) + " of 2 before the end, " + std::to_string(group.exchanges) + " of 3 in all";
      }
      if (group.by_caller) wrong[static_cast<std::size_t>(r)] += ", by the thread that computes";
    });
  }
  for (auto& rank : ranks) rank.join();
  CHECK(wrong[0] == "");
  CHECK(wrong[1] == "");
}

TEST_CASE("a rank whose computing fails, and one that cannot send, say so when nothing of it runs any more") {
  graft_test::shared_buffers buffers(1);
  graft_test::thread_rank alone(buffers, 0);
  const std::vector<graft::gradient_segment> segments{{1, 1, 2}, {0, 0, 1}};
  std::vector<float> block{1, 2};
  graft::detail::spread_sum<float> sums;
  int firsts = 0;
  const auto block_of = [&](graft::detail::tree_node) { return block.data(); };
  const auto first = [&] { ++firsts; };
  CHECK_THROWS_WITH(sums.add(alone, 1, segments, block_of, first, [](auto&&) { throw graft::error("no memory"); }), "no memory");
  CHECK(firsts == 0);
  const auto cannot = [&] { throw graft::backend_error("no network"); };
  const auto compute = [](auto&& done) { done(0), done(1); };
  CHECK_THROWS_WITH(sums.add(alone, 1, segments, block_of, cannot, compute), "no network");
  const float* const sum = sums.add(alone, 1, segments, block_of, first, compute);
  CHECK(firsts == 1);
  CHECK(std::equal(block.begin(), block.end(), sum));
}

TEST_CASE("the largest nodes of a share of the tree's leaves, from left to right") {
  for (graft::index leaves = 1; leaves < 20; ++leaves) {
    for (int ranks = 1; ranks < 9; ++ranks) {
      graft::index next = 0;
      for (int r = 0; r < ranks; ++r) {
        std::vector<graft::detail::tree_node> nodes;
        const graft::index first = graft::detail::first_leaf(leaves, r, ranks), last = graft::detail::first_leaf(leaves, r + 1, ranks);
        graft::detail::whole_nodes(graft::detail::top_node(leaves), leaves, first, last, nodes);
        for (const auto& node : nodes) {
          REQUIRE(node.first() == next);
          next = node.last(leaves);
        }
        REQUIRE(next == last);
      }
    }
  }
}
