#include "graft/train/log_writer.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <sstream>

#include "support/shared.hpp"

using graft_test::temporary_folder;

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream text(graft::read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("a log line keeps the order of its members and ends with the time in seconds") {
  const temporary_folder folder;
  graft::log_writer log(folder / "run");
  log.write("loss_train", {{"epoch", 0}, {"global_step", 1}, {"loss_val", 0.5}});
  log.write("loss_train", {{"epoch", 0}, {"global_step", 2}, {"loss_val", 0.25}});

  const auto lines = lines_of(log.folder() + "/loss_train.zlog");
  REQUIRE(lines.size() == 2);
  CHECK_THAT(lines[0], Catch::StartsWith(R"({"epoch":0,"global_step":1,"loss_val":0.5,"TIMESTAMP":)"));
  const auto time = graft::json::parse(lines[1])["TIMESTAMP"];
  CHECK(time.is_number_float());
  const double folder_time = std::stod(std::filesystem::path(log.folder()).filename().string());
  CHECK(time.get<double>() >= folder_time);
  CHECK(time.get<double>() < folder_time + 60);
  const double microseconds = time.get<double>() * 1e6;
  CHECK(std::abs(microseconds - std::round(microseconds)) < 0.3);  // doubles lie 0.24 microseconds apart here
}

TEST_CASE("a line can be read while the run goes on, and only written keys have files") {
  const temporary_folder folder;
  graft::log_writer log(folder.path());
  CHECK(std::filesystem::is_empty(log.folder()));
  log.write("errors", {{"message", "two\nlines"}});
  CHECK(lines_of(log.folder() + "/errors.zlog").size() == 1);
  CHECK(std::distance(std::filesystem::directory_iterator(log.folder()), {}) == 1);
}

TEST_CASE("NaN becomes null, and invalid UTF-8 does not stop a run") {
  const temporary_folder folder;
  graft::log_writer log(folder.path());
  log.write("train_val", {{"score", std::numeric_limits<double>::quiet_NaN()}, {"text", "\xff"}});
  const auto line = graft::json::parse(lines_of(log.folder() + "/train_val.zlog").at(0));
  CHECK(line["score"].is_null());
  CHECK(line["text"] == "\xef\xbf\xbd");
}

TEST_CASE("a run that starts again has a folder of its own, even within the same second") {
  const temporary_folder folder;
  const graft::log_writer first(folder.path());
  const graft::log_writer second(folder.path());
  CHECK(first.folder() != second.folder());
  CHECK(std::stoll(std::filesystem::path(second.folder()).filename()) > std::stoll(std::filesystem::path(first.folder()).filename()));
}

TEST_CASE("a log that cannot be written is refused by name") {
  const temporary_folder folder;
  graft::write_file(folder / "file", "");
  CHECK_THROWS_WITH(graft::log_writer(folder / "file"), Catch::Contains("file: cannot be made a folder"));
  graft::log_writer log(folder.path());
  if (std::filesystem::exists("/dev/full")) {
    std::filesystem::create_symlink("/dev/full", log.folder() + "/full.zlog");
    CHECK_THROWS_WITH(log.write("full", {}), Catch::Contains("full.zlog: cannot be written: No space left"));
  }
  std::filesystem::create_directory(log.folder() + "/taken.zlog");
  CHECK_THROWS_AS(log.write("taken", {}), graft::backend_error);
}
