#include "graft/core/file.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "graft/core/json.hpp"
#include "support/resident.hpp"
#include "support/shared.hpp"

using graft_test::resident_bytes;
using graft_test::temporary_folder;

namespace {

std::ptrdiff_t entries(const std::string& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

struct stat status_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status;
}

unsigned mode_of(const std::string& path) { return status_of(path).st_mode & 07777; }

}  // namespace

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
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("what others put under the name of an unfinished file is neither followed nor lost") {
  const temporary_folder folder;
  graft::write_file(folder / "theirs", "mine");
  const std::string taken = graft::temporary_name(folder / "a.txt", graft::process_token());
  std::filesystem::create_symlink("theirs", taken);
  graft::write_file(folder / "a.txt", "new");
  CHECK(graft::read_file(folder / "a.txt") == "new");
  CHECK(graft::read_file(folder / "theirs") == "mine");
  CHECK(std::filesystem::is_symlink(taken));
  CHECK(entries(folder.path()) == 3);
}

TEST_CASE("threads that write one file at once leave one of the texts") {
  const temporary_folder folder;
  const std::string path = folder / "a.txt";
  std::vector<std::thread> threads;
  for (char c : {'a', 'b', 'c'}) {
    threads.emplace_back([&path, c] {
      for (int i = 0; i < 5; ++i) graft::write_file(path, std::string(10'000, c));
    });
  }
  for (auto& each : threads) each.join();
  const std::string text = graft::read_file(path);
  CHECK(text == std::string(10'000, text[0]));
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("a new file has the mode that the umask leaves, a replaced one keeps its own") {
  const temporary_folder folder;
  const mode_t before = ::umask(027);
  graft::write_file(folder / "a", "");
  ::umask(before);
  CHECK(mode_of(folder / "a") == 0640);
  ::chmod((folder / "a").c_str(), 0600);
  graft::write_file(folder / "a", "text");
  CHECK(mode_of(folder / "a") == 0600);
  if (::geteuid() == 0 && ::chown((folder / "a").c_str(), 65534, 65534) == 0) {
    graft::write_file(folder / "a", "text");
    struct stat status {};
    ::stat((folder / "a").c_str(), &status);
    CHECK(status.st_uid == 65534);
  }
}

TEST_CASE("names of every length that a folder can hold are written") {
  const temporary_folder folder;
  const std::string path = folder / std::string(255, 'n');
  graft::write_file(path, "text");
  CHECK(graft::read_file(path) == "text");
}

TEST_CASE("devices are written to, and links stay: neither is replaced by a file") {
  const temporary_folder folder;
  std::filesystem::create_symlink("/dev/null", folder / "device");
  graft::write_file(folder / "device", "text");
  CHECK(std::filesystem::read_symlink(folder / "device") == "/dev/null");
  CHECK(std::filesystem::is_character_file("/dev/null"));
  CHECK(entries(folder.path()) == 1);

  graft::write_file(folder / "target", "old");
  std::filesystem::create_symlink("target", folder / "link");
  graft::write_file(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(graft::read_file(folder / "target") == "new");

  graft::make_folder(folder / "sub");
  std::filesystem::create_symlink("sub/later", folder / "ahead");
  std::filesystem::create_symlink("ahead", folder / "further");
  graft::write_file(folder / "further", "made");
  CHECK(std::filesystem::is_symlink(folder / "ahead"));
  CHECK(graft::read_file(folder / "sub/later") == "made");
  std::filesystem::create_symlink("circle", folder / "circle");
  CHECK_THROWS_WITH(graft::write_file(folder / "circle", "text"), Catch::Contains("circle: cannot be written: Too many levels"));
}

TEST_CASE("a missing file, a folder and a full disk are refused by name") {
  const temporary_folder folder;
  CHECK_THROWS_WITH(graft::read_file(folder / "absent"), Catch::Contains("absent: cannot be opened: No such file"));
  CHECK_THROWS_WITH(graft::read_file(folder.path()), Catch::Contains("is a directory"));
  CHECK_THROWS_AS(graft::write_file(folder / "no/such/folder", ""), graft::backend_error);
  if (std::filesystem::exists("/dev/full")) {
    std::filesystem::create_symlink("/dev/full", folder / "full");
    CHECK_THROWS_WITH(graft::write_file(folder / "full", "text"), Catch::Contains("No space left"));
  }
}

TEST_CASE("what is no file is called by its kind, and never waited for") {
  const temporary_folder folder;
  const auto refused = [](const std::string& path, const std::string& why) {
    INFO(path);
    CHECK_THROWS_WITH(graft::mapped_file(path), Catch::Contains(path + ": ") && Catch::Contains(why));
    CHECK_THROWS_WITH(graft::read_file(path), Catch::Contains(path + ": ") && Catch::Contains(why));
  };
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  refused(folder / "pipe", "is a pipe, a file was expected");
  refused("/dev/null", "is a device, a file was expected");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  const std::string place = folder / "socket";
  place.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket, reinterpret_cast<const struct sockaddr*>(&address), sizeof address) == 0);
  refused(folder / "socket", "is a socket");
  ::close(socket);
  std::filesystem::create_symlink("../blobs/0123", folder / "model.safetensors");
  refused(folder / "model.safetensors", "is a link to ../blobs/0123, where there is no file");
  CHECK_THROWS_WITH(graft::write_file(folder.path(), ""), Catch::Contains("is a directory"));
}

TEST_CASE("a stream reads files, devices, and pipes as they come") {
  const temporary_folder folder;
  const auto all = [](const std::string& path) {
    graft::input_stream stream(path);
    std::string text;
    char piece[7];
    while (const std::size_t got = stream.read(piece, sizeof piece)) text.append(piece, got);
    return text;
  };
  graft::write_file(folder / "file", "some words");
  CHECK(all(folder / "file") == "some words");
  CHECK(all("/dev/null").empty());
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::thread writer([&] {  // opens it only after a while, and writes in pieces
    const int descriptor = ::open((folder / "pipe").c_str(), O_WRONLY | O_CLOEXEC);
    for (const char* piece : {"some ", "words"}) {
      ::usleep(20'000);
      if (::write(descriptor, piece, 5) != 5) break;
    }
    ::close(descriptor);
  });
  CHECK(all(folder / "pipe") == "some words");
  writer.join();
  CHECK_THROWS_WITH(graft::input_stream(folder.path()), Catch::Contains("is a directory"));
  CHECK_THROWS_WITH(graft::input_stream(folder / "absent"), Catch::Contains("cannot be opened"));
}

TEST_CASE("mappings are found by address, and files that changed under them by name") {
  const temporary_folder folder;
  const std::string path = folder / "mapped";
  graft::write_file(path, "first");
  const char* inside = nullptr;
  {
    const graft::mapped_file file(path);
    inside = file.text().data() + 2;
    REQUIRE(graft::mapping_registry::path_at(inside) != nullptr);
    CHECK(graft::mapping_registry::path_at(inside) == path);
    const auto files = graft::mapping_registry::files();
    REQUIRE(files.contains(path));
    CHECK_FALSE(graft::has_changed(path, files.at(path)));
    std::filesystem::resize_file(path, 3);
    CHECK(graft::has_changed(path, files.at(path)));
    const graft::mapped_file shorter(path);
    REQUIRE(shorter.size() == 3);
    const graft::file_identity now(status_of(path));
    CHECK_FALSE(graft::has_changed(path, now));
    graft::write_file(path, "new");  // as long, but another file
    CHECK(graft::has_changed(path, now));
    std::filesystem::remove(path);
    CHECK(graft::has_changed(path, now));
  }
  CHECK(graft::mapping_registry::path_at(inside) == nullptr);
  CHECK_FALSE(graft::mapping_registry::files().contains(path));
}

TEST_CASE("what downloads leave in place of a file is called by its name") {
  const temporary_folder folder;
  const auto refused = [&](const std::string& text, const char* word) {
    graft::write_file(folder / "file", text);
    CHECK_THROWS_WITH(graft::read_file(folder / "file"), Catch::Contains("file: is ") && Catch::Contains(word));
    CHECK_THROWS_WITH(graft::mapped_file(folder / "file"), Catch::Contains("file: is ") && Catch::Contains(word));
  };
  refused("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "Git LFS pointer");
  refused("\n<!DOCTYPE HTML>\n<title>404</title>", "web page");
  refused("<html lang=\"en\">", "web page");
  refused(std::string("\x1f\x8b\x08\x00", 4) + "rest of it", "gunzip");
  const auto read = [&](const std::string& text) {
    graft::write_file(folder / "file", text);
    return graft::read_file(folder / "file") == text;
  };
  CHECK(read("version https://example.org\n"));
  CHECK(read("<p>html</p>"));
  CHECK(read(std::string("\x1f\x8b\x08\0\0\0\0\0{", 9)));  // a safetensors file with a header of 559,903 bytes
  CHECK(read(""));
  std::filesystem::create_symlink("nowhere", folder / "link");
  CHECK(graft::is_there(folder / "link"));
  CHECK_FALSE(graft::is_there(folder / "absent"));
}

TEST_CASE("files that belong together are replaced together, or not at all") {
  const temporary_folder root;
  const std::string folder = root / "adapter";
  graft::make_folder(folder);
  for (const char* name : {"a", "old", "theirs"}) graft::write_file(folder + "/" + name, name);
  ::chmod((folder + "/a").c_str(), 0600);
  const auto fill = [](graft::staged_files& files) {
    graft::write_file(files.staged_path("a"), "new a");
    graft::write_file(files.staged_path("b"), "new b");
  };
  {
    graft::staged_files abandoned(folder);
    fill(abandoned);
  }
  CHECK(graft::read_file(folder + "/a") == "a");
  CHECK(entries(folder) == 3);
  CHECK(entries(root.path()) == 1);
  const bool plain = GENERATE(true, false), stands_in = GENERATE(false, true);
  if (!plain) graft::make_folder(folder + "/sub");  // which makes it a folder that is not exchanged
  const auto here = std::filesystem::current_path();
  if (stands_in) std::filesystem::current_path(folder);
  if (::geteuid() == 0) REQUIRE(::chown((folder + "/a").c_str(), 12, 34) == 0);
  graft::staged_files files(folder);
  fill(files);
  files.commit({"a", "old"});
  CHECK((!stands_in || std::filesystem::exists("theirs")));
  std::filesystem::current_path(here);
  if (::geteuid() == 0) CHECK(status_of(folder + "/a").st_gid == 34);
  CHECK(graft::read_file(folder + "/a") == "new a");
  CHECK(graft::read_file(folder + "/b") == "new b");
  CHECK(graft::read_file(folder + "/theirs") == "theirs");
  CHECK(mode_of(folder + "/a") == 0600);
  CHECK_FALSE(std::filesystem::exists(folder + "/old"));
  CHECK(std::filesystem::exists(folder + "/sub") == !plain);
}

TEST_CASE("files in folders within are replaced with the others, in one step") {
  const temporary_folder root;
  const std::string folder = root / "model";
  graft::make_folder(folder + "/sub/deep");
  for (const char* name : {"a", "sub/a", "sub/old", "sub/theirs", "sub/deep/a"}) graft::write_file(folder + "/" + name, name);
  ::chmod((folder + "/sub").c_str(), 0750);
  const auto fill = [](graft::staged_files& files) {
    for (const char* name : {"a", "sub/a", "sub/deep/a", "fresh/a"}) graft::write_file(files.staged_path(name), "new");
  };
  {
    graft::staged_files abandoned(folder);
    fill(abandoned);
  }
  CHECK(entries(root.path()) == 1);
  CHECK(graft::read_file(folder + "/sub/a") == "sub/a");
  const bool linked = GENERATE(false, true);  // which makes it a folder that is not exchanged
  if (linked) std::filesystem::create_symlink("a", folder + "/sub/link");
  const auto here = std::filesystem::current_path();
  const bool stands_in = GENERATE(false, true);
  if (stands_in) std::filesystem::current_path(folder + "/sub");
  const auto before = status_of(folder).st_ino;
  {
    graft::staged_files files(folder);
    fill(files);
    files.commit({"sub/old", "sub/absent", "absent/a"});
  }
  CHECK((!stands_in || std::filesystem::exists("theirs")));
  std::filesystem::current_path(here);
  CHECK((status_of(folder).st_ino != before) == (!linked && !stands_in));
  for (const char* name : {"a", "sub/a", "sub/deep/a", "fresh/a"}) CHECK(graft::read_file(folder + "/" + name) == "new");
  CHECK(graft::read_file(folder + "/sub/theirs") == "sub/theirs");
  CHECK_FALSE(std::filesystem::exists(folder + "/sub/old"));
  CHECK(mode_of(folder + "/sub") == 0750);
  CHECK(entries(root.path()) == 1);
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

TEST_CASE("a part of a mapping leaves memory and comes again, what lies elsewhere stays as it is") {
  const graft_test::temporary_folder folder;
  constexpr std::size_t size = std::size_t{1} << 25;
  graft::write_file(folder / "file", std::string(size, 'x'));
  const graft::mapped_file file(folder / "file");
  const std::span<const std::byte> all(file.data(), size);
  const auto sum = [](std::span<const std::byte> bytes) {
    std::size_t total = 0;
    for (const std::byte b : bytes) total += static_cast<std::size_t>(b);
    return total;
  };
  CHECK(sum(all) == size * 'x');
  CHECK(resident_bytes(file.data()) == static_cast<long>(size));
  file.release_pages(all.subspan(100, size / 2));
  CHECK(resident_bytes(file.data()) <= static_cast<long>(size / 2 + 8192));
  CHECK(sum(all) == size * 'x');

  file.release_pages(all);
  std::vector<std::byte> copied(size / 2);
  CHECK(file.copy(all.subspan(100, copied.size()), copied.data()));
  CHECK(sum(copied) == copied.size() * 'x');
  CHECK(resident_bytes(file.data()) <= 8192);

  const std::vector<std::byte> elsewhere(size, std::byte{'y'});
  CHECK_FALSE(file.holds(elsewhere));
  file.release_pages(elsewhere);
  CHECK_FALSE(file.copy(elsewhere, copied.data()));
  CHECK(sum(elsewhere) == size * 'y');
  CHECK(file.holds(all));
  CHECK_FALSE(file.holds(all.first(0)));
}

TEST_CASE("of small mapped files there may be more than descriptors") {
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "file", "a few bytes");
  const auto before = entries("/proc/self/fd");
  const graft::mapped_file file(folder / "file");
  CHECK(entries("/proc/self/fd") == before);
  char to;
  CHECK_FALSE(file.copy(std::span(file.data(), 1), &to));
}
