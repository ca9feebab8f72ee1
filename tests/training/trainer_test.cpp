// The training loop: what it logs and keeps, that it can stop and go on, and that the same seed gives the same bits.

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>

#include "graft/io/safetensors.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"
#include "graft/train/trainer_of.hpp"
#include "support/shared.hpp"
#include "training/tiny_task.hpp"

namespace {

using graft_test::rows;
using graft_test::tiny_config;
using graft_test::two_classes;
using model_type = graft::adapter_classifier<graft::f32>;

model_type tiny_model() {
  auto model = graft::make_adapter_classifier<graft::f32>(tiny_config(), 2, {4});
  graft_test::draw_weights(model);
  graft::tune_adapters(model);
  return model;
}

graft::training_options options() {
  graft::training_options o;
  o.learning_rate = 5e-3;
  o.num_train_epochs = 3;
  o.eval_every_steps = 4;
  o.seed = 11;
  o.threads = 2;
  return o;
}

struct history {
  std::vector<double> losses;
  std::vector<double> scores;
};

graft::training_observer record(history& h) {
  return {[&](const graft::step_report& r) { h.losses.push_back(r.loss); },
          [&](const graft::evaluation_report& r) { h.scores.push_back(r.metrics.major); },
          {}};
}

std::vector<graft::matrix<float>> trained_values(model_type& model) {
  std::vector<graft::matrix<float>> all;
  for (const auto* p : graft::trainable_parameters(model)) all.push_back(p->value());
  return all;
}

bool same_bits(const std::vector<graft::matrix<float>>& a, const std::vector<graft::matrix<float>>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(a[i].data(), b[i].data(), static_cast<std::size_t>(a[i].size()) * sizeof(float)) != 0) return false;
  }
  return a.size() == b.size();
}

}  // namespace

TEST_CASE("adapters fit their training rows, and the best parameters are the ones that are kept") {
  auto model = tiny_model();
  const auto train = rows(64, 1);
  auto o = options();
  o.num_train_epochs = 60;
  o.learning_rate = 1e-2;
  o.eval_every_steps = 20;
  graft::trainer_of trainer(model, two_classes(), o, train, &train);
  history h;
  CHECK(trainer.run(record(h)) == graft::trainer::outcome::finished);
  CHECK(h.losses.size() == 480);
  CHECK(h.scores.size() == 24);
  const double best = *std::max_element(h.scores.begin(), h.scores.end());
  CHECK(best >= 0.95);
  graft::context ctx;
  CHECK(graft::evaluate(model, two_classes(), train.rows, 8, ctx)->metrics.major == best);
}

TEST_CASE("the same seed and thread count give the same bits, another seed does not") {
  const auto train = rows(50, 1);
  const auto run = [&](std::uint64_t seed) {
    auto model = tiny_model();
    auto o = options();
    o.seed = seed;
    graft::trainer_of(model, two_classes(), o, train, nullptr).run({});
    return trained_values(model);
  };
  const auto first = run(11);
  CHECK(same_bits(first, run(11)));
  CHECK_FALSE(same_bits(first, run(12)));
}

TEST_CASE("a run that stops anywhere and goes on equals one that never stopped, bit for bit") {
  const graft_test::temporary_folder folder;
  const auto train = rows(37, 1);
  const auto validation = rows(20, 2);
  auto o = options();
  o.gradient_accumulation_steps = 2;
  o.group_by_length = GENERATE(false, true);
  auto whole = tiny_model();
  history uninterrupted;
  graft::trainer_of straight(whole, two_classes(), o, train, &validation);
  CHECK(straight.total_steps() == 6);  // ceil(37 / 8) // 2 = 2 a epoch
  straight.run(record(uninterrupted));
  const auto expected = trained_values(whole);
  o.checkpoint_path = folder / "checkpoint.safetensors";
  for (std::int64_t stop_after = 1; stop_after < 6; ++stop_after) {
    INFO("stopped after " << stop_after);
    history h;
    {
      auto model = tiny_model();
      graft::trainer_of trainer(model, two_classes(), o, train, &validation);
      std::atomic<bool> stop = false;
      auto observer = record(h);
      observer.step = [&, inner = observer.step](const graft::step_report& r) {
        inner(r);
        if (r.global_step == stop_after) stop = true;
      };
      CHECK(trainer.run(observer, &stop) == graft::trainer::outcome::stopped);
    }
    auto model = tiny_model();
    graft::trainer_of trainer(model, two_classes(), o, train, &validation);
    trainer.resume(o.checkpoint_path);
    CHECK(trainer.state().global_step == stop_after);
    CHECK(trainer.run(record(h)) == graft::trainer::outcome::finished);
    CHECK(h.losses == uninterrupted.losses);
    CHECK(h.scores == uninterrupted.scores);
    CHECK(same_bits(trained_values(model), expected));
  }
}

