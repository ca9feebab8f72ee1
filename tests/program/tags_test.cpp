// Tags for words in the program: trained, resumed, evaluated, predicted, reported.

#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

#include "program/training_material.hpp"
#include "support/tiny_folder.hpp"

namespace {

namespace fs = std::filesystem;
using graft_test::is_one_line_error;
using graft_test::run_graft;
using graft_test::temporary_folder;
using graft_test::with;

struct tag_material {
  temporary_folder folder;

  explicit tag_material(const graft::json& more = graft::json::object()) {
    graft_test::write_tiny_folder(folder / "encoder", "roberta");
    std::string text;
    for (const std::string row :
         {"a O\nb B-X\nc I-X\nd O\n", "b B-X\nb B-X\n", "f O\ng O\na O\nb B-X\n", "d O\n", "c O\na O\nb B-X\nc I-X\nc I-X\n"}) {
      text += row + "\n";
    }
    graft::write_file(folder / "train.conll", text);
    graft::write_file(folder / "val.jsonl", "{\"tokens\": [\"b\", \"c\", \"a\"], \"tags\": [\"B-X\", \"I-X\", \"O\"]}\n");
    graft::json task{{"task", "custom"},
                     {"name", "names"},
                     {"kind", "token_classification"},
                     {"paths", {{"train", folder / "train.conll"}, {"val", folder / "val.jsonl"}, {"test", folder / "train.conll"}}}};
    task.update(more);
    graft::write_file(folder / "task.json", task.dump());
  }
  std::vector<std::string> flags(const std::string& output, const std::vector<std::string>& more = {}) const {
    return with({"train-adapter",
                 "--task_config_path",
                 folder / "task.json",
                 "--model_path",
                 folder / "encoder",
                 "--output_dir",
                 folder / output,
                 "--do_train",
                 "--do_val",
                 "--do_test",
                 "--do_save",
                 "--max_seq_length",
                 "16",
                 "--seed",
                 "5",
                 "--learning_rate",
                 "1e-2",
                 "--threads",
                 "2",
                 "--train_batch_size",
                 "3",
                 "--num_train_epochs",
                 "4",
                 "--micro_batch_tokens",
                 "4"},
                more);
  }
  graft_test::outcome run(std::vector<std::string> arguments) const {
    auto result = run_graft(std::move(arguments));
    INFO(result.err);
    CHECK(result.exit_code == 0);
    return result;
  }
  std::vector<graft::json> lines(const std::string& text) const {
    std::vector<graft::json> all;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) all.push_back(graft::json::parse(line));
    return all;
  }
};

}  // namespace

