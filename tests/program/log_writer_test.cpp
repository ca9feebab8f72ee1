#include "run/log_writer.hpp"

#include <sys/resource.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>
#include <ctime>
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
  graft::program::log_writer log(folder / "logs");
  log.write("loss_train", {{"epoch", 0}, {"global_step", 1}, {"loss_val", 0.5}});
  log.write("loss_train", {{"epoch", 0}, {"global_step", 2}, {"loss_val", 0.25}});

  const auto lines = lines_of(log.folder() + "/loss_train.zlog");
  REQUIRE(lines.size() == 2);
  CHECK_THAT(lines[0], Catch::StartsWith(R"({"epoch":0,"global_step":1,"loss_val":0.5,"TIMESTAMP":)"));
  const auto time = graft::json::parse(lines[1])["TIMESTAMP"];
  CHECK(time.is_number_float());
  CHECK(std::abs(time.get<double>() - static_cast<double>(std::time(nullptr))) < 60);
  const double microseconds = time.get<double>() * 1e6;
  CHECK(std::abs(microseconds - std::round(microseconds)) < 0.3);  // doubles lie 0.24 microseconds apart here
}

TEST_CASE("a line can be read while the run goes on, and only written keys have files") {
  const temporary_folder folder;
  graft::program::log_writer log(folder / "logs");
  CHECK(std::filesystem::is_empty(log.folder()));
  log.write("errors", {{"message", "two\nlines"}});
  CHECK(lines_of(log.folder() + "/errors.zlog").size() == 1);
  CHECK(std::distance(std::filesystem::directory_iterator(log.folder()), {}) == 1);
}

TEST_CASE("NaN becomes null, and invalid UTF-8 does not stop a run") {
  const temporary_folder folder;
  graft::program::log_writer log(folder / "logs");
  log.write("train_val", {{"score", std::numeric_limits<double>::quiet_NaN()}, {"text", "\xff"}});
  const auto line = graft::json::parse(lines_of(log.folder() + "/train_val.zlog").at(0));
  CHECK(line["score"].is_null());
  CHECK(line["text"] == "\xef\xbf\xbd");
}

TEST_CASE("a log that cannot be written is refused by name") {
  const temporary_folder folder;
  graft::write_file(folder / "file", "");
  CHECK_THROWS_WITH(graft::program::log_writer(folder / "file"), Catch::Contains("file: cannot be made a folder"));
  CHECK_THROWS_WITH(graft::program::log_writer(folder.path()), Catch::Contains("cannot be made a folder"));  // it is somebody else's
  graft::program::log_writer log(folder / "logs");
  if (std::filesystem::exists("/dev/full")) {
    std::filesystem::create_symlink("/dev/full", log.folder() + "/full.zlog");
    CHECK_THROWS_WITH(log.write("full", {}), Catch::Contains("full.zlog: cannot be written: No space left"));
  }
  std::filesystem::create_directory(log.folder() + "/taken.zlog");
  CHECK_THROWS_AS(log.write("taken", {}), graft::backend_error);
  std::string told;
  log.not_written = [&](const graft::backend_error& e) { told = e.what(); };
  log.write("taken", {});
  CHECK_THAT(told, Catch::Contains("taken.zlog: cannot be written"));
}

TEST_CASE("a disk that fills up in the middle of a line leaves whole lines") {
  const temporary_folder folder;
  const pid_t child = ::fork();  // the limit on file sizes is a process's own
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    graft::program::log_writer log(folder / "logs");
    log.not_written = [](const graft::backend_error&) {};
    log.write("loss_train", {{"step", 1}});
    const struct rlimit small { 70, 70 };
    ::setrlimit(RLIMIT_FSIZE, &small);
    log.write("loss_train", {{"text", std::string(100, 'x')}});
    log.write("loss_train", {{"s", 2}});
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  const auto lines = lines_of(folder / "logs/loss_train.zlog");
  REQUIRE(!lines.empty());
  for (const auto& line : lines) CHECK(graft::json::parse(line).is_object());
}
