// One trunk, several adapters: who answers, with what, and that they do not disturb each other.

#include "graft/predict/predictor.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <thread>

#include "graft/core/byte_sum.hpp"
#include "graft/core/threads.hpp"
#include "graft/encoder/config.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/initialization.hpp"
#include "graft/model/packed_trunk.hpp"
#include "graft/model/saving.hpp"
#include "support/any_threads.hpp"
#include "support/golden.hpp"
#include "support/shared.hpp"
#include "support/tiny_folder.hpp"

using graft::answer;
using graft::example;
using graft::predictor;

namespace {

const std::string golden = std::string(GRAFT_TEST_DIR) + "/golden";
const graft::trunk_files trunk{golden + "/model/model.safetensors", golden + "/model/config.json", ""};

/// The rows of the golden's batch B.
std::vector<example> rows(std::size_t b, const std::string& adapter = "") {
  std::vector<example> all;
  const graft::batch batch = graft_test::golden_batches(golden + "/model")[b];
  for (graft::index i = 0; i < batch.size(); ++i) {
    example& row = all.emplace_back();
    row.input_ids.assign(batch.input_ids.begin() + batch.offsets[static_cast<std::size_t>(i)],
                         batch.input_ids.begin() + batch.offsets[static_cast<std::size_t>(i) + 1]);
    row.adapter = adapter;
  }
  return all;
}

predictor everyone(graft::precision precision = graft::precision::f32, const graft::trunk_files& files = trunk) {
  predictor p(files, {.precision = precision});
  for (const std::string name : {"adapterhub_double", "adapterhub_single", "peft_lora"}) p.add(name, golden + "/exchange/" + name);
  p.add("original", golden + "/exchange/original/model.p");
  return p;
}

void check_same(const std::vector<answer>& a, const std::vector<answer>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].adapter == b[i].adapter);
    CHECK(a[i].label == b[i].label);
    REQUIRE(a[i].probabilities.size() == b[i].probabilities.size());
    for (std::size_t c = 0; c < a[i].probabilities.size(); ++c) CHECK(std::abs(a[i].probabilities[c] - b[i].probabilities[c]) <= 1e-6);
    REQUIRE(a[i].hidden_state.size() == b[i].hidden_state.size());
    for (std::size_t h = 0; h < a[i].hidden_state.size(); ++h) CHECK(std::abs(a[i].hidden_state[h] - b[i].hidden_state[h]) <= 1e-5);
  }
}

}  // namespace

TEST_CASE("in 8 bits the answers are close, the same for any threads and batches, and those of a row alone") {
  const predictor exact = everyone(), p = everyone(graft::precision::int8);
  bool differs = false;
  for (const std::string& name : p.names()) {
    auto all = rows(0, name);
    for (const auto& more : {rows(1, name), rows(2, name)}) all.insert(all.end(), more.begin(), more.end());
    const auto expected = exact.predict(all), answers = p.predict(all, 0, 1);
    const auto other = p.predict(all, 2, 2), more = p.predict(all, 1, 4), most = p.predict(all, 1, 7);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      INFO(name << ", row " << i);
      CHECK(std::abs(answers[i].probabilities[1] - expected[i].probabilities[1]) <= 0.05);
      for (const auto* same : {&other, &more, &most}) CHECK(answers[i].probabilities == (*same)[i].probabilities);
      CHECK(answers[i].probabilities == p.predict(std::span(all).subspan(i, 1))[0].probabilities);
      differs = differs || std::abs(answers[i].probabilities[1] - expected[i].probabilities[1]) > 1e-4;
    }
  }
  CHECK(differs);  // or 8 bits are not what ran
}

TEST_CASE("no more threads predict than a program says") {
  const auto threads = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); };
  const predictor p = everyone();
  const auto before = threads();
  graft::limit_threads(1);
  p.predict(rows(0), 1, 7);
  CHECK(threads() == before);
  graft::limit_threads(graft_test::any_threads);
  p.predict(rows(0), 1, 7);
  CHECK(threads() >= 7);
}