TEST_CASE("tags are trained by every way to tune, with the same bits on any number of threads and after a stop") {
  const tag_material m;
  const auto trained = m.run(m.flags("run", {"--eval_every_steps", "2", "--save_every_steps", "1"}));
  CHECK_THAT(trained.out, Catch::Contains("entity_f1"));
  const auto metrics = graft::read_json(m.folder / "run/val_metrics.json");
  CHECK(metrics["metrics"]["minor"].contains("entity_precision"));
  const auto report = graft::read_json(m.folder / "run/val_report.json");
  CHECK(report["labels"] == graft::json{"X"});
  CHECK(report["worst"][0]["label"] == "B-X I-X O");
  CHECK(report["worst"][0]["text_a"] == "b c a");
  std::string written = graft::read_file(m.folder / "run/test_predictions.conll");
  CHECK(std::count(written.begin(), written.end(), '\n') == 16 + 5);
  CHECK_THAT(written, Catch::StartsWith("a\t"));
  m.run(m.flags("alone", {"--eval_every_steps", "2", "--save_every_steps", "1", "--threads", "1"}));
  CHECK(graft::read_file(m.folder / "run/model.safetensors") == graft::read_file(m.folder / "alone/model.safetensors"));
  const std::vector<std::string> slow{"--eval_every_steps", "1", "--num_train_epochs", "400", "--save_every_steps", "1"};
  CHECK(graft_test::interrupt(m.flags("stopped", slow), m.folder / "stopped", 3) == 130);
  m.run(with(m.flags("stopped", slow), {"--resume"}));
  m.run(m.flags("straight", slow));
  CHECK(graft::read_file(m.folder / "stopped/model.safetensors") == graft::read_file(m.folder / "straight/model.safetensors"));
  for (const std::vector<std::string>& how : std::vector<std::vector<std::string>>{
           {"--tune", "full"},
           {"--tune", "head"},
           {"--adapter_method", "lora"},
           {"--adapter_placement", "pfeiffer"},
           {"--adapter_method", "prefix", "--prefix_length", "2", "--class_weights", "balanced", "--label_smoothing", "0.1"}}) {
    const std::string name = how[1];
    m.run(m.flags(name, how));
    const auto answers = m.lines(
        m.run({"predict", "--model_path", m.folder / "encoder", "--adapter_path", m.folder / name, "--input", m.folder / "val.jsonl"}).out);
    CHECK(answers[0]["tags"].size() == 3);
  }
  const std::vector<std::string> encoder{"--model_path", m.folder / "encoder"};
  const auto merged = m.run(with({"merge-adapters", "--adapter_path", m.folder / "lora", "--output_path", m.folder / "merged"}, encoder));
  CHECK_THAT(merged.err, Catch::Contains("merged: cuts texts into words where its tokenizer says"));
  CHECK(graft::read_json(m.folder / "merged/tokenizer_config.json")["add_prefix_space"] == true);
  const auto peft =
      m.run(with({"convert-adapter", "--adapter_path", m.folder / "lora", "--output_path", m.folder / "peft", "--to", "peft"}, encoder));
  CHECK_THAT(peft.err, Catch::Contains("peft: cuts texts into words where its tokenizer says"));
  const auto unnamed = m.run(with({"predict", "--adapter_path", m.folder / "peft", "--input", m.folder / "val.jsonl"}, encoder));
  CHECK_THAT(unnamed.err, Catch::Contains("peft: does not say what its labels are: tags are called 0, 1, ..."));
  const auto cut = m.run(with(
      {"evaluate", "--adapter_path", m.folder / "lora", "--task_config_path", m.folder / "task.json", "--max_seq_length", "4"}, encoder));
  CHECK_THAT(cut.err, Catch::Contains("val.jsonl: of 2 words in 1 row no token is left (rows are cut at --max_seq_length 4)"));
  const auto compared = m.run({"report", m.folder / "run", m.folder / "full"});  // the labels are those of the training rows
  CHECK(compared.err.empty());
  CHECK_THAT(compared.out, Catch::Contains(" to ") && Catch::Contains("), p "));
  graft::write_file(m.folder / "val.jsonl", "{\"tokens\": [\"b\", \"\u200b\"], \"tags\": [\"B-X\", \"O\"]}\n");
  CHECK_THAT(m.run({"report", m.folder / "run", m.folder / "full"}).err, Catch::Contains("its answers are not to all words of"));
}

TEST_CASE("tags are trained and evaluated from spans of texts, and from numbers of labels") {
  const tag_material m(graft::json{{"labels", {"O", "B-X", "I-X"}}});
  graft::json task = graft::read_json(m.folder / "task.json");
  graft::write_file(m.folder / "train.jsonl",
                    "{\"text\": \"a b c d\", \"entities\": [{\"start\": 2, \"end\": 5, \"label\": \"X\"}]}\n"
                    "{\"text_a\": \"b a-c\", \"spans\": [{\"start\": 0, \"end\": 3, \"label\": \"X\"}]}\n"
                    "{\"tokens\": [\"b\", \"a\"], \"ner_tags\": [1, 0]}\n");
  graft::write_file(m.folder / "test.jsonl", "{\"text_a\": \"a b\"}\n");
  for (const std::string split : {"train", "test"}) task["paths"][split] = m.folder / (split + ".jsonl");
  task["paths"]["val"] = task["paths"]["train"];
  graft::write_file(m.folder / "task.json", task.dump());
  const auto trained = m.run(m.flags("spans"));
  CHECK_THAT(trained.err, Catch::Contains("train.jsonl: 1 span begins or ends inside a word, the first in line 2: the whole word counts"));
  CHECK(graft::read_json(m.folder / "spans/val_report.json")["worst"].size() == 3);
  CHECK_THAT(graft::read_file(m.folder / "spans/test_predictions.conll"), Catch::StartsWith("a\t") && Catch::Contains("\nb\t"));
  const std::vector<std::string> model{"--model_path", m.folder / "encoder", "--adapter_path", m.folder / "spans"};
  const auto by_task = m.run(with({"evaluate", "--task_config_path", m.folder / "task.json"}, model));
  const auto by_file = m.run(with({"evaluate", "--input", m.folder / "train.jsonl"}, model));  // with the labels of the model
  CHECK(by_task.out == by_file.out);
  CHECK_THAT(by_task.out, Catch::StartsWith("3 rows of"));
  const auto answers = m.lines(m.run(with({"predict", "--input", m.folder / "train.jsonl"}, model)).out);
  CHECK_FALSE(answers[0].contains("tags"));  // a text
  CHECK(answers[2]["tags"].size() == 2);
}

