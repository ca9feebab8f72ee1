#include "run/event_file.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/core/file.hpp"
#include "support/shared.hpp"

namespace {

namespace fs = std::filesystem;
using namespace graft::program;
using graft_test::temporary_folder;

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    for (const int half : {static_cast<unsigned char>(byte) >> 4, byte & 15}) text += "0123456789abcdef"[half];
  }
  return text;
}

}  // namespace

TEST_CASE("records and events are byte for byte what TensorBoard's own writer makes") {
  CHECK(crc32c("123456789") == 0xe3069283);
  // tensorboard 2.21: RecordWriter, of event_pb2.Event(wall_time=.., file_version=..), (.., step=301, session_log=START), (.., summary=..)
  CHECK(hex(tf_record(version_event(1700000000.25))) == "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9");
  CHECK(hex(tf_record(restart_event(1700000000.5, 301))) == "100000000000000095fbfe180900002040fc54d94110ad023a020801596f3f79");
  CHECK(
      hex(tf_record(scalars_event(1700000001.0, 300, {{"train/loss", 0.5}, {"eval/f1", -1}}))) ==
      "31000000000000009d8383e90900004040fc54d94110ac022a230a110a0a747261696e2f6c6f7373150000003f0a0e0a076576616c2f663115000080bf2850f0ed");
}

TEST_CASE("an event file is appended to, and is made only where nothing is") {
  const temporary_folder folder;
  const std::string path = folder / "tensorboard/events.out.tfevents.1";
  {
    event_file file(path, 1);
    const std::size_t head = fs::file_size(path);
    CHECK(head == 40);
    file.write(1, {{"train/loss", 0.5}});
    CHECK(fs::file_size(path) > head);
    CHECK_THROWS_WITH(event_file(path, 1), Catch::Contains("cannot be written: File exists"));
    CHECK(fs::file_size(path) > head);
  }
  event_file second(folder / "tensorboard/events.out.tfevents.2", 5);
  CHECK(fs::file_size(folder / "tensorboard/events.out.tfevents.2") == 40 + 31);
  fs::create_directory(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "link");
  CHECK_THROWS_WITH(event_file(folder / "link/events", 1), Catch::Contains("something else is there"));
  CHECK(fs::is_empty(folder / "elsewhere"));
}