TEST_CASE("weights that a file has packed give the same answers in every precision, and are refused beside another encoder") {
  const graft_test::temporary_folder folder;
  const auto config = graft::read_encoder_config(trunk.config_path);
  const auto plain = graft::open_model(trunk.model_path, config.model_type);
  const std::string print = graft::fingerprint(plain, graft::to_json(config), graft::trunk_tensors(config));
  graft::trunk_files files{folder / "model.safetensors", trunk.config_path, ""};
  for (const auto form : {graft::precision::f32, graft::precision::bf16, graft::precision::int8}) {
    const auto packed = graft::with_packed_trunk(plain, config, print, form, 2);
    CHECK(packed.tensors().size() == plain.tensors().size() + static_cast<std::size_t>(6 * config.num_hidden_layers));
    graft::write_model_file(files.model_path, packed, graft::read_json(trunk.config_path), "a test");
    for (const auto precision : {graft::precision::f32, graft::precision::bf16, graft::precision::f64, graft::precision::int8}) {
      const predictor expected = everyone(precision), p = everyone(precision, files);
      for (const std::string& name : p.names()) {
        const auto a = expected.predict(rows(0, name)), b = p.predict(rows(0, name));
        for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].probabilities == b[i].probabilities);
      }
    }
  }
  const auto packed = graft::with_packed_trunk(graft::open_model(files.model_path, config.model_type), config, print, std::nullopt, 1);
  CHECK(packed.tensors().size() == plain.tensors().size());
  CHECK_FALSE(packed.metadata().contains(graft::packed_version_field));

  // what was read is what is packed: other forms in their place change the answers
  auto wrong = graft::with_packed_trunk(plain, config, print, graft::precision::f32, 1);
  std::vector<std::byte> zeros(1 << 16);
  graft::tensor_source with_zeros(wrong.path());
  for (const auto& [name, info] : wrong.tensors()) {
    with_zeros.add(
        name, graft::is_packed_name(name) ? graft::tensor_info{info.type, info.shape, std::span(zeros).first(info.bytes.size())} : info);
  }
  auto metadata = wrong.metadata();
  with_zeros.set_metadata(metadata);
  graft::write_model_file(files.model_path, with_zeros, graft::read_json(trunk.config_path), "a test");
  const std::string damaged =
      "model.safetensors: tensor '__packed.f32.roberta.encoder.layer.0.attention.self.query.weight', a weight as products read it, is not "
      "what was written";
  CHECK_THROWS_WITH(predictor(files, {.precision = graft::precision::f32}), Catch::Contains(damaged));
  graft::json sums = graft::json::object();
  for (const auto& [name, info] : with_zeros.tensors()) {
    if (graft::is_packed_name(name)) sums[name] = graft::byte_sum(info.bytes);
  }
  metadata[graft::packed_sums_field] = sums.dump();
  with_zeros.set_metadata(metadata);
  graft::write_model_file(files.model_path, with_zeros, graft::read_json(trunk.config_path), "a test");
  CHECK(everyone(graft::precision::f32, files).predict(rows(0, "original"))[0].probabilities !=
        everyone().predict(rows(0, "original"))[0].probabilities);

  // one bit of a file is damage, where that precision reads it
  graft::write_model_file(files.model_path, wrong, graft::read_json(trunk.config_path), "a test");
  std::string bytes = graft::read_file(files.model_path);
  const graft::safetensors_file good(files.model_path);
  const std::string& one = graft::packed_name("f32", "roberta.encoder.layer.1.output.dense.weight");
  bytes[bytes.find(std::string_view(reinterpret_cast<const char*>(good.at(one).bytes.data()), 200)) + 77] ^= 1;
  graft::write_file(files.model_path, bytes);
  CHECK_THROWS_WITH(predictor(files, {.precision = graft::precision::f32}),
                    Catch::Contains("model.safetensors: tensor '" + one + "', a weight as products read it, is not what was written"));
  CHECK_NOTHROW(predictor(files, {.precision = graft::precision::bf16}));
  metadata.erase(graft::packed_sums_field);
  wrong.set_metadata(metadata);
  graft::write_model_file(files.model_path, wrong, graft::read_json(trunk.config_path), "a test");
  CHECK_THROWS_WITH(predictor(files, {.precision = graft::precision::f32}), Catch::Contains(damaged));

  // of another version, nothing is read of it
  metadata[graft::packed_version_field] = "2";
  with_zeros.set_metadata(metadata);
  graft::write_model_file(files.model_path, with_zeros, graft::read_json(trunk.config_path), "a test");
  const predictor of_before = everyone(graft::precision::f32, files);
  check_same(of_before.predict(rows(0, "original")), everyone(graft::precision::f32).predict(rows(0, "original")));
  CHECK_THAT(of_before.notes().front(), Catch::Contains("model.safetensors: holds packed weights of another version of graft"));

  // a weight that is not packed is, at the start
  graft::tensor_source partly(wrong.path());
  partly.add_all(graft::with_packed_trunk(plain, config, print, graft::precision::int8, 1), [&](const std::string& name) {
    return name.ends_with("0.output.dense.weight") && graft::is_packed_name(name) ? std::nullopt : std::optional(name);
  });
  partly.set_metadata(graft::with_packed_trunk(plain, config, print, graft::precision::int8, 1).metadata());
  graft::write_model_file(files.model_path, partly, graft::read_json(trunk.config_path), "a test");
  check_same(everyone(graft::precision::int8, files).predict(rows(0, "original")),
             everyone(graft::precision::int8).predict(rows(0, "original")));

  graft::write_model_file(files.model_path, graft::with_packed_trunk(plain, config, "0123456789abcdef", graft::precision::f32, 1),
                          graft::read_json(trunk.config_path), "a test");
  CHECK_THROWS_WITH(
      predictor(files, {.precision = graft::precision::f32}),
      Catch::Contains("model.safetensors: holds packed weights of another encoder than its own, which has the fingerprint " + print));
}