TEST_CASE("tags are predicted for words and for texts, evaluated, and found in a mix") {
  const tag_material m;
  m.run(m.flags("run", {"--tune", "full", "--num_train_epochs", "150", "--learning_rate", "0.02"}));
  const std::vector<std::string> model{"--model_path", m.folder / "encoder", "--adapter_path", m.folder / "run"};
  const auto words = m.lines(m.run(with(with({"predict"}, model), {"--input", m.folder / "train.conll"})).out);
  REQUIRE(words.size() == 5);
  CHECK(words[0]["tags"] == graft::json{"O", "B-X", "I-X", "O"});
  CHECK(words[0]["spans"][0]["start"] == 1);
  CHECK(words[0]["spans"][0]["end"] == 3);
  CHECK(words[0]["spans"][0]["text"] == "b c");
  graft::write_file(m.folder / "texts.tsv", "text_a\na b c d\n");
  const auto texts = m.lines(m.run(with(with({"predict"}, model), {"--input", m.folder / "texts.tsv"})).out);
  CHECK(texts[0]["spans"][0]["start"] == 2);
  CHECK(texts[0]["spans"][0]["end"] == 5);
  CHECK_FALSE(texts[0].contains("tags"));
  // What is kept of an earlier run may differ by what rounding does to a score, and by nothing in a place.
  graft::write_file(m.folder / "far.tsv", "text_a\na" + std::string(100, ' ') + "b c d\n");
  const auto again = with(with({"predict"}, model),
                          {"--precision", "int8", "--input", m.folder / "far.tsv", "--output", m.folder / "far.jsonl", "--resume"});
  const std::string kept = (m.run(again), graft::read_file(m.folder / "far.jsonl"));
  const auto with_span = [&](const char* field, double more) {
    auto row = graft::ordered_json::parse(kept);
    auto& value = row["spans"][0][field];
    value.is_number_integer() ? value = value.get<int>() + static_cast<int>(more) : value = value.get<double>() + more;
    graft::write_file(m.folder / "far.jsonl", row.dump() + "\n");
    return run_graft(again).exit_code;
  };
  CHECK(with_span("score", 0) == 0);
  CHECK(with_span("score", -0.01) == 0);
  CHECK(with_span("score", -0.1) == 1);
  CHECK(with_span("end", 1) == 1);
  const auto scored = m.run(with(with({"evaluate"}, model),
                                 {"--task_config_path", m.folder / "task.json", "--split", "train", "--output", m.folder / "scores.json"}));
  CHECK_THAT(scored.out, Catch::Contains("entity_f1 1.0000") && Catch::Contains("\nX "));
  CHECK(graft::read_json(m.folder / "scores.json")["classes"][0]["support"] == 5);

  m.run(m.flags("adapter", {"--max_steps", "2"}));
  graft::write_file(m.folder / "list.json", graft::json{{"names", m.folder / "adapter"}}.dump());
  m.run({"train-multi-adapter", "--task_config_path", m.folder / "task.json", "--model_path", m.folder / "encoder",
         "--adapter_weights_path", m.folder / "list.json", "--output_dir", m.folder / "mix", "--do_train", "--do_val", "--do_save",
         "--max_steps", "2", "--max_seq_length", "16"});
  m.run({"plot", m.folder / "mix"});
  CHECK(fs::exists(m.folder / "mix/plots/report.html"));
  const auto mixed =
      m.run({"predict", "--model_path", m.folder / "encoder", "--adapter_path", m.folder / "mix", "--input", m.folder / "val.jsonl"});
  CHECK(m.lines(mixed.out)[0]["tags"].size() == 3);
}

