// A model of any kind, by itself: what it counts, answers, saves and takes again.

#include "graft/train/tunable_model.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "graft/io/model_file.hpp"
#include "graft/io/weights.hpp"
#include "graft/train/evaluation.hpp"
#include "graft/train/trainer.hpp"
#include "support/shared.hpp"
#include "support/tiny_folder.hpp"
#include "training/tiny_task.hpp"

namespace {

using graft::tuning_kind;

const graft::trunk_files golden_encoder{GRAFT_TEST_DIR "/golden/model/model.safetensors", GRAFT_TEST_DIR "/golden/model/config.json", ""};

graft::tunable_model tuned(tuning_kind kind, std::uint64_t seed, graft::precision precision = graft::precision::f32) {
  auto what = graft::describe(kind, graft_test::two_classes());
  if (kind == tuning_kind::adapter) what.adapter.size = 3;
  if (kind == tuning_kind::lora) what.lora.r = 2;
  return {golden_encoder, what, {.seed = seed, .initializer_range = 0.1, .precision = precision}};
}

std::vector<graft::features> some_rows() {
  std::vector<graft::features> rows(3);
  rows[0].input_ids = {0, 5, 9, 2};
  rows[1].input_ids = {0, 11, 2};
  rows[2].input_ids = {0, 7, 8, 9, 10, 2};
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].label = static_cast<std::int32_t>(i % 2);
  return rows;
}

}  // namespace

TEST_CASE("what is not trained is refused by its kind") {
  for (const tuning_kind kind : {tuning_kind::ia3, tuning_kind::fusion, tuning_kind::unknown})
    CHECK_THROWS_WITH(tuned(kind, 1), Catch::Contains("kind \"" + tuning_kind_name(kind) + "\" is not trained"));
}

TEST_CASE("a tuned part that is saved and taken by another model gives the same answers, whatever its kind") {
  const graft_test::temporary_folder folder;
  const auto rows = some_rows();
  for (const tuning_kind kind : {tuning_kind::adapter, tuning_kind::lora, tuning_kind::full, tuning_kind::head}) {
    INFO(tuning_kind_name(kind));
    auto first = tuned(kind, 1), second = tuned(kind, 2);
    const auto size = first.size();
    CHECK((size.trained > 0 && size.trained <= size.all && size.tuned <= size.all));
    CHECK((size.trained == size.all) == (kind == tuning_kind::full));
    const auto answers = *first.predict_logits(rows, 2, 1);
    CHECK(answers.size() == 6);
    CHECK(*second.predict_logits(rows, 2, 1) != answers);  // heads are drawn by seed
    const std::string path = folder / (tuning_kind_name(kind) + ".safetensors");
    first.save_tuned(path, {{"note", "kept"}});
    const auto saved = graft::open_weights(path);
    CHECK(graft::parse_description(saved.metadata(), path).kind == kind);
    CHECK(saved.metadata().at("note") == "kept");
    second.load_trained(saved);
    CHECK(*second.predict_logits(rows, 2, 1) == answers);
    second.pack();
    const auto packed = second.evaluate(graft_test::two_classes(), rows, 3, 2);
    REQUIRE(packed);
    for (graft::index i = 0; i < 6; ++i) CHECK(packed->logits(i / 2, i % 2) == Approx(answers[static_cast<std::size_t>(i)]).margin(1e-6));
  }
}

TEST_CASE("an adapter of some layers is saved with all LayerNorms, which its readers look for") {
  const graft_test::temporary_folder folder;
  const auto rows = some_rows();
  auto what = graft::describe(tuning_kind::adapter, graft_test::two_classes());
  what.adapter = {.size = 3, .leave_out = {0}};
  graft::tunable_model model(golden_encoder, what, {.seed = 1, .initializer_range = 0.1, .precision = graft::precision::f32});
  const auto answers = *model.predict_logits(rows, 2, 1);
  const std::string path = folder / "some.safetensors";
  model.save_tuned(path);
  const auto saved = graft::open_weights(path);
  CHECK(graft::parse_description(saved.metadata(), path).adapter == what.adapter);
  CHECK_FALSE(saved.contains("roberta.encoder.layer.0.output.adapter.down_project.weight"));
  CHECK(saved.contains("roberta.encoder.layer.1.output.adapter.down_project.weight"));
  std::int64_t numbers = 0;
  for (const auto& [name, info] : saved.tensors()) numbers += static_cast<std::int64_t>(info.bytes.size()) / 4;
  CHECK(numbers == model.size().tuned);
  CHECK(numbers > model.size().trained);
  graft::tunable_model second(golden_encoder, what, {.seed = 2, .precision = graft::precision::f32});
  second.load_trained(saved);
  CHECK(*second.predict_logits(rows, 2, 1) == answers);
}