TEST_CASE("a large weight with a number that is none is refused in every precision, where it lies in the file and where it is copied") {
  const graft_test::temporary_folder folder;
  graft_test::write_tiny_folder(folder / "model", "bert", {{"hidden_size", 256}, {"intermediate_size", 512}});
  const std::string path = folder / "model/model.safetensors", whole = graft::read_file(path);
  for (const auto precision : {graft::precision::f32, graft::precision::bf16, graft::precision::f64, graft::precision::int8}) {
    for (const char* name : {"bert.encoder.layer.1.output.dense.weight", "bert.encoder.layer.0.attention.self.key.weight",
                             "bert.pooler.dense.weight", "bert.encoder.layer.1.output.LayerNorm.weight"}) {
      INFO(name << " in " << graft::precision_name(precision));
      const bool row = std::string_view(name).find("LayerNorm") != std::string_view::npos;
      graft::write_file(path, whole);
      graft_test::overwrite_number(path, name, row ? 3 : 256 * 130 + 3, std::numeric_limits<float>::infinity());
      const std::string place = row                                                                       ? "(3)"
                                : std::string_view(name).find("1.output.dense") != std::string_view::npos ? "(65, 3)"
                                                                                                          : "(130, 3)";
      CHECK_THROWS_WITH(predictor::from_folder(folder / "model", {.precision = precision}),
                        Catch::Contains("tensor '" + std::string(name) + "' holds infinity at " + place));
    }
  }
}

TEST_CASE("adapters of every origin give, around one trunk, the answers that PyTorch computed") {
  const predictor p = everyone();
  const auto expected = graft::read_json(golden + "/exchange/expected.json");
  for (const std::string& name : p.names()) {
    for (std::size_t b = 0; b < 3; ++b) {
      INFO(name << ", batch " << b);
      const auto answers = p.predict(rows(b, name));
      for (std::size_t i = 0; i < answers.size(); ++i) {
        const double difference = expected[name][b][i][1].get<double>() - expected[name][b][i][0].get<double>();
        const double second = 1 / (1 + std::exp(-difference));
        CHECK(std::abs(answers[i].probabilities[1] - second) <= 2e-5);
        CHECK(answers[i].adapter == name);
        CHECK(answers[i].label == p.description(name).labels[second > 0.5 ? 1 : 0]);
      }
    }
  }
}

