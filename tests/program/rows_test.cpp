// Rows as the program meets them: from files, pipes and standard input, whole or broken.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "graft/core/file.hpp"
#include "program/run.hpp"
#include "support/shared.hpp"

using graft_test::is_one_line_error;
using graft_test::run_graft;
using graft_test::run_graft_between;
using graft_test::temporary_folder;

namespace {

const std::string rows_golden = GRAFT_TEST_DIR "/golden";

std::vector<std::string> ask(const std::string& rows) {
  return {"predict",
          "--model_path",
          rows_golden + "/model/model.safetensors",
          "--adapter_path",
          rows_golden + "/exchange/adapterhub_double",
          "--max_seq_length",
          "10",
          "--threads",
          "1",
          "--input",
          rows};
}

/// Letters a and b.
std::vector<std::string> tokenize_with(const temporary_folder& folder) {
  graft::write_file(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n");
  return {"tokenize", "--model_tokenizer_path", folder.path()};
}

/// What graft says of rows that come through a pipe without a name that tells their kind.
graft_test::outcome through_pipe(const temporary_folder& folder, const std::string& rows) {
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] {
    const int descriptor = ::open(pipe.c_str(), O_WRONLY);
    CHECK(::write(descriptor, rows.data(), rows.size()) == static_cast<ssize_t>(rows.size()));
    ::close(descriptor);
  });
  const auto result = run_graft(ask(pipe));
  writer.join();
  ::unlink(pipe.c_str());
  return result;
}

}  // namespace

TEST_CASE("padding that an attention_mask tells changes no answer, and padding without one is refused") {
  const temporary_folder folder;
  const auto table = [&](const std::string& row) {
    graft::write_file(folder / "rows.jsonl", row + "\n");
    return run_graft(ask(folder / "rows.jsonl"));
  };
  const std::string plain = table(R"({"input_ids": [0, 5, 9, 2]})").out;
  CHECK_THAT(plain, Catch::Contains("\n0\t"));
  CHECK(table(R"({"input_ids": [0, 5, 9, 2, 1, 1], "attention_mask": [1, 1, 1, 1, 0, 0]})").out == plain);
  CHECK(table(R"({"input_ids": [1, 0, 5, 9, 2], "attention_mask": [0, 1, 1, 1, 1]})").out == plain);
  const auto bare = table(R"({"input_ids": [0, 5, 9, 2, 1, 1]})");
  CHECK(bare.exit_code == 1);
  CHECK(is_one_line_error(bare.err));
  CHECK_THAT(bare.err, Catch::Contains("rows.jsonl:1: \"input_ids\" ends with 1, the id of padding"));
}

TEST_CASE("rows of a pipe are answered as those of a file, and a row that cannot be answered ends the table behind all before it") {
  const temporary_folder folder;
  std::string rows;
  for (int i = 0; i < 300; ++i) rows += "{\"input_ids\": [0, " + std::to_string(3 + i % 7) + ", 2]}\n";
  graft::write_file(folder / "rows.jsonl", rows);
  const std::string whole = run_graft(ask(folder / "rows.jsonl")).out;
  CHECK(std::count(whole.begin(), whole.end(), '\n') == 301);
  CHECK(through_pipe(folder, rows).out == whole);

  for (const std::string bad : {"{\"input_ids\": [0, 9999, 2]}\n", "{\"input_ids\": [0\n"}) {
    const auto cut = through_pipe(folder, rows.substr(0, rows.find('\n') + 1) + rows + bad + rows);
    CHECK(cut.exit_code == 1);
    CHECK(is_one_line_error(cut.err));
    CHECK_THAT(cut.err, Catch::Contains("pipe:302: "));
    CHECK(std::count(cut.out.begin(), cut.out.end(), '\n') == 302);
    CHECK_THAT(cut.out, Catch::Contains("\n300\t"));
  }
}

