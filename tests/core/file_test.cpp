#include "graft/core/file.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/core/json.hpp"
#include "support/shared.hpp"

using graft_test::temporary_folder;

TEST_CASE("a file is replaced in one step, or not at all") {
  const temporary_folder folder;
  const std::string path = folder / "a.txt";
  graft::write_file(path, "first");
  CHECK(graft::read_file(path) == "first");
  {
    graft::atomic_file abandoned(path);
    abandoned.write("half");
  }
  CHECK(graft::read_file(path) == "first");
  CHECK_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST_CASE("devices are written to, and links stay: neither is replaced by a file") {
  const temporary_folder folder;
  std::filesystem::create_symlink("/dev/null", folder / "device");
  graft::write_file(folder / "device", "text");
  CHECK(std::filesystem::read_symlink(folder / "device") == "/dev/null");
  CHECK(std::filesystem::is_character_file("/dev/null"));
  CHECK_FALSE(std::filesystem::exists(folder / "device.tmp"));

  graft::write_file(folder / "target", "old");
  std::filesystem::create_symlink("target", folder / "link");
  graft::write_file(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(graft::read_file(folder / "target") == "new");
}

TEST_CASE("a missing file, a folder and a full disk are refused by name") {
  const temporary_folder folder;
  CHECK_THROWS_WITH(graft::read_file(folder / "absent"), Catch::Contains("absent: cannot be opened: No such file"));
  CHECK_THROWS_WITH(graft::read_file(folder.path()), Catch::Contains("is a directory"));
  CHECK_THROWS_AS(graft::write_file(folder / "no/such/folder", ""), graft::backend_error);
  if (std::filesystem::exists("/dev/full")) {
    std::filesystem::create_symlink("/dev/full", folder / "full.tmp");
    CHECK_THROWS_WITH(graft::write_file(folder / "full", "text"), Catch::Contains("No space left"));
  }
}

TEST_CASE("JSON errors name the file and the place") {
  const temporary_folder folder;
  graft::write_file(folder / "bad.json", "{\"a\": 1,");
  CHECK_THROWS_WITH(graft::read_json(folder / "bad.json"), Catch::Contains("bad.json: byte 8: is not valid JSON"));
  const auto object = graft::json::parse("{\"a\": 1}");
  CHECK(graft::required<int>(object, "a", "x.json") == 1);
  CHECK(graft::optional<int>(object, "b", "x.json", 7) == 7);
  CHECK_THROWS_WITH(graft::required<int>(object, "b", "x.json"), "x.json: has no \"b\"");
  CHECK_THROWS_AS(graft::required<std::string>(object, "a", "x.json"), graft::format_error);
}