TEST_CASE("training ends early when nothing better comes, as transformers' EarlyStoppingCallback does, resumed or not") {
  const graft_test::temporary_folder folder;
  const auto train = rows(40, 1), validation = rows(12, 2);
  auto o = options();
  o.num_train_epochs = 20;
  o.eval_every_steps = 3;
  o.early_stopping_patience = GENERATE(1, 2, 3);
  o.early_stopping_threshold = GENERATE(0.0, 0.1);
  const auto whole = [&] {
    auto all = o;
    all.early_stopping_patience = 0;
    auto model = tiny_model();
    history h;
    graft::trainer_of(model, two_classes(), all, train, &validation).run(record(h));
    return h.scores;
  }();
  std::size_t stops = whole.size();  // the callback's counter: better is by more than the threshold, than all before
  double best = whole[0];
  for (std::size_t i = 1, counter = 0; i < whole.size(); ++i) {
    counter = whole[i] - best > o.early_stopping_threshold ? 0 : counter + 1;
    best = std::max(best, whole[i]);
    if (static_cast<std::int64_t>(counter) < o.early_stopping_patience) continue;
    stops = i + 1;
    break;
  }
  REQUIRE(stops < whole.size());
  auto model = tiny_model();
  history h;
  graft::trainer_of trainer(model, two_classes(), o, train, &validation);
  CHECK(trainer.run(record(h)) == graft::trainer::outcome::finished);
  CHECK(trainer.stops_early());
  CHECK(h.scores == std::vector<double>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(stops)));
  CHECK(h.losses.size() == 3 * stops);
  graft::context ctx;
  CHECK(graft::evaluate(model, two_classes(), validation.rows, 8, ctx)->metrics.major == *trainer.state().best_score);
  const auto expected = trained_values(model);
  o.checkpoint_path = folder / "c.safetensors";
  for (const std::int64_t stop_after : {std::int64_t{1}, static_cast<std::int64_t>(3 * stops) - 1, static_cast<std::int64_t>(3 * stops)}) {
    auto first = tiny_model(), second = tiny_model();
    std::atomic<bool> stop = false;
    o.save_every_steps = 1;
    graft::trainer_of(first, two_classes(), o, train, &validation)
        .run({.step = [&](const graft::step_report& r) { stop = r.global_step == stop_after; }}, &stop);
    graft::trainer_of goes_on(second, two_classes(), o, train, &validation);
    goes_on.resume(o.checkpoint_path);
    CHECK(goes_on.run({}) == graft::trainer::outcome::finished);
    CHECK(goes_on.state().global_step == static_cast<std::int64_t>(3 * stops));
    CHECK(same_bits(trained_values(second), expected));
  }
  o.eval_every_steps = 0;
  CHECK_THROWS_WITH((graft::trainer_of(model, two_classes(), o, train, &validation)), Catch::Contains("needs eval_every_steps"));
}