TEST_CASE("a tagger beside others is evaluated by its name, and rows get tags or a line that says where") {
  const tag_material m;
  m.run(m.flags("run", {"--max_steps", "2"}));
  graft::write_file(m.folder / "list.json", graft::json{{"tag", m.folder / "run"}}.dump());
  const std::vector<std::string> list{"--model_path", m.folder / "encoder", "--adapter_weights_path", m.folder / "list.json"};
  const auto scored = m.run(with({"evaluate", "--adapter", "tag", "--input", m.folder / "val.jsonl"}, list));
  CHECK(scored.out == m.run(with({"evaluate", "--input", m.folder / "val.jsonl"}, list)).out);

  graft::write_file(m.folder / "rows.jsonl", "{\"text_a\": \"a b\", \"adapter\": \"tag\"}\n");
  const auto misplaced = run_graft(with({"predict", "--adapter", "none", "--input", m.folder / "rows.jsonl"}, list));
  CHECK(misplaced.exit_code == 1);
  CHECK(is_one_line_error(misplaced.err));
  CHECK_THAT(misplaced.err, Catch::Contains("rows.jsonl:1: names the adapter \"tag\", which gives tags to words"));

  graft::write_file(m.folder / "pairs.jsonl", "{\"text_a\": \"a\", \"text_b\": \"b\", \"adapter\": \"tag\"}\n");
  graft::write_file(m.folder / "list.json", graft::json{{"tag", m.folder / "run"}, {"again", m.folder / "run"}}.dump());
  const auto pair = run_graft(with({"predict", "--adapter", "tag", "--on_error", "row", "--input", m.folder / "pairs.jsonl"}, list));
  CHECK(graft::json::parse(pair.out)["adapter"] == "tag");
  CHECK_THAT(pair.out, Catch::Contains("has two texts, one was expected where words get tags; asked was the adapter \\\"tag\\\""));

  graft::write_file(m.folder / "numbers.jsonl", "{\"tokens\": [\"b\", \"a\"], \"ner_tags\": [0, 2]}\n");
  const auto guessed = run_graft(with({"evaluate", "--input", m.folder / "numbers.jsonl"}, list));
  CHECK(guessed.exit_code == 1);
  CHECK_THAT(guessed.err, Catch::Contains("numbers.jsonl:1: label \"0\"") && Catch::Contains("is not guessed"));
}

TEST_CASE("tags that look like entities and are none are noted") {
  const tag_material m;
  const auto train = [&](const std::string& first, const std::string& second) {
    for (const char* name : {"train.conll", "val.jsonl"})
      graft::write_file(m.folder / name, std::string(name) == "val.jsonl"
                                             ? "{\"tokens\": [\"a\", \"b\"], \"tags\": [\"" + first + "\", \"" + second + "\"]}\n"
                                             : "a " + first + "\nb " + second + "\n");
    return m.run(m.flags("run-" + first, {"--max_steps", "1"})).err;
  };
  CHECK_THAT(train("O", "U-X"), Catch::Contains("no entities are scored, acc alone: the tags \"O\", \"U-X\" are not all O"));
  CHECK_THAT(train("0", "1"), Catch::Contains("no entities are scored, acc alone: the tags are numbers"));
  CHECK(train("DET", "NOUN").empty());
}

TEST_CASE("rows and models that do not belong together are refused") {
  const tag_material m;
  m.run(m.flags("run", {"--max_steps", "1"}));
  graft::write_file(m.folder / "pair.tsv", "text_a\ttext_b\na\tb\n");
  const auto pair =
      run_graft({"predict", "--model_path", m.folder / "encoder", "--adapter_path", m.folder / "run", "--input", m.folder / "pair.tsv"});
  CHECK(is_one_line_error(pair.err));
  CHECK_THAT(pair.err, Catch::Contains("has two texts, one was expected where words get tags"));
  graft::write_file(m.folder / "val.jsonl", "{\"tokens\": [\"b\"], \"tags\": [\"B-Y\"]}\n");
  const auto unknown = run_graft(m.flags("other"));
  CHECK(is_one_line_error(unknown.err));
  CHECK_THAT(unknown.err, Catch::Contains("label \"B-Y\", expected one of \"B-X\", \"I-X\", \"O\""));
}
