#include "plot/run_log.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "plot/run_folder.hpp"

using graft_test::loss_row;
using graft_test::run_folder;
using graft_test::score_row;
using graft_test::weights_row;
using values = std::vector<double>;

TEST_CASE("a resumed run is merged by step, later rows winning, in the order of time and not of names") {
  const run_folder run;
  run.write("999/loss_train.zlog", loss_row(1, "5") + loss_row(2, "4", ",\"learning_rate\":0.5") + loss_row(3, "3"));
  run.write("1000/loss_train.zlog", loss_row(3, "30", ",\"learning_rate\":0.25,\"grad_norm\":1") + loss_row(4, "20") + loss_row(4, "21"));
  run.write("plots/loss_train.zlog", "not a log");
  run.write("1001", "not a folder");
  const auto log = graft::program::read_run_log(run.path());
  CHECK(log.loss.x == values{1, 2, 3, 4});
  CHECK(log.loss.y == values{5, 4, 30, 21});
  CHECK(log.learning_rate.x == values{2, 3});
  CHECK(log.learning_rate.y == values{0.5, 0.25});
  CHECK(log.warnings.empty());
  CHECK(log.args.is_null());
  CHECK_FALSE(log.best);
}

TEST_CASE("null and Python's NaN are gaps") {
  const run_folder run;
  run.write("1/loss_train.zlog", loss_row(1, "null") + loss_row(2, "NaN") + loss_row(3, " -Infinity") + loss_row(4, "1"));
  const auto log = graft::program::read_run_log(run.path());
  REQUIRE(log.loss.size() == 4);
  for (int i = 0; i < 3; ++i) CHECK(std::isnan(log.loss.y[static_cast<std::size_t>(i)]));
  CHECK(log.loss.y[3] == 1);
}

TEST_CASE("the best score is the one that the resumed run has not replaced") {
  const run_folder run;
  run.write("1/train_val.zlog", score_row(10, "0.5") + score_row(20, "0.6") + score_row(30, "0.9") + score_row(40, "null"));
  run.write("1/train_val_best.zlog", score_row(10, "0.5") + score_row(20, "0.6") + score_row(30, "0.9"));
  CHECK(graft::program::read_run_log(run.path()).best == std::make_pair(30.0, 0.9));
  run.write("2/train_val.zlog", score_row(30, "0.55") + score_row(40, "0.6"));
  const auto log = graft::program::read_run_log(run.path());
  CHECK(log.best == std::make_pair(20.0, 0.6));
  CHECK(log.validation.y == values{0.5, 0.6, 0.55, 0.6});
  std::filesystem::remove(run.folder / "1/train_val_best.zlog");
  CHECK(graft::program::read_run_log(run.path()).best == std::make_pair(20.0, 0.6));
}

TEST_CASE("weights are series by site and adapter, in the order of the mix") {
  const run_folder run;
  run.write("1/weights.zlog", weights_row(0, "\"layer_00\":{\"zeta\":0.5,\"base\":0.5},\"layer_01\":{\"zeta\":0.25,\"base\":0.75}") +
                                  weights_row(5, "\"layer_00\":{\"zeta\":0.6,\"base\":null}"));
  const auto log = graft::program::read_run_log(run.path());
  CHECK(log.adapters == std::vector<std::string>{"zeta", "base"});
  CHECK(log.weight_steps == values{0, 5});
  REQUIRE(log.site_weights.size() == 2);
  CHECK(log.site_weights.at(0)[0].y == values{0.5, 0.6});
  CHECK(std::isnan(log.site_weights.at(0)[1].y[1]));
  CHECK(log.site_weights.at(1)[1].y[0] == 0.75);
  CHECK(std::isnan(log.site_weights.at(1)[1].y[1]));
}

TEST_CASE("a half-written last line is skipped with a warning, a whole one without its line end is read") {
  const run_folder run;
  run.write("1/loss_train.zlog", loss_row(1, "5") + "\n{\"epoch\":0,\"glo");
  auto log = graft::program::read_run_log(run.path());
  CHECK(log.loss.x == values{1});
  REQUIRE(log.warnings.size() == 1);
  CHECK_THAT(log.warnings[0], Catch::Contains("1/loss_train.zlog:3: the last line is half-written"));
  const std::string row = loss_row(2, "4");
  run.write("1/loss_train.zlog", loss_row(1, "5") + row.substr(0, row.size() - 1));
  log = graft::program::read_run_log(run.path());
  CHECK(log.loss.x == values{1, 2});
  CHECK(log.warnings.empty());
}