TEST_CASE("accumulating over two half batches equals one whole batch, without dropout") {
  const auto train = rows(32, 1);
  const auto run = [&](graft::index batch, std::int64_t parts) {
    auto config = tiny_config();
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
    auto model = graft::make_adapter_classifier<graft::f64>(config, 2, {4});
    model.for_each_parameter([](auto& p) {
      if (p.role == graft::parameter_role::weight || p.role == graft::parameter_role::adapter) graft::draw_normal(p, 0.2, 7);
    });
    graft::tune_adapters(model);
    auto o = options();
    o.train_batch_size = batch;
    o.gradient_accumulation_steps = parts;
    std::vector<double> losses;
    graft::trainer_of(model, two_classes(), o, train, nullptr)
        .run({[&](const graft::step_report& r) { losses.push_back(r.loss); }, {}, {}});
    return losses;
  };
  const auto whole = run(8, 1);
  const auto halves = run(4, 2);
  REQUIRE(whole.size() == halves.size());
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(whole[i] == Approx(halves[i]).epsilon(1e-12));
}

TEST_CASE("batches by length hold rows of one length where there are enough of each, within a step and over the epochs") {
  auto train = rows(64, 1);
  for (std::size_t i = 0; i < train.rows.size(); ++i) train.rows[i].input_ids.resize(i % 2 == 0 ? 4 : 10, 7);
  const auto tokens = [&](std::int64_t parts, bool grouped) {
    auto model = tiny_model();
    auto o = options();
    o.gradient_accumulation_steps = parts;
    o.group_by_length = grouped;
    std::vector<std::int64_t> all;
    graft::trainer_of(model, two_classes(), o, train, nullptr).run({[&](const graft::step_report& r) { all.push_back(r.tokens); }, {}, {}});
    return all;
  };
  const auto counts = [](std::vector<std::int64_t> all) {
    std::sort(all.begin(), all.end());
    return all;
  };
  std::vector<std::int64_t> expected(12, 8 * 4);
  expected.resize(24, 8 * 10);
  const auto grouped = tokens(1, true);
  CHECK(counts(grouped) == expected);
  CHECK(counts(tokens(1, false)) != expected);
  CHECK_FALSE(std::equal(grouped.begin(), grouped.begin() + 8, grouped.begin() + 8));  // the second epoch's order is another
  for (const std::int64_t step : tokens(2, true)) CHECK((step == 16 * 4 || step == 8 * 14 || step == 16 * 10));

  auto model = tiny_model();
  auto o = options();
  o.group_by_length = true;
  o.shuffle = false;
  CHECK_THROWS_WITH((graft::trainer_of(model, two_classes(), o, train, nullptr)), Catch::Contains("needs shuffle"));
}

TEST_CASE("a run goes on neither with other rows than it was started with, nor with other options that change numbers") {
  const graft_test::temporary_folder folder;
  const auto before = rows(40, 1);
  auto o = options();
  o.identity["trunk"] = "\"one\"";
  o.checkpoint_path = folder / "c.safetensors";
  std::atomic<bool> stop = false;
  {
    auto model = tiny_model();
    graft::trainer_of trainer(model, two_classes(), o, before, nullptr);
    trainer.run({.step = [&](const graft::step_report& r) { stop = r.global_step == 3; }}, &stop);
  }
  const auto refused = [&](const graft::training_options& now, const graft::data_set& train, const std::string& why) {
    auto model = tiny_model();
    graft::trainer_of trainer(model, two_classes(), now, train, nullptr);
    CHECK_THROWS_WITH(trainer.resume(o.checkpoint_path), Catch::Contains("c.safetensors: is of another run: ") && Catch::Contains(why));
  };
  auto after = before;
  after.rows[7].input_ids.back() += 1;
  refused(o, after, "training rows are not the same as then");
  const auto with = [&](auto&& change) {
    auto now = o;
    change(now);
    return now;
  };
  refused(with([](auto& now) { now.train_batch_size = 20; }), before, "train_batch_size is 20 and was 8");
  refused(with([](auto& now) { now.learning_rate = 1; }), before, "learning_rate is 1.0 and was 0.005");
  refused(with([](auto& now) { now.lr_scheduler_type = graft::schedule_type::cosine; }), before,
          "lr_scheduler_type is \"cosine\" and was \"linear\"");
  refused(with([](auto& now) { now.loss.label_smoothing = 0.1; }), before, "label_smoothing is 0.1 and was 0.0");
  refused(with([](auto& now) { now.loss.class_weights = {1, 2}; }), before, "class_weights is [1.0,2.0] and was []");
  refused(with([](auto& now) { now.seed = 12; }), before, "seed is 12 and was 11");
  refused(with([](auto& now) { now.identity["trunk"] = "\"two\""; }), before, "trunk is \"two\" and was \"one\"");

  // what changes no number may change
  auto now = o;
  now.threads = 1;
  now.eval_batch_size = 3;
  now.save_every_steps = 1;
  auto model = tiny_model();
  graft::trainer_of trainer(model, two_classes(), now, before, nullptr);
  trainer.resume(o.checkpoint_path);
  CHECK(trainer.state().global_step == 3);
}

