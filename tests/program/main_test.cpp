#include <catch2/catch.hpp>
#include <regex>

#include "program/run.hpp"

using graft_test::is_one_line_error;
using graft_test::run_graft;

namespace {

constexpr const char* sub_commands[] = {"export-model", "prepare-tasks", "train-adapter", "train-multi-adapter", "predict", "evaluate",
                                        "embed",        "plot",          "tokenize"};

}  // namespace

TEST_CASE("graft --help lists the sub-commands, --version the version") {
  const auto help = run_graft({"--help"});
  CHECK(help.exit_code == 0);
  CHECK(help.err.empty());
  for (const char* name : sub_commands) CHECK_THAT(help.out, Catch::Contains("\n  " + std::string(name) + " "));
  CHECK(run_graft({"help"}).out == help.out);
  const auto version = run_graft({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(std::regex_match(version.out, std::regex("graft \\d+\\.\\d+\\.\\d+\n")));
}

TEST_CASE("each sub-command explains itself in lines of at most 96 columns") {
  for (const char* name : sub_commands) {
    CAPTURE(name);
    const auto help = run_graft({name, "--help"});
    CHECK(help.exit_code == 0);
    CHECK(help.err.empty());
    CHECK_THAT(help.out, Catch::StartsWith("usage: graft " + std::string(name) + " "));
    CHECK_FALSE(std::regex_search(help.out, std::regex("[^\n]{97}")));
    CHECK_FALSE(std::regex_search(help.out, std::regex(" \n")));
  }
}

TEST_CASE("wrong usage is one line, exit code 2, with the nearest name") {
  const auto none = run_graft({});
  CHECK(none.exit_code == 2);
  CHECK(none.err == "graft: a sub-command is missing (graft --help lists them)\n");
  const auto near = run_graft({"tokenise"});
  CHECK(near.exit_code == 2);
  CHECK(near.err == "graft: \"tokenise\" is no sub-command; did you mean tokenize? (graft --help lists them)\n");
  const auto far = run_graft({"xyz"});
  CHECK(far.exit_code == 2);
  CHECK(far.err == "graft: \"xyz\" is no sub-command (graft --help lists them)\n");
  const auto flag = run_graft({"tokenize", "--token", "--model_tokenizer_path", "x"});
  CHECK(flag.exit_code == 2);
  CHECK(flag.err == "graft: unknown flag --token; did you mean --tokens? (graft tokenize --help lists the flags)\n");
  const auto missing = run_graft({"tokenize"});
  CHECK(missing.exit_code == 2);
  CHECK(missing.err == "graft: --model_tokenizer_path is missing (graft tokenize --help lists the flags)\n");
  const auto nowhere = run_graft({"plot"});
  CHECK(nowhere.exit_code == 2);
  CHECK(nowhere.err == "graft: RUN_DIR is missing (graft plot --help lists the flags)\n");
  for (const auto& each : {nowhere, none, near, far, flag, missing}) CHECK(each.out.empty());
}

TEST_CASE("an error is one line on stderr, exit code 1, even when its text has more lines") {
  const auto result = run_graft({"tokenize", "--model_tokenizer_path", "no\nsuch folder"});
  CHECK(result.exit_code == 1);
  CHECK(result.out.empty());
  CHECK(is_one_line_error(result.err));
  CHECK_THAT(result.err, Catch::Contains("no\\nsuch folder"));
}

TEST_CASE("names never reach a terminal as commands to it, and long ones are cut") {
  const auto escape = run_graft({"tokenize", "--model_tokenizer_path", "a\x1b[2J\xe9\u202e"});
  CHECK(is_one_line_error(escape.err));
  CHECK_THAT(escape.err, Catch::Contains("a\\x1b[2J\\xe9\\u202e"));
  const auto long_name = run_graft({"tokenize", "--model_tokenizer_path", std::string(100'000, 'a')});
  CHECK(long_name.exit_code == 1);
  CHECK(is_one_line_error(long_name.err));
  CHECK(long_name.err.size() < 5000);
}