TEST_CASE("bare NaN is told from the word in a text") {
  using graft::program::detail::without_bare_nan;
  CHECK(without_bare_nan(R"({"a":NaN,"b": [-Infinity,Infinity,1]})") == R"({"a":null,"b": [null,null,1]})");
  CHECK(without_bare_nan(R"({"a: NaN":": NaN \" NaN","b":NaN})") == R"({"a: NaN":": NaN \" NaN","b":null})");
  CHECK(without_bare_nan("\"open \\") == "\"open \\");
}

TEST_CASE("a gap of many rows is one point, and so is a weight that is never there") {
  const run_folder run;
  std::string rows;
  for (int step = 0; step < 100; ++step) {
    const std::string own = "\"layer_0" + std::to_string(step / 50) + "\":{\"a" + std::to_string(step / 50) + "\":0.5}";
    rows += weights_row(step, own);
  }
  run.write("1/weights.zlog", rows);
  const auto log = graft::program::read_run_log(run.path());
  CHECK(log.site_weights.at(0)[0].size() == 51);
  CHECK(log.site_weights.at(0)[0].x.back() == 50);
  CHECK(log.site_weights.at(1)[1].size() == 51);
  CHECK(log.site_weights.at(1)[1].x[1] == 50);
  for (const auto& never : {log.site_weights.at(0)[1], log.site_weights.at(1)[0]}) {
    REQUIRE(never.size() == 1);
    CHECK(std::isnan(never.y[0]));
  }
}

TEST_CASE("a mix of more adapters and places than can be drawn is cut, with a word") {
  const run_folder run;
  std::string rows;
  for (int i = 0; i < 300; ++i) {
    rows +=
        weights_row(i, "\"layer_" + std::to_string(i) + "\":{\"" + (i == 0 ? std::string(10000, 'n') : "n" + std::to_string(i)) + "\":1}");
  }
  run.write("1/weights.zlog", rows);
  const auto log = graft::program::read_run_log(run.path());
  CHECK(log.site_weights.size() == 128);
  REQUIRE(log.adapters.size() == 128);
  CHECK(log.adapters[0].size() < 320);
  REQUIRE(log.warnings.size() == 1);
  CHECK_THAT(log.warnings[0], Catch::Contains("the first 128 adapters and 128 places"));
}

TEST_CASE("steps may go back, and be as large as they can be") {
  const run_folder run;
  run.write("1/loss_train.zlog", loss_row(5, "5") + loss_row(3, "3") + loss_row(5, "50") + loss_row(4, "1e999") +
                                     "{\"global_step\":9223372036854775807,\"loss_val\":1e300}\n");
  run.write("1/weights.zlog",
            weights_row(7, "\"layer_00\":{\"a\":1}") + weights_row(2, "\"layer_00\":{\"a\":2}") + weights_row(7, "\"layer_00\":{\"a\":3}"));
  CHECK_THROWS_WITH(graft::program::read_run_log(run.path()), Catch::Contains("loss_train.zlog:4: "));
  run.write("1/loss_train.zlog", loss_row(5, "5") + loss_row(3, "3") + loss_row(5, "50") + "{\"global_step\":9223372036854775807}\n");
  const auto log = graft::program::read_run_log(run.path());
  CHECK(log.loss.y[0] == 3);
  CHECK(log.loss.y[1] == 50);
  CHECK(log.loss.x[2] == 9223372036854775807.0);
  CHECK(log.weight_steps == values{2, 7});
  CHECK(log.site_weights.at(0)[0].y == values{2, 3});
}