TEST_CASE("a run that is evaluated on the way goes on with the validation rows it began with") {
  const graft_test::temporary_folder folder;
  const auto train = rows(40, 1), validation = rows(20, 2), other = rows(20, 3);
  auto o = options();
  o.checkpoint_path = folder / "c.safetensors";
  std::atomic<bool> stop = false;
  {
    auto model = tiny_model();
    graft::trainer_of trainer(model, two_classes(), o, train, &validation);
    trainer.run({.step = [&](const graft::step_report& r) { stop = r.global_step == 3; }}, &stop);
  }
  auto model = tiny_model();
  graft::trainer_of changed(model, two_classes(), o, train, &other);
  CHECK_THROWS_WITH(changed.resume(o.checkpoint_path), Catch::Contains("validation rows are not the same as then"));
}

TEST_CASE("a checkpoint with a byte that changed is refused, and one without sums, as earlier versions wrote, is not") {
  const graft_test::temporary_folder folder;
  const auto train = rows(40, 1);
  auto o = options();
  o.checkpoint_path = folder / "c.safetensors";
  std::atomic<bool> stop = false;
  {
    auto model = tiny_model();
    graft::trainer_of trainer(model, two_classes(), o, train, &train);
    trainer.run({.step = [&](const graft::step_report& r) { stop = r.global_step == 3; }}, &stop);
  }
  const std::string whole = graft::read_file(o.checkpoint_path);
  const auto refusal = [&](const std::string& bytes) -> std::string {
    graft::write_file(o.checkpoint_path, bytes);
    auto model = tiny_model();
    graft::trainer_of goes_on(model, two_classes(), o, train, &train);
    try {
      goes_on.resume(o.checkpoint_path);
    } catch (const graft::format_error& refused) {
      return refused.what();
    }
    return "";
  };
  CHECK(refusal(whole).empty());
  const std::size_t data = 8 + static_cast<unsigned char>(whole[0]) + 256U * static_cast<unsigned char>(whole[1]);
  for (std::size_t at = data; at < whole.size(); at += 97) {
    std::string damaged = whole;
    damaged[at] ^= 1;
    CHECK_THAT(refusal(damaged), Catch::Contains("c.safetensors: tensor '") && Catch::Contains("' is not what was written"));
  }
  const auto with = [&](const std::string& text, const std::string& other) {
    const auto at = whole.find(text);
    REQUIRE(at != whole.npos);
    return std::string(whole).replace(at, text.size(), other);
  };
  CHECK_THAT(refusal(with(R"(global_step\":3)", R"(global_step\":4)")), Catch::Contains("where the run stands is not what was written"));
  const auto sum = whole.find_first_of("0123456789", whole.find("graft_checkpoint_byte_sums"));
  std::string other_sum = whole;
  other_sum[sum] ^= 1;
  CHECK_FALSE(refusal(other_sum).empty());
  CHECK(refusal(with("graft_checkpoint_byte_sums", "graft_checkpoint_sums_none")).empty());
  const std::string field = R"("graft_checkpoint_byte_sums")", before = R"("graft_checkpoint_sums"     )";  // which were of another kind
  CHECK(refusal(other_sum.replace(other_sum.find(field), field.size(), before)).empty());
}