TEST_CASE("input that cannot be read is an error, not the end of the text") {
  const temporary_folder folder;
  const std::string out = folder / "out";
  const auto tokenize = tokenize_with(folder);
  auto predict = ask("-");
  for (const auto& command : {tokenize, predict}) {
    const auto directory = run_graft_between(command, "/", out);
    CHECK(directory.exit_code == 1);
    CHECK_THAT(directory.err, Catch::Contains("standard input: cannot be read: Is a directory"));
    const auto closed = run_graft_between(command, "", out);
    CHECK(closed.exit_code == 1);
    CHECK_THAT(closed.err, Catch::Contains("standard input: is closed"));
  }
  CHECK(run_graft(tokenize, "").exit_code == 0);
}

TEST_CASE("output that cannot be written is an error") {
  if (::access("/dev/full", W_OK) != 0) return;
  const temporary_folder folder;
  graft::write_file(folder / "in", "a b\nb a\n");
  graft::write_file(folder / "rows.jsonl", "{\"input_ids\": [0, 5, 2]}\n");
  const std::vector<std::vector<std::string>> commands{
      tokenize_with(folder), ask(folder / "rows.jsonl"), {"--version"}, {"plot", "--help"}};
  for (const auto& command : commands) {
    CAPTURE(command[0]);
    const auto full = run_graft_between(command, folder / "in", "/dev/full");
    CHECK(full.exit_code == 1);
    CHECK_THAT(full.err, Catch::Contains("standard output cannot be written: No space left on device"));
    CHECK(run_graft_between(command, folder / "in", "").exit_code == 1);
  }
}

TEST_CASE("tokenize takes line ends and a byte-order mark at the start as no part of the text, and refuses other encodings by name") {
  const temporary_folder folder;
  const auto command = tokenize_with(folder);
  CHECK(run_graft(command,
                  "\xEF\xBB\xBF"
                  "a b\r\n\r\nb")
            .out == "5 6\n\n6\n");
  using namespace std::string_literals;
  CHECK_THAT(run_graft(command,
                       "\xFF\xFE"
                       "a\0\n\0"s)
                 .err,
             Catch::Contains("standard input: is UTF-16 text"));
  const auto late = run_graft(command, "a\n\xE9\n");
  CHECK(late.out == "5\n");
  CHECK_THAT(late.err, Catch::Contains("standard input:2: invalid UTF-8 at byte 1 of the line, 0xe9"));
}

TEST_CASE("standard input that is no lines of texts, and text behind rows of ids, are refused with what helps") {
  const auto command = ask("-");
  const auto refused = [&](const std::string& rows) {
    const auto result = run_graft(command, rows);
    CHECK(result.exit_code == 1);
    CHECK(result.out.empty());
    CHECK(is_one_line_error(result.err));
    return result.err;
  };
  CHECK_THAT(refused("{\"input_ids\": [0, 5, 2]}\n"),
             Catch::Contains("standard input:1: looks like JSON lines") && Catch::Contains("use --input /dev/stdin"));
  for (const char* header : {"text_a\n", "text_a\ttext_b\n", "index\tsentence1\tsentence2\n", "sentence\tlabel\n"}) {
    CHECK_THAT(refused(header + std::string("a\tb\n")), Catch::Contains("standard input:1: looks like a table with a header"));
  }
  CHECK_THAT(refused("one\rtwo\r"), Catch::Contains("standard input:1: has a \\r inside"));
  const auto rows = run_graft(ask("/dev/stdin"), "{\"input_ids\": [0, 5, 2]}\n");
  CHECK(rows.exit_code == 0);
  CHECK_THAT(rows.out, Catch::Contains("\n0\t"));

  const temporary_folder folder;
  std::string mixed;
  for (int i = 0; i < 128; ++i) mixed += "{\"input_ids\": [0, 5, 2]}\n";
  graft::write_file(folder / "rows.jsonl", mixed + "{\"text_a\": \"word\"}\n");
  const auto result = run_graft(ask(folder / "rows.jsonl"));
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Catch::Contains("rows.jsonl:129: is text, and the rows before it brought their ids"));
}