TEST_CASE("rows of a batch choose their adapter, the bare trunk answers with hidden states") {
  const predictor p = everyone();
  auto mixed = rows(0);
  for (auto& row : rows(1)) mixed.push_back(row);
  const std::vector<std::string> chosen{"peft_lora", "", "none", "original", "none", "peft_lora"};
  for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i].adapter = chosen[i];
  const auto answers = p.predict(mixed, 2);
  std::vector<answer> alone;
  for (const example& row : mixed) alone.push_back(p.predict(std::vector{row})[0]);
  check_same(answers, alone);
  CHECK(answers[1].adapter == "adapterhub_double");
  CHECK(answers[2].hidden_state.size() == 8);
  CHECK(answers[2].label.empty());
  CHECK(answers[0].hidden_state.empty());
  check_same(predictor(trunk, {.precision = graft::precision::f32}).predict(std::vector{rows(0, "none")[2]}),
             {answers[2]});  // untouched by what stands beside it
}

TEST_CASE("an unknown adapter, and a taken name are refused") {
  predictor p = everyone();
  auto some = rows(0);
  some[1].adapter = "mrpc";
  CHECK_THROWS_WITH(p.predict(some),
                    "row 1: there is no adapter \"mrpc\"; known: adapterhub_double, adapterhub_single, peft_lora, original, model, none");
  CHECK_THROWS_WITH(p.description("mrpc"), Catch::Contains("known: adapterhub_double"));
  CHECK_THROWS_WITH(p.add("none", golden + "/exchange/peft_lora"), Catch::Contains("\"none\" cannot name an adapter"));
  CHECK_THROWS_WITH(p.add("original", golden + "/exchange/peft_lora"), Catch::Contains("it is taken"));
  CHECK_THROWS_WITH(p.add("model", golden + "/exchange/peft_lora"), Catch::Contains("it is taken"));
  CHECK(p.names().size() == 4);
}

TEST_CASE("the head that a model holds answers alone, for a row that names it, and for an adapter that brings none") {
  const graft_test::temporary_folder folder;
  std::filesystem::copy(golden + "/model/model.safetensors", folder / "model.safetensors");
  graft::json about = graft::read_json(golden + "/model/config.json");
  about["id2label"] = {{"0", "no"}, {"1", "yes"}};
  graft::write_file(folder / "config.json", about.dump());
  predictor p(graft::trunk_files{folder / "model.safetensors", folder / "config.json", ""});
  CHECK(p.names().empty());
  CHECK(p.description().labels == std::vector<std::string>{"no", "yes"});
  const auto own = p.predict(rows(0));
  CHECK(own[0].adapter == "model");
  CHECK((own[0].label == "no" || own[0].label == "yes"));
  p.add("headless", golden + "/exchange/adapterhub_legacy");
  p.add("double", golden + "/exchange/adapterhub_double");
  check_same(p.predict(rows(0, "model")), own);
  const auto headless = p.predict(rows(0));
  CHECK(headless[0].adapter == "headless");
  CHECK(p.description().labels == std::vector<std::string>{"no", "yes"});
  CHECK(headless[0].probabilities[0] != own[0].probabilities[0]);
  CHECK(p.notes().back() == golden + "/exchange/adapterhub_legacy/pytorch_adapter.bin: has no head: the model's own answers");
  CHECK(p.predict(rows(0, "double"))[0].label == predictor(trunk, golden + "/exchange/adapterhub_double").predict(rows(0))[0].label);

  about["architectures"] = {"RobertaForQuestionAnswering"};
  graft::write_file(folder / "config.json", about.dump());
  predictor other(graft::trunk_files{folder / "model.safetensors", folder / "config.json", ""});
  CHECK(other.predict(rows(0))[0].hidden_state.size() == 8);
  CHECK_THROWS_WITH(other.add("headless", golden + "/exchange/adapterhub_legacy"), Catch::Contains("has no head"));
}

