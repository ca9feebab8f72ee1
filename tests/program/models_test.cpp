// Encoders and vocabularies that other programs take, from the folder to the answer.

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/io/safetensors.hpp"
#include "graft/predict/predictor.hpp"
#include "program/run.hpp"
#include "support/tiny_folder.hpp"

using Catch::Contains;
using graft_test::is_one_line_error;
using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

void write_pairs(const temporary_folder& folder) {
  graft::write_file(folder / "rows.tsv", "text_a\ttext_b\tlabel\na b\tc\tyes\nd\te f\tno\ng\ta\tyes\n");
  graft::write_file(folder / "task.json", graft::json{{"task", "custom"},
                                                      {"name", "pairs"},
                                                      {"kind", "classification"},
                                                      {"labels", {"no", "yes"}},
                                                      {"paths", {{"train", folder / "rows.tsv"}, {"test", folder / "rows.tsv"}}}}
                                              .dump());
}

graft_test::outcome train(const temporary_folder& folder, const std::string& model, const std::string& output,
                          std::vector<std::string> more = {}) {
  std::vector<std::string> flags{"train-adapter",
                                 "--model_path",
                                 folder / (model + "/model.safetensors"),
                                 "--task_config_path",
                                 folder / "task.json",
                                 "--output_dir",
                                 folder / output,
                                 "--do_train",
                                 "--do_save",
                                 "--num_train_epochs",
                                 "1",
                                 "--adapter_size",
                                 "2",
                                 "--seed",
                                 "1",
                                 "--threads",
                                 "1"};
  flags.insert(flags.end(), more.begin(), more.end());
  return run_graft(flags);
}

graft_test::outcome predict(const temporary_folder& folder, const std::string& model, std::vector<std::string> more) {
  std::vector<std::string> flags{"predict", "--model_path", folder / (model + "/model.safetensors"), "--input", folder / "rows.tsv"};
  flags.insert(flags.end(), more.begin(), more.end());
  return run_graft(flags);
}

}  // namespace

TEST_CASE("a BERT without a pooler is trained with a fresh one, alone and around a mix, and answers with it") {
  const temporary_folder folder;
  write_pairs(folder);
  graft_test::write_tiny_folder(folder / "m", "bert", graft::json::object(), [](const std::string& name) -> std::optional<std::string> {
    if (name.starts_with("bert.pooler.")) return std::nullopt;
    return "module." + name;
  });
  const auto trained = train(folder, "m", "one");
  CHECK(trained.exit_code == 0);
  CHECK(is_one_line_error(trained.err));
  CHECK_THAT(trained.err, Contains("model.safetensors: brings no pooler") && Contains("a fresh one is trained"));
  CHECK(graft::safetensors_file(folder / "one/model.safetensors").contains("bert.pooler.dense.bias"));
  CHECK(predict(folder, "m", {"--adapter_path", folder / "one"}).exit_code == 0);
  CHECK(predict(folder, "m", {"--adapter", "none"}).exit_code == 0);
  graft::write_file(folder / "list.json", graft::json{{"one", folder / "one"}}.dump());
  auto mixed = run_graft({"train-multi-adapter", "--model_path", folder / "m/model.safetensors", "--task_config_path", folder / "task.json",
                          "--output_dir", folder / "mix", "--do_train", "--do_save", "--num_train_epochs", "1", "--adapter_weights_path",
                          folder / "list.json", "--threads", "1"});
  CHECK(mixed.exit_code == 0);
  CHECK_THAT(mixed.err, Contains("brings no pooler"));
  CHECK(predict(folder, "m", {"--adapter_path", folder / "mix"}).exit_code == 0);
}

