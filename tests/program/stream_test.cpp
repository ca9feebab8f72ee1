// graft predict as it goes: answers in time, tables that stop and go on, bad rows, gzip, signals.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "graft/core/file.hpp"
#include "host/gzip.hpp"
#include "program/run.hpp"
#include "support/shared.hpp"
#include "support/tiny_folder.hpp"

using graft_test::is_one_line_error;
using graft_test::run_graft;
using graft_test::temporary_folder;

namespace {

using words = std::vector<std::string>;

words predict_stream(const words& more) {
  const std::string golden = GRAFT_TEST_DIR "/golden";
  words all{"predict",
            "--model_path",
            golden + "/model/model.safetensors",
            "--adapter_path",
            golden + "/exchange/adapterhub_double",
            "--threads",
            "1",
            "--max_seq_length=10"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// COUNT rows of one to eight ids.
std::string id_rows(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i) {
    rows += "{\"input_ids\": [0";
    for (int k = 0; k < i * 29 % 7; ++k) rows += ", " + std::to_string(3 + (i / 3 + k) % 9);
    rows += ", 2]}\n";
  }
  return rows;
}

/// read_file takes nothing that is packed.
std::string bytes_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string unpacked(const std::string& packed) {
  graft::program::gunzip all("test");
  std::string text;
  char piece[1000];
  for (std::string_view left = packed; !left.empty();) text.append(piece, all.unpack(left, piece, sizeof piece));
  all.finish();
  return text;
}

/// The program with pipes at both ends.
class piped_graft {
 public:
  explicit piped_graft(words arguments) {
    int in[2], out[2];
    REQUIRE((::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0));
    child_ = graft_test::start_graft(std::move(arguments), [&](posix_spawn_file_actions_t* files) {
      ::posix_spawn_file_actions_adddup2(files, in[0], 0);
      ::posix_spawn_file_actions_adddup2(files, out[1], 1);
      ::posix_spawn_file_actions_addopen(files, 2, (folder_ / "err").c_str(), O_WRONLY | O_CREAT, 0600);
    });
    in_ = graft::detail::descriptor(in[1]);
    out_ = graft::detail::descriptor(out[0]);
    ::close(in[0]);
    ::close(out[1]);
  }
  void give(const std::string& text) { CHECK(::write(in_.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size())); }
  /// What it prints up to COUNT line ends.
  std::string lines(int count) {
    std::string text;
    char byte;
    while (count > 0 && ::read(out_.number(), &byte, 1) == 1) {
      text += byte;
      if (byte == '\n') --count;
    }
    return text;
  }
  void close_output() { out_.close(); }
  void signal(int number) { ::kill(child_, number); }
  int end() { return graft_test::end_of(child_); }
  std::string err() const { return graft::read_file(folder_ / "err"); }

 private:
  temporary_folder folder_;
  pid_t child_ = 0;
  graft::detail::descriptor in_, out_;
};

}  // namespace

TEST_CASE("a row is answered when it comes, half a row is waited for, and Ctrl-C ends a wait with what was answered") {
  piped_graft graft(predict_stream({"--input", "/dev/stdin"}));
  graft.give("{\"input_ids\": [0, 5, 9, 2]}\n{\"input_ids\": [0, ");
  CHECK_THAT(graft.lines(2), Catch::StartsWith("index\tprediction\t") && Catch::Contains("\n0\t"));
  graft.give("5, 2]}\n\n");
  CHECK_THAT(graft.lines(1), Catch::StartsWith("1\t"));  // the input is open still
  graft.signal(SIGINT);
  CHECK(graft.lines(1).empty());
  CHECK(graft.end() == 130);
  CHECK(graft.err() == "graft: stopped by a signal, behind 2 rows\n");
}

TEST_CASE("who leaves the table early is no error worth a line") {
  piped_graft graft(predict_stream({"--input", "/dev/stdin"}));
  graft.give(id_rows(2));
  CHECK_FALSE(graft.lines(1).empty());
  graft.close_output();
  graft.give(id_rows(1));
  CHECK(graft.end() == 141);
  CHECK(graft.err().empty());
}

TEST_CASE("a table that stopped anywhere goes on to the same bytes, plain or packed") {
  const temporary_folder folder;
  const std::string rows = folder / "rows.jsonl";
  graft::write_file(rows, id_rows(3000));
  const std::string whole = run_graft(predict_stream({"--input", rows})).out;
  for (const std::string name : {"out.tsv", "out.tsv.gz"}) {
    const std::string out = folder / name;
    REQUIRE(run_graft(predict_stream({"--input", rows, "--output", out})).exit_code == 0);
    const std::string all = bytes_in(out);
    CHECK((name == "out.tsv" ? all : unpacked(all)) == whole);
    for (const std::size_t cut : {std::size_t{0}, std::size_t{7}, all.size() / 3, all.size() - 1, all.size()}) {
      CAPTURE(name, cut);
      graft::write_file(out, all.substr(0, cut));
      const auto result = run_graft(predict_stream({"--input", rows, "--output", out, "--resume"}));
      CHECK(result.exit_code == 0);
      CHECK(result.err.empty());
      CHECK(bytes_in(out) == all);
    }
    // What stands there is replaced when the new table is complete, and no sooner.
    graft::write_file(folder / "bad.jsonl", id_rows(200) + "{}\n");
    CHECK(run_graft(predict_stream({"--input", folder / "bad.jsonl", "--output", out})).exit_code == 1);
    CHECK(bytes_in(out) == all);
    const std::string partial = bytes_in(out + ".partial");
    CHECK(whole.starts_with(name == "out.tsv" ? partial : unpacked(partial)));
    CHECK(run_graft(predict_stream({"--input", rows, "--output", out, "--resume"})).exit_code == 0);
    CHECK(bytes_in(out) == all);
    CHECK_FALSE(std::filesystem::exists(out + ".partial"));
  }
}

TEST_CASE("a table of other rows, flags or models is not gone on with, and stays as it is") {
  const temporary_folder folder;
  const std::string rows = folder / "rows.jsonl", out = folder / "out.tsv";
  graft::write_file(rows, id_rows(300));
  REQUIRE(run_graft(predict_stream({"--input", rows, "--output", out})).exit_code == 0);
  const std::string all = graft::read_file(out);
  const auto refused = [&](const words& more, const std::string& table) {
    graft::write_file(out, table);
    words flags{"--output", out, "--resume", "--input", rows};
    flags.insert(flags.end(), more.begin(), more.end());
    const auto result = run_graft(predict_stream(flags));
    CHECK(result.exit_code == 1);
    CHECK(is_one_line_error(result.err));
    CHECK(graft::read_file(out) == table);
    return result.err;
  };
  graft::write_file(folder / "fewer.jsonl", id_rows(200));
  CHECK_THAT(refused({"--input", folder / "fewer.jsonl"}, all), Catch::Contains("out.tsv: holds answers to more rows than the 200 of "));
  std::string other = id_rows(300);
  other.replace(other.rfind("[0, "), 4, "[0, 4, ");
  graft::write_file(folder / "other.jsonl", other);
  CHECK_THAT(refused({"--input", folder / "other.jsonl"}, all),
             Catch::Contains("out.tsv:301: holds \"") && Catch::Contains("these are answers to other rows"));
  CHECK_THAT(refused({}, "index\tprediction\tP(x)\n"),
             Catch::Contains("begins with \"index\\tprediction\\tP(x)\", the table of these answers with"));
  CHECK_THAT(refused({}, "my own notes"), Catch::Contains("begins with \"my own notes\""));
  std::string gap = all;
  gap.erase(gap.find("\n7\t"), gap.find("\n8\t") - gap.find("\n7\t"));
  CHECK_THAT(refused({}, gap), Catch::Contains("out.tsv:9: is not the answer to row 7"));
  REQUIRE(run_graft(predict_stream({"--input", rows, "--output", out, "--precision", "f32"})).exit_code == 0);
  std::string near = graft::read_file(out);  // in f32 other batches change less than this
  const std::size_t last = near.rfind('\t') + 1;
  near = near.substr(0, last) + std::to_string(std::stod(near.substr(last)) + 1e-3) + "\n";
  CHECK_THAT(refused({"--precision", "f32"}, near), Catch::Contains("out.tsv:301: holds \""));
  CHECK(run_graft(predict_stream({"--input", rows, "--resume"})).exit_code == 2);
}

TEST_CASE("a bad row is a line of the table with --on_error row, also when a table goes on") {
  const temporary_folder folder;
  const std::string rows = folder / "rows.jsonl", out = folder / "out.tsv";
  graft::write_file(rows, id_rows(2) + "{\"input_ids\": [0\n{\"input_ids\": [0, 9999, 2]}\n" + id_rows(2));
  const auto result = run_graft(predict_stream({"--input", rows, "--on_error", "row", "--output", out}));
  CHECK(result.exit_code == 5);
  CHECK_THAT(result.err, Catch::Contains("rows without an answer: 2 of 6, the first " + rows + ":3: "));
  CHECK(is_one_line_error(result.err));
  const std::string table = graft::read_file(out);
  CHECK_THAT(table, Catch::Contains("\n2\terror: line 3: ") && Catch::Contains("\n3\terror: line 4: \"input_ids\" holds 9999") &&
                        Catch::Contains("\n5\t"));
  graft::write_file(out, table.substr(0, table.find("\n4\t") + 2));
  CHECK_THAT(run_graft(predict_stream({"--input", rows, "--resume", "--output", out})).err,
             Catch::Contains("with --on_error row, --resume goes on with it"));
  CHECK(run_graft(predict_stream({"--input", rows, "--on_error", "row", "--resume", "--output", out})).exit_code == 5);
  CHECK(graft::read_file(out) == table);

  graft_test::write_tiny_folder(folder / "hf", "bert");
  const auto ask_texts = [&](const std::string& text) {
    graft::write_file(folder / "rows.tsv", text);
    return run_graft({"predict", "--model_path", folder / "hf", "--adapter", "none", "--input", folder / "rows.tsv", "--on_error=row"});
  };
  const auto texts = ask_texts("text_a\na\n\nb\tc\nd\n");
  CHECK_THAT(texts.out,
             Catch::Contains("\n0\tnone\t\t[") &&
                 Catch::Contains("\n1\tnone\terror: line 3: is blank, and rows follow: take the line out (blank lines are passed "
                                 "over only at the end)\t{}\n2\tnone\terror: line 4: has 2 tab-separated columns") &&
                 Catch::Contains("\n3\tnone\t\t["));
  CHECK(texts.exit_code == 5);
  CHECK(ask_texts("text_c\na\n").exit_code == 1);  // without a header there are no rows
}

TEST_CASE("rows packed by gzip are read as those of a file, by name or not, and damaged data is one line behind what was before it") {
  const temporary_folder folder;
  const std::string rows = id_rows(400), packed = graft::program::gzip(rows.substr(0, 3000)) + graft::program::gzip(rows.substr(3000));
  graft::write_file(folder / "rows.jsonl", rows);
  const std::string expected = run_graft(predict_stream({"--input", folder / "rows.jsonl"})).out;
  for (const std::string name : {"packed.jsonl.gz", "packed.jsonl"}) {
    graft::write_file(folder / name, packed + std::string(100, '\0'));
    CHECK(run_graft(predict_stream({"--input", folder / name})).out == expected);
  }
  CHECK(run_graft(predict_stream({"--input", "/dev/stdin"}), packed).out == expected);
  for (const std::string& broken :
       {packed.substr(0, packed.size() - 4), packed.substr(0, packed.size() / 2) + std::string(40, 'x'), packed + "more"}) {
    graft::write_file(folder / "broken.jsonl.gz", broken);
    const auto result = run_graft(predict_stream({"--input", folder / "broken.jsonl.gz"}));
    CHECK(result.exit_code == 1);
    CHECK(is_one_line_error(result.err));
    CHECK_THAT(result.err, Catch::Contains("broken.jsonl.gz: byte ") && Catch::Contains("the gzip data "));
    CHECK((result.out.empty() || (expected.starts_with(result.out) && result.out.ends_with('\n'))));
  }
}