TEST_CASE("a single text is framed as it was in training: by transformers, or as nlprunners does") {
  const graft_test::temporary_folder folder;
  std::filesystem::copy(golden + "/model/model.safetensors", folder / "model.safetensors");
  std::filesystem::copy(golden + "/model/config.json", folder / "config.json");
  graft_test::write_vocabulary(folder.path(), "roberta", graft_test::tiny_pieces_of("roberta"));
  predictor p(graft::trunk_files{folder / "model.safetensors", folder / "config.json", folder.path()});
  for (const std::string name : {"adapterhub_double", "peft_lora"}) p.add(name, golden + "/exchange/" + name);
  p.add("original", golden + "/exchange/original/model.p");
  const auto answers_to = [&](const std::string& name, std::vector<std::int32_t> ids) {
    example text;
    if (ids.empty()) text.text_a = "ab";
    text.input_ids = std::move(ids);
    text.adapter = name;
    return p.predict(std::vector{text});
  };
  for (const std::string name : {"model", "none", "adapterhub_double", "peft_lora"}) {
    INFO(name);
    check_same(answers_to(name, {}), answers_to(name, {0, 5, 6, 2}));
  }
  check_same(answers_to("original", {}), answers_to("original", {0, 5, 6, 2, 2}));
}

TEST_CASE("rows are as long as one asks, else as in training, else as the encoder takes them") {
  const graft::index longest = predictor(trunk).config().max_sequence_length();
  const predictor p = everyone();
  CHECK_FALSE(p.description("peft_lora").max_seq_length);
  CHECK(p.max_seq_length("peft_lora") == longest);
  CHECK(p.max_seq_length("none") == longest);
  const predictor cut(trunk, golden + "/exchange/peft_lora", {.max_seq_length = 5});
  CHECK(cut.max_seq_length("tuned") == 5);
  CHECK_THROWS_WITH(cut.predict(rows(0)), Catch::Contains("the longest allowed (max_seq_length) is 5"));
  CHECK_THROWS_WITH(predictor(trunk, graft::predictor_options{longest + 1}),
                    Catch::Contains("at most " + std::to_string(longest) + " tokens"));
  CHECK_THROWS_WITH(predictor(trunk, graft::predictor_options{0}), Catch::Contains("max_seq_length is 0"));
}