TEST_CASE("a checkpoint that cannot be written ends training only when nobody is told") {
  const graft_test::temporary_folder folder;
  const auto train = rows(40, 1);
  auto o = options();
  o.save_every_steps = 2;
  o.checkpoint_path = folder / "absent/c.safetensors";
  std::vector<std::string> failures;
  auto model = tiny_model();
  graft::trainer_of trainer(model, two_classes(), o, train, nullptr);
  using outcome = graft::trainer::outcome;
  CHECK(trainer.run({.not_saved = [&](const graft::backend_error& e) { failures.emplace_back(e.what()); }}) == outcome::finished);
  CHECK(failures.size() == 7);
  CHECK_THAT(failures.at(0), Catch::Contains("absent/c.safetensors: cannot be written"));
  auto second = tiny_model();
  CHECK_THROWS_AS((graft::trainer_of(second, two_classes(), o, train, nullptr).run({})), graft::backend_error);
}

TEST_CASE("parameters that are no numbers never win, whatever they score") {
  const auto train = rows(10, 1);
  const auto validation = rows(10, 2);
  auto model = tiny_model();
  auto o = options();
  o.learning_rate = 1e30;
  o.warmup_proportion = 0;
  o.eval_every_steps = 1;
  bool best = true;
  double loss = 0;
  graft::trainer_of trainer(model, two_classes(), o, train, &validation);
  const auto evaluated = [&](const graft::evaluation_report& r) {
    best = r.best;
    loss = r.loss;
  };
  CHECK(trainer.run({.evaluated = evaluated}) == graft::trainer::outcome::diverged);
  CHECK(trainer.diverged()->step == 2);
  CHECK(trainer.diverged()->what == "the loss is nan");
  CHECK(std::isnan(loss));
  CHECK_FALSE(best);
}

TEST_CASE("training that diverges ends with the best parameters, and its checkpoints stay from before") {
  const graft_test::temporary_folder folder;
  const auto train = rows(40, 1);
  auto o = options();
  o.eval_every_steps = 2;
  o.save_every_steps = 1;
  o.num_train_epochs = 1;
  o.shuffle = false;
  o.checkpoint_path = folder / "c.safetensors";
  const bool in_loss = GENERATE(true, false);
  std::vector<graft::matrix<float>> at_two;
  auto model = tiny_model();
  graft::trainer_of trainer(model, two_classes(), o, train, &train);
  std::int64_t saved = 0;
  const auto after = [&](const graft::step_report& r) {
    if (r.global_step == 2) at_two = trained_values(model);
    if (r.global_step != 3) return;
    if (in_loss) {
      model.head.out_proj.bias.edit()(0, 0) = std::numeric_limits<float>::infinity();
    } else {
      model.head.out_proj.bias.gradient()(0, 0) = std::numeric_limits<float>::infinity();
    }
  };
  const auto outcome = trainer.run({.step = after, .saved = [&](const graft::training_state& s) { saved = s.global_step; }});
  CHECK(outcome == graft::trainer::outcome::diverged);
  CHECK(trainer.diverged()->usable);
  if (in_loss) {
    CHECK(saved == 2);  // what step 3 left is found when it is to be saved
    CHECK_THAT(trainer.diverged()->what, Catch::Contains("out_proj.bias holds numbers that are not finite"));
  } else {
    CHECK(saved == 3);
    CHECK(trainer.diverged()->step == 4);
    CHECK(trainer.diverged()->what == "the norm of the gradients is infinite");
  }
  CHECK(same_bits(trained_values(model), at_two));
  auto next = tiny_model();
  graft::trainer_of goes_on(next, two_classes(), o, train, &train);
  goes_on.resume(o.checkpoint_path);
  CHECK(goes_on.state().global_step == saved);
}