TEST_CASE("what is no log is refused in moments, whatever its size") {
  const run_folder run;
  const auto refuses = [&](const std::string& name, const std::string& text, const std::string& message) {
    run.write(name, text);
    CHECK_THROWS_WITH(graft::program::read_run_log(run.path()), Catch::Contains(name + message));
    std::filesystem::remove_all(run.folder / name);
  };
  run.write("1/loss_train.zlog", loss_row(1, "5"));
  refuses("2/loss_train.zlog", std::string(80'000, '['), ":1: is nested more than 100 levels deep");
  std::string deep;
  for (int i = 0; i < 80'000; ++i) deep += "{\"a\":";
  refuses("2/weights.zlog", deep, ":1: is nested more than 100 levels deep");
  std::string many = "{\"a\":0";
  for (int i = 0; i < 200'000; ++i) many += ",\"k" + std::to_string(i) + "\":0";
  refuses("2/loss_train.zlog", many + "}\n", ":1: has an object of more than 1000 members");
  refuses("2/loss_train.zlog", std::string(5 << 20, 'a') + "\n", ":1: is a line of 5242880 bytes");
  run.write("args.json", std::string(5 << 20, ' '));
  CHECK_THAT(graft::program::read_run_log(run.path()).warnings.at(0), Catch::Contains("args.json: has 5242880 bytes"));
  std::filesystem::remove(run.folder / "args.json");
  std::string bare = "{\"global_step\":1,\"x\":[0";
  for (int i = 0; i < 200'000; ++i) bare += ",NaN";
  run.write("2/loss_train.zlog", bare + "]}\n");
  CHECK(std::isnan(graft::program::read_run_log(run.path()).loss.y[0]));
  std::filesystem::create_directories(run.folder / "3/loss_train.zlog");
  CHECK_THROWS_WITH(graft::program::read_run_log(run.path()), Catch::Contains("3/loss_train.zlog: is a directory, a file was expected"));
  std::filesystem::remove(run.folder / "3/loss_train.zlog");
  REQUIRE(::mkfifo((run.folder / "3/loss_train.zlog").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(graft::program::read_run_log(run.path()), Catch::Contains("3/loss_train.zlog: is a pipe"));
}

TEST_CASE("garbage in a log is refused by file and line") {
  const run_folder run;
  const auto refuses = [&](const std::string& name, const std::string& text, const std::string& message) {
    run.write(name, text);
    CHECK_THROWS_WITH(graft::program::read_run_log(run.path()), Catch::Contains(name + message));
    CHECK_THROWS_AS(graft::program::read_run_log(run.path()), graft::format_error);
    run.write(name, "");
  };
  run.write("1/loss_train.zlog", loss_row(1, "5"));
  refuses("2/loss_train.zlog", loss_row(1, "5") + "garbage\n" + loss_row(2, "5"), ":2: is not valid JSON");
  refuses("2/loss_train.zlog", loss_row(1, "5") + "{\"epoch\":0,\n", ":2: is not valid JSON");
  refuses("2/loss_train.zlog", "[1]\n", ":1: holds a JSON array, an object was expected");
  refuses("2/loss_train.zlog", "{\"loss_val\":1}\n", ":1: has no \"global_step\"");
  refuses("2/loss_train.zlog", loss_row(1, "\"low\""), ":1: \"loss_val\" is \"low\"");
  refuses("2/train_val.zlog", "{\"score\":1,\"train_global_state\":7}\n", ":1: holds a JSON number, an object was expected");
  refuses("2/weights.zlog", weights_row(1, "\"layer_x\":{\"rte\":1}"), ":1: \"weights\" has a member \"layer_x\"");
  refuses("2/weights.zlog", weights_row(1, "\"layer_00\":[1,2]"), ":1: \"layer_00\" is [1,2], an object of weights");
  refuses("2/weights.zlog", "{\"weights\":[],\"tgs\":{\"global_step\":1}}\n", ":1: \"weights\" is [], an object of sites");
}

TEST_CASE("a file beside the logs that cannot be read is left out with a warning, Python's NaN is no reason") {
  const run_folder run;
  run.write("1/loss_train.zlog", loss_row(1, "5"));
  run.write("val_metrics.json", "{\"loss\": NaN, \"acc\": 0.5}");
  CHECK(graft::program::read_run_log(run.path()).metrics["acc"] == 0.5);
  for (const char* half : {"", "{", "{\"seed\": 1"}) {
    run.write("args.json", half);
    const auto log = graft::program::read_run_log(run.path());
    CHECK(log.args.is_null());
    CHECK_THAT(log.warnings.at(0), Catch::Contains("args.json: ") && Catch::Contains("the logs are drawn without it"));
    CHECK(log.loss.y.size() == 1);
  }
}

TEST_CASE("a folder without logs says what was looked for") {
  const run_folder run;
  CHECK_THROWS_WITH(graft::program::read_run_log(run.folder / "absent"),
                    Catch::Contains("absent: does not exist; the output folder of a run, with "));
  run.write("file", "");
  CHECK_THROWS_WITH(graft::program::read_run_log(run.folder / "file"), Catch::Contains("file: is not a folder; the output folder"));
  CHECK_THROWS_WITH(graft::program::read_run_log(run.path()),
                    Catch::Contains("holds no logs (looked for rows in <unix seconds>/{loss_train,"));
  run.write("1/loss_train.zlog", "");
  CHECK_THROWS_WITH(graft::program::read_run_log(run.path()), Catch::Contains("/<unix seconds>/loss_train.zlog, was expected"));
}
