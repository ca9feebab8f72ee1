#include "run/progress.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>

#include "graft/core/file.hpp"
#include "support/shared.hpp"

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using stream = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// A terminal of 50 columns whose other end the test reads.
class terminal {
 public:
  terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY)), out(nullptr, &std::fclose) {
    ::grantpt(master_);
    ::unlockpt(master_);
    out.reset(std::fopen(::ptsname(master_), "w"));
    struct winsize size {};
    size.ws_col = 50;
    ::ioctl(::fileno(out.get()), TIOCSWINSZ, &size);
  }
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;
  ~terminal() { ::close(master_); }

  /// What was written since the last call. Bytes take a while to come through: a bell marks their end.
  std::string read() {
    std::fputc('\a', out.get());
    std::fflush(out.get());
    std::string text;
    char byte = 0;
    while (::read(master_, &byte, 1) == 1 && byte != '\a') text += byte;
    return text;
  }

 private:
  int master_;

 public:
  stream out;
};

}  // namespace

TEST_CASE("a prediction says how many rows it has answered, how fast, and what is left") {
  CHECK(graft::program::row_progress::text(120'000, 10, 75.0) == "120000 rows  12000 rows/s  1:15 left");
  CHECK(graft::program::row_progress::text(5, 2, std::nullopt) == "5 rows  2.5 rows/s");
}

TEST_CASE("on a terminal one line is renewed ten times a second, never wraps, and is cleared") {
  terminal screen;
  const auto start = graft::program::progress::clock::time_point{};
  graft::program::progress line(screen.out.get(), 1000, 0, start);
  for (int step = 1; step <= 100; ++step) line.update(step, 0.5, 1e-5, 8, start + milliseconds(10 * step));  // one second
  const std::string shown = screen.read();
  CHECK(count(shown, "\r") == 10);
  CHECK(count(shown, "\n") == 0);
  CHECK_THAT(shown, Catch::StartsWith("\r   1/1000") && Catch::EndsWith("\x1b[K"));
  CHECK_THAT(shown, Catch::Contains("\r  91/1000  loss 0.5000  800 ex/s  9 s left\x1b[K"));  // 10 ms a step

  line.clear(start + seconds(1));
  CHECK(screen.read() == "\r\x1b[K");
  line.clear(start + seconds(1));
  CHECK(screen.read().empty());
  line.update(101, 0.5, 1e-5, 8, start + milliseconds(1010));  // after other output it is back at once
  CHECK_THAT(screen.read(), Catch::StartsWith("\r 101/1000"));
}

TEST_CASE("time between clear and the step before it is no step's time") {
  terminal screen;
  const auto start = graft::program::progress::clock::time_point{};
  graft::program::progress line(screen.out.get(), 100, 0, start);
  line.update(1, 0.5, 1e-5, 10, start + seconds(1));
  line.clear(start + seconds(51));  // fifty seconds of evaluation
  screen.read();
  line.update(2, 0.5, 1e-5, 10, start + seconds(52));
  CHECK_THAT(screen.read(), Catch::Contains("10.0 ex/s"));
}

TEST_CASE("elsewhere there is a plain line each twentieth of the run, or after half a minute") {
  const graft_test::temporary_folder folder;
  const auto start = graft::program::progress::clock::time_point{};
  const auto lines_for = [&](milliseconds step_time) {
    {
      const stream out(std::fopen((folder / "out").c_str(), "w"), &std::fclose);
      graft::program::progress line(out.get(), 1000, 500, start);
      for (int step = 501; step <= 1000; ++step) line.update(step, step == 501 ? 100 : 0, 1e-5, 8, start + step_time * (step - 500));
    }
    return graft::read_file(folder / "out");
  };
  const std::string quick = lines_for(milliseconds(10));
  CHECK(count(quick, "\n") == 10);
  CHECK(count(quick, "\r") + count(quick, "\x1b") + count(quick, "[") == 0);
  CHECK_THAT(quick,
             Catch::StartsWith(" 550/1000  loss 0.43") && Catch::EndsWith("1000/1000  loss 0.0000  lr 1.00e-05  800 ex/s  0 s left\n"));
  const std::string slow = lines_for(seconds(10));
  CHECK(count(slow, "\n") > 160);
  CHECK(count(slow, "\n") < 180);
}