TEST_CASE("an encoder that is prepared for training as it is read trains to the same bits, and its large weights are read no more") {
  const graft_test::temporary_folder folder;
  graft_test::write_tiny_folder(folder / "hf", "roberta", {{"hidden_size", 256}, {"intermediate_size", 256}});  // large enough to be mapped
  const graft::trunk_files files{folder / "hf/model.safetensors", folder / "hf/config.json", ""};
  const std::string whole = graft::read_file(files.model_path);
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof(header));
  const auto write_numbers = [&](const std::string& bytes) {  // in place, behind the header
    std::fstream(files.model_path, std::ios::in | std::ios::out | std::ios::binary)
        .seekp(static_cast<std::streamoff>(sizeof(header) + header))
        .write(bytes.data() + sizeof(header) + header, static_cast<std::streamsize>(bytes.size() - sizeof(header) - header));
  };
  graft::data_set data;
  data.rows = some_rows();
  const auto trained = [&](const graft::model_description& what, graft::precision precision, bool for_training) {
    write_numbers(whole);
    graft::tunable_model model(graft::read_trunk_config(files), what, {.seed = 1, .initializer_range = 0.1, .precision = precision});
    model.load_encoder(graft::open_model(files.model_path, "roberta"), for_training, 2);
    const bool reads_on = what.kind == tuning_kind::lora;  // DoRA's lengths are of the weight with its update
    if (for_training && !reads_on) write_numbers(std::string(whole.size(), '\xff'));
    graft::training_options o;
    o.max_steps = 3;
    o.learning_rate = 0.01;
    o.threads = 2;
    CHECK(graft::trainer(model, graft_test::two_classes(), o, data, nullptr).run({}) == graft::trainer::outcome::finished);
    model.save_tuned(folder / "tuned.safetensors");
    return graft::read_file(folder / "tuned.safetensors");
  };
  std::vector<graft::model_description> all;
  for (const auto kind : {tuning_kind::adapter, tuning_kind::adapter, tuning_kind::multi_adapter, tuning_kind::lora, tuning_kind::prefix,
                          tuning_kind::full, tuning_kind::head}) {
    auto& what = all.emplace_back(graft::describe(kind, graft_test::two_classes()));
    what.adapter.size = 3;
    what.lora.dora = true;
    if (kind == tuning_kind::multi_adapter) what.mix.adapters = {{.name = "one"}, {.name = "two"}};
  }
  all[1].adapter.leave_out = {0};
  for (const auto& what : all) {
    for (const auto precision : {graft::precision::f32, graft::precision::bf16, graft::precision::int8, graft::precision::f64}) {
      if (what.kind == tuning_kind::full && precision == graft::precision::int8) continue;
      INFO(tuning_kind_name(what.kind) << ", precision " << static_cast<int>(precision));
      CHECK(trained(what, precision, true) == trained(what, precision, false));
    }
  }
}

TEST_CASE("what does not fit is refused before anything is large") {
  auto what = graft::describe(tuning_kind::adapter, graft_test::two_classes());
  what.adapter.size = 0;
  CHECK_THROWS_AS(graft::tunable_model(golden_encoder, what), graft::config_error);
  auto small = graft_test::tiny_config();
  graft::tunable_model other(small, graft::describe(tuning_kind::head, graft_test::two_classes()), {.precision = graft::precision::f32});
  CHECK_THROWS_AS(other.load_encoder(graft::open_model(golden_encoder.model_path, "roberta")), graft::format_error);
}

TEST_CASE("8 bits are for what is frozen") {
  CHECK_THROWS_WITH(tuned(tuning_kind::full, 1, graft::precision::int8), Catch::Contains("none is frozen here"));
  const auto rows = some_rows();
  auto int8 = tuned(tuning_kind::adapter, 1, graft::precision::int8), f32 = tuned(tuning_kind::adapter, 1);
  int8.pack();
  const auto a = *int8.predict_logits(rows), b = *f32.predict_logits(rows);
  CHECK(a != b);
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).margin(0.05));
}

TEST_CASE("a stop leaves no answers, the number type does not change what a model is") {
  std::atomic<bool> stop = true;
  const auto rows = some_rows();
  CHECK_FALSE(tuned(tuning_kind::head, 1).predict_logits(rows, 1, 1, &stop));
  const auto f32 = tuned(tuning_kind::adapter, 1), f64 = tuned(tuning_kind::adapter, 1, graft::precision::f64);
  CHECK(f32.size().all == f64.size().all);
  const auto a = *f32.predict_logits(rows), b = *f64.predict_logits(rows);
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).margin(1e-5));
  CHECK(f32.mixing_weights().empty());
}