TEST_CASE("a task begins with the rows that a checkpoint's head has for its labels") {
  const temporary_folder folder;
  const std::string model = GRAFT_TEST_DIR "/golden/peers/heads/single_label_of_three_roberta";
  const auto run = [&](const std::vector<std::string>& labels, const std::string& output) {
    graft::write_file(folder / "rows.jsonl", graft::json{{"input_ids", {3, 5, 2}}, {"label", labels[0]}}.dump() + "\n");
    graft::write_file(folder / "task.json", graft::json{{"task", "custom"},
                                                        {"name", "own"},
                                                        {"kind", "classification"},
                                                        {"labels", labels},
                                                        {"paths", {{"train", folder / "rows.jsonl"}, {"val", folder / "rows.jsonl"}}}}
                                                .dump());
    return run_graft({"train-adapter", "--model_path", model, "--task_config_path", folder / "task.json", "--output_dir", folder / output,
                      "--tune", "head", "--do_val", "--do_save", "--max_seq_length", "9", "--threads", "1"});
  };
  const auto result = run({"new", "no"}, "one");
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out, Contains("starts this task's: the rows of no are taken over, those of new start fresh") &&
                             Contains("these are the numbers of a head that is partly fresh"));
  const graft::safetensors_file saved(folder / "one/model.safetensors"), whole(model + "/model.safetensors");
  for (const std::string part : {"classifier.out_proj.weight", "classifier.out_proj.bias"}) {
    const auto ours = saved.values<float>(part), theirs = whole.values<float>(part);
    const std::size_t width = ours.size() / 2;
    CHECK(std::equal(ours.begin() + static_cast<std::ptrdiff_t>(width), ours.end(), theirs.begin()));
  }
  CHECK(saved.values<float>("classifier.dense.weight") == whole.values<float>("classifier.dense.weight"));
  CHECK_THAT(run({"no", "perhaps"}, "two").out, Contains("these are the numbers of the model's head"));
  CHECK_THAT(run({"a", "No"}, "three").out, Contains("is left out: none of this task's labels") && Contains("of a fresh head"));
}

TEST_CASE("sequences are as long as a short encoder takes them where nobody asks for a length") {
  const temporary_folder folder;
  write_pairs(folder);
  graft_test::write_tiny_folder(folder / "short", "bert", {{"max_position_embeddings", 64}});
  CHECK(train(folder, "short", "out").exit_code == 0);
  CHECK(graft::read_json(folder / "out/args.json")["max_seq_length"] == 64);
  CHECK(graft::parse_description(graft::safetensors_file(folder / "out/model.safetensors").metadata(), "p").max_seq_length == 64);
  CHECK_THAT(train(folder, "short", "other", {"--max_seq_length", "65"}).err,
             Contains("--max_seq_length is 65, the model takes at most 64"));
  graft_test::write_tiny_folder(folder / "long", "bert");
  CHECK(train(folder, "long", "out_long").exit_code == 0);
  CHECK(graft::read_json(folder / "out_long/args.json")["max_seq_length"] == 128);
}

TEST_CASE("a vocabulary of the other family is taken where its files name the class") {
  const temporary_folder folder;
  write_pairs(folder);
  graft_test::write_tiny_folder(folder / "m", "roberta");
  std::filesystem::remove(folder / "m/vocab.json");
  graft_test::write_vocabulary(folder / "m", "bert", graft_test::tiny_pieces_of("bert"));
  const auto refused = train(folder, "m", "out");
  CHECK(is_one_line_error(refused.err));
  CHECK_THAT(refused.err, Contains("m: the vocabulary is that of a bert model, the model is a roberta") && Contains("tokenizer_class"));
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
  graft::write_file(folder / "m/tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  const auto trained = train(folder, "m", "out");
  CHECK(trained.err.empty());
  CHECK(trained.exit_code == 0);

  graft_test::write_tiny_folder(folder / "one", "bert", {{"type_vocab_size", 1}});
  const auto one = train(folder, "one", "out_one");
  CHECK(one.exit_code == 0);
  CHECK_THAT(one.err, Contains("one: is for two kinds of segments, the model has one") && Contains("segment 0"));
}

TEST_CASE("vocabulary and table of different sizes: spare rows change nothing, a missing one is named when a text needs it") {
  const temporary_folder folder;
  graft_test::write_tiny_folder(folder / "m", "roberta", {{"vocab_size", 200}});
  auto pieces = graft_test::tiny_pieces_of("roberta");
  std::swap(pieces[1], pieces[3]);  // <pad> has id 3, config.json says 1
  graft_test::write_vocabulary(folder / "m", "roberta", pieces);
  const auto exported = run_graft({"export-model", folder / "m", "--output_base_path", folder / "out"});
  CHECK(exported.err.empty());
  CHECK_THAT(exported.out, Contains("vocabulary  20 entries, 200 rows"));

  graft_test::write_tiny_folder(folder / "short", "roberta");
  pieces.push_back("x");
  graft_test::write_vocabulary(folder / "short", "roberta", pieces);
  graft::write_file(folder / "rows.tsv", "text_a\na b\n");
  const auto fine = predict(folder, "short", {"--adapter", "none"});
  CHECK(fine.exit_code == 0);
  CHECK_THAT(fine.err,
             Contains("short: the vocabulary goes on to id 20, the model has rows for 0 to 19: a text that needs more is refused"));
  graft::write_file(folder / "rows.tsv", "text_a\na b\na x\n");
  const auto refused = predict(folder, "short", {"--adapter", "none"});
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Contains("rows.tsv:3: \"x\" in the text has id 20, the encoder has rows for 20 alone"));
}