TEST_CASE("several threads may ask at once") {
  const predictor p = everyone();
  const auto asked = [&](std::size_t b) {
    auto all = rows(b);
    for (std::size_t i = 0; i < all.size(); ++i) all[i].adapter = p.names()[(b + i) % 4];
    return all;
  };
  std::vector<std::vector<answer>> expected(3), found(3);
  for (std::size_t b = 0; b < 3; ++b) expected[b] = p.predict(asked(b));
  std::vector<std::thread> threads;
  for (std::size_t b = 0; b < 3; ++b) {
    threads.emplace_back([&, b] {
      for (int k = 0; k < 20; ++k) found[b] = p.predict(asked(b), 2, 1);
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t b = 0; b < 3; ++b) check_same(found[b], expected[b]);
}

TEST_CASE("the config.json beside a model is taken for its own, but for the one that names another model") {
  const graft_test::temporary_folder folder;
  graft_test::write_tiny_folder(folder / "m", "bert");
  const auto config_of = [&] { return graft::find_trunk_files({folder / "m", "", ""}).config_path; };
  CHECK(config_of() == folder / "m/config.json");
  graft::write_file(folder / "m/config.json", R"({"model_type": "bert", "vocab_size": 20})");
  CHECK_THROWS_WITH(graft::read_trunk_config(graft::find_trunk_files({folder / "m", "", ""})),
                    (folder / "m/config.json") + ": has no \"hidden_size\"");
  graft::write_file(folder / "m/config.json", R"({"model_type": "bert", "model_path": "model/model.safetensors"})");
  CHECK(config_of().empty());
}

TEST_CASE("a BERT without a pooler answers bare, and with what brings one") {
  const graft_test::temporary_folder folder;
  const auto without = [](const std::string& name) -> std::optional<std::string> {
    if (name.starts_with("bert.pooler.")) return std::nullopt;
    return name;
  };
  graft_test::write_tiny_folder(folder / "whole", "bert");
  graft_test::write_tiny_folder(folder / "mlm", "bert", graft::json::object(), without);
  const auto files = [&](const std::string& name) { return graft::find_trunk_files({folder / (name + "/model.safetensors"), "", ""}); };
  const std::vector<example> texts{{.text_a = "a b"}, {.text_a = "c"}};
  predictor whole(files("whole")), mlm(files("mlm"));
  check_same(mlm.predict(texts), whole.predict(texts));
  check_same(predictor::from_folder(folder / "whole").predict(texts), whole.predict(texts));

  const graft::encoder_config config = graft::read_encoder_config(folder / "whole/config.json");
  auto model = graft::make_plain_classifier<graft::f32>(config, 2);
  const graft::safetensors_file weights(folder / "whole/model.safetensors");
  graft::load_trunk(model, weights);
  graft::initialize(model.head, 1);
  graft::model_description d;
  d.kind = graft::tuning_kind::head;
  d.labels = {"no", "yes"};
  const auto save = [&](const std::string& name, bool pooler) {
    graft::save_parameters(model, folder / name, graft::to_metadata(d), [&](const auto& p) {
      return p.name.starts_with("classifier.") || (pooler && p.name.starts_with("bert.pooler."));
    });
  };
  save("with", true);
  save("without", false);
  mlm.add("with", folder / "with");
  whole.add("with", folder / "without");
  check_same(mlm.predict(texts), whole.predict(texts));
  CHECK_THROWS_WITH(mlm.add("without", folder / "without"),
                    Catch::Contains("without: brings no pooler (bert.pooler.dense.*), and neither does the encoder"));

  const auto print_of = [&](const std::string& name) -> std::string {
    const auto source = graft::open_model(folder / name, "bert");
    return graft::fingerprint(source, graft::to_json(config), graft::trunk_tensors(config, source));
  };
  CHECK(print_of("whole") != print_of("mlm"));
  graft_test::write_tiny_folder(folder / "half", "bert", graft::json::object(), [](const std::string& name) -> std::optional<std::string> {
    if (name == "bert.pooler.dense.bias") return std::nullopt;
    return name;
  });
  CHECK_THROWS_WITH(print_of("half"), Catch::Contains("has no tensor 'bert.pooler.dense.bias'"));
}

TEST_CASE("weights that are no numbers are named when they are loaded, and an answer that is none becomes no label") {
  const graft_test::temporary_folder folder;
  graft_test::write_tiny_folder(folder / "hf", "bert");
  const std::string path = folder / "hf/model.safetensors", whole = graft::read_file(path);
  const auto files = graft::find_trunk_files({path, "", ""});
  const std::string weight = "bert.encoder.layer.1.output.dense.weight";
  graft_test::overwrite_number(path, weight, 11, std::nanf(""));
  CHECK_THROWS_WITH(predictor(files),
                    Catch::Contains(path + ": tensor '" + weight + "' holds NaN at (1, 1), a finite number was expected"));
  graft::write_file(path, whole);
  graft_test::overwrite_number(path, "bert.embeddings.LayerNorm.bias", 2, -std::numeric_limits<float>::infinity());
  CHECK_THROWS_WITH(predictor(files), Catch::Contains("LayerNorm.bias' holds -infinity at (2)"));

  graft::write_file(path, whole);
  const graft::encoder_config config = graft::read_encoder_config(folder / "hf/config.json");
  auto model = graft::make_plain_classifier<graft::f32>(config, 2);
  graft::load_trunk(model, graft::safetensors_file(path));
  graft::initialize(model.head, 1);
  graft::model_description d;
  d.kind = graft::tuning_kind::head;
  d.labels = {"no", "yes"};
  const std::string head = folder / "head.safetensors";
  graft::save_parameters(model, head, graft::to_metadata(d), [](const auto& p) { return p.name.starts_with("classifier."); });
  const std::string sound = graft::read_file(head);
  predictor p(files, head);
  graft_test::overwrite_number(head, "classifier.weight", 7, std::numeric_limits<float>::infinity());
  CHECK_THROWS_WITH(p.add("broken", head), Catch::Contains(head + ": tensor 'classifier.weight' holds infinity at (1, 1)"));
  CHECK(p.names() == std::vector<std::string>{"tuned"});

  // Two finite numbers with an infinite sum: the letter c as the fourth token.
  graft_test::overwrite_number(path, "bert.embeddings.word_embeddings.weight", 7 * 6, 3e38F);
  graft_test::overwrite_number(path, "bert.embeddings.position_embeddings.weight", 3 * 6, 3e38F);
  graft::write_file(head, sound);
  p = predictor(files, head);
  const std::vector<example> texts{{.text_a = "a"}, {.text_a = "b"}, {.text_a = "a b c"}};
  CHECK(p.predict(std::span(texts).first(2)).size() == 2);
  CHECK_THROWS_WITH(p.predict(texts), Catch::StartsWith("row 2: ") && Catch::Contains("no finite number"));
  auto bare = texts;
  for (example& row : bare) row.adapter = "none";
  CHECK_THROWS_WITH(p.predict(bare, 1), Catch::StartsWith("row 2: ") && Catch::Contains("no finite number"));

  // Finite numbers, whose squares have an infinite sum, of which LayerNorm would make zeros.
  graft_test::overwrite_number(path, "bert.embeddings.position_embeddings.weight", 3 * 6, 0);
  graft_test::overwrite_number(path, "bert.embeddings.word_embeddings.weight", 7 * 6, 1e30F);
  for (const auto precision : {graft::precision::f32, graft::precision::bf16, graft::precision::int8}) {
    p = predictor(files, head, {.precision = precision});
    CHECK(p.predict(std::span(texts).first(2)).size() == 2);
    CHECK_THROWS_WITH(p.predict(texts), Catch::StartsWith("row 2: ") && Catch::Contains("no finite number"));
  }
}

TEST_CASE("a number that is none among weights that a file has packed, too, is named with the file where it is needed") {
  const graft_test::temporary_folder folder;
  graft_test::write_tiny_folder(folder / "hf", "bert", {{"hidden_size", 64}, {"intermediate_size", 64}});
  const auto config = graft::read_encoder_config(folder / "hf/config.json");
  const auto plain = graft::open_model(folder / "hf/model.safetensors", "bert");
  const std::string print = graft::fingerprint(plain, graft::to_json(config), graft::trunk_tensors(config));
  const graft::trunk_files files{folder / "m.safetensors", folder / "hf/config.json", ""};
  graft::write_model_file(files.model_path, graft::with_packed_trunk(plain, config, print, graft::precision::int8, 1),
                          graft::read_json(files.config_path), "a test");
  const std::string weight = "bert.encoder.layer.1.attention.self.query.weight";
  graft_test::overwrite_number(files.model_path, weight, 2000, std::nanf(""));  // where the fingerprint does not look

  graft::model_description d;
  d.kind = graft::tuning_kind::ia3;
  d.ia3.targets = {"attention.self.query"};
  d.head = graft::usual_head(config);
  d.labels = {"no", "yes"};
  d.layer_norms_trained = false;
  const std::vector<float> ones(128, 1);
  graft::safetensors_writer writer;
  writer.metadata = graft::to_metadata(d);
  for (const char* layer : {"0", "1"}) {
    writer.add<float>("bert.encoder.layer." + std::string(layer) + ".attention.self.query.ia3_l", {64, 1}, std::span(ones).first(64));
  }
  writer.add<float>("classifier.weight", {2, 64}, ones);
  writer.add<float>("classifier.bias", {2}, std::span(ones).first(2));
  writer.write(folder / "ia3.safetensors");
  predictor p(files, {.precision = graft::precision::int8});
  CHECK_THROWS_WITH(p.add("one", folder / "ia3.safetensors"),
                    Catch::StartsWith(files.model_path + ": tensor '" + weight + "' holds NaN at (31, 16)"));
}

TEST_CASE("a configuration that promises more than the weights hold is refused before memory is taken for it") {
  const graft_test::temporary_folder folder;
  graft_test::write_tiny_folder(folder / "hf", "bert");
  graft::json config = graft::read_json(folder / "hf/config.json");
  config.update({{"vocab_size", 10'000'000}, {"hidden_size", 65'536}, {"num_hidden_layers", 1000}, {"intermediate_size", 1'048'576}});
  graft::write_file(folder / "hf/config.json", config.dump());
  CHECK_THROWS_WITH(predictor(graft::find_trunk_files({folder / "hf/model.safetensors", "", ""})),
                    Catch::Contains("was expected (does the config belong to these weights?)"));
}