TEST_CASE("what was computed from a model that changed is dropped, and what was trained before it is saved") {
  const graft_test::temporary_folder folder;
  const auto train = rows(40, 1);
  auto o = options();
  o.eval_every_steps = 2;
  o.num_train_epochs = 1;
  auto whole = tiny_model();
  graft::trainer_of(whole, two_classes(), o, train, &train).run({});
  o.checkpoint_path = folder / "c.safetensors";
  int asked = 0;
  {
    auto model = tiny_model();
    graft::training_observer counting;
    counting.check_inputs = [&] { ++asked; };
    graft::trainer_of(model, two_classes(), o, train, &train).run(counting);
  }
  REQUIRE(asked > 5);  // once a step and more
  for (int at = 1; at <= asked; ++at) {
    INFO("changed when asked for the " << at << "th time");
    auto model = tiny_model();
    int now = 0;
    graft::training_observer observer;
    observer.check_inputs = [&] {
      if (++now == at) throw graft::format_error("m", "has changed");
    };
    CHECK_THROWS_WITH(graft::trainer_of(model, two_classes(), o, train, &train).run(observer), "m: has changed");
    auto rest = tiny_model();
    graft::trainer_of goes_on(rest, two_classes(), o, train, &train);
    goes_on.resume(o.checkpoint_path);
    goes_on.run({});
    CHECK(same_bits(trained_values(rest), trained_values(whole)));
  }
}

TEST_CASE("a file that is no checkpoint, too few rows and a start that is no number are refused") {
  const graft_test::temporary_folder folder;
  const auto train = rows(10, 1);
  auto model = tiny_model();
  auto o = options();
  graft::trainer_of trainer(model, two_classes(), o, train, nullptr);
  graft::safetensors_writer().write(folder / "empty.safetensors");
  CHECK_THROWS_WITH(trainer.resume(folder / "empty.safetensors"), Catch::Contains("is not a checkpoint"));
  o.gradient_accumulation_steps = 3;
  CHECK_THROWS_AS((graft::trainer_of(model, two_classes(), o, train, nullptr)), graft::config_error);
  o = options();
  model.head.out_proj.bias.edit()(0, 0) = std::numeric_limits<float>::quiet_NaN();
  graft::trainer_of spoilt(model, two_classes(), o, train, nullptr);
  CHECK(spoilt.run({}) == graft::trainer::outcome::diverged);
  CHECK(spoilt.diverged()->step == 1);
  CHECK_FALSE(spoilt.diverged()->usable);
}

TEST_CASE("options out of range are refused by name before a step is taken") {
  const auto train = rows(10, 1);
  auto model = tiny_model();
  const auto refusal = [&](auto&& change) -> std::string {
    auto o = options();
    change(o);
    try {
      graft::trainer_of(model, two_classes(), o, train, nullptr);
    } catch (const graft::config_error& failure) {
      return failure.what();
    }
    return "";
  };
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  using options_type = graft::training_options;
  CHECK_THAT(refusal([](options_type& o) { o.num_train_epochs = huge; }), Catch::StartsWith("num_train_epochs is 9"));
  CHECK_THAT(refusal([](options_type& o) { o.train_batch_size = 0; }), Catch::StartsWith("train_batch_size is 0"));
  CHECK_THAT(refusal([](options_type& o) { o.eval_batch_size = huge; }), Catch::StartsWith("eval_batch_size is 9"));
  CHECK_THAT(refusal([](options_type& o) { o.gradient_accumulation_steps = 0; }), Catch::StartsWith("gradient_accumulation_steps is 0"));
  CHECK_THAT(refusal([](options_type& o) { o.learning_rate = std::nan(""); }), Catch::StartsWith("learning_rate is nan"));
  CHECK_THAT(refusal([](options_type& o) { o.mixing_learning_rate = -1; }), Catch::StartsWith("mixing_learning_rate is -1"));
  CHECK_THAT(refusal([](options_type& o) { o.warmup_steps = -1; }), Catch::StartsWith("warmup_steps is -1"));
  CHECK_THAT(refusal([](options_type& o) { o.optimizer.epsilon = 0; }), Catch::StartsWith("adam_epsilon is 0, above 0 to 1"));
  CHECK(refusal([](options_type& o) { o.num_train_epochs = 1'000'000'000; }).empty());
}
