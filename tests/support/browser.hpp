#pragma once
// A headless Chromium, driven through pipes by its DevTools protocol: pages of given width and colors, what they measure and complain of.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/shared.hpp"

namespace graft_test {

class browser {
 public:
  static bool installed() { return std::system("command -v chromium >/dev/null 2>&1") == 0; }

  browser() {
    int commands[2], answers[2];
    if (::pipe2(commands, O_CLOEXEC) != 0 || ::pipe2(answers, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const std::string profile = "--user-data-dir=" + profile_.path();
    process_ = ::fork();
    if (process_ == 0) {
      // It reads commands from descriptor 3 and answers on 4, which are perhaps among the pipes' own: away from there first.
      const int from = ::fcntl(commands[0], F_DUPFD, 10), to = ::fcntl(answers[1], F_DUPFD, 10), null = ::open("/dev/null", O_RDWR);
      ::setpgid(0, 0);
      for (const int standard : {0, 1, 2}) ::dup2(null, standard);
      ::dup2(from, 3);
      ::dup2(to, 4);
      ::execlp("chromium", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
               "--remote-debugging-pipe", profile.c_str(), "about:blank", nullptr);
      ::_exit(127);
    }
    ::close(commands[0]);
    ::close(answers[1]);
    to_ = commands[1];
    from_ = answers[0];
    const auto target = call("Target.createTarget", {{"url", "about:blank"}})["targetId"];
    session_ = call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}})["sessionId"];
    for (const char* part : {"Runtime", "Log", "Page"}) call(std::string(part) + ".enable");
  }
  browser(const browser&) = delete;
  browser& operator=(const browser&) = delete;
  ~browser() {
    ::kill(-process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    ::close(to_);
    ::close(from_);
  }

  /// Opens the file PATH, WIDTH pixels wide; `complaints` are then of this page.
  void open(const std::string& path, int width, const std::string& color_scheme, const std::string& medium = "screen") {
    complaints.clear();
    call("Emulation.setDeviceMetricsOverride", {{"width", width}, {"height", 900}, {"deviceScaleFactor", 1}, {"mobile", false}});
    call("Emulation.setEmulatedMedia", {{"media", medium}, {"features", {{{"name", "prefers-color-scheme"}, {"value", color_scheme}}}}});
    loaded_ = false;
    call("Page.navigate", {{"url", "file://" + path}});
    while (!loaded_) receive();
  }

  /// What the expression SCRIPT gives in the page.
  nlohmann::json evaluate(const std::string& script) {
    const auto answer = call("Runtime.evaluate", {{"expression", script}, {"returnByValue", true}});
    if (answer.contains("exceptionDetails")) throw std::runtime_error(answer.dump());
    return answer["result"].value("value", nlohmann::json());
  }

  void move_pointer(double x, double y) { call("Input.dispatchMouseEvent", {{"type", "mouseMoved"}, {"x", x}, {"y", y}}); }

  std::vector<std::string> complaints;  // errors and warnings on the console, exceptions

 private:
  nlohmann::json call(const std::string& method, nlohmann::json parameters = nlohmann::json::object()) {
    nlohmann::json command = {{"id", ++calls_}, {"method", method}, {"params", std::move(parameters)}};
    if (!session_.empty()) command["sessionId"] = session_;
    const std::string text = command.dump() + '\0';
    if (::write(to_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) throw std::runtime_error("chromium is gone");
    while (true) {
      const nlohmann::json message = receive();
      if (message.value("id", 0) != calls_) continue;
      if (message.contains("error")) throw std::runtime_error(method + ": " + message["error"].dump());
      return message["result"];
    }
  }

  nlohmann::json receive() {
    while (received_.find('\0') == std::string::npos) {
      pollfd waits{from_, POLLIN, 0};
      char bytes[65536];
      const ssize_t count = ::poll(&waits, 1, 60'000) == 1 ? ::read(from_, bytes, sizeof bytes) : 0;
      if (count <= 0) throw std::runtime_error("chromium does not answer");
      received_.append(bytes, static_cast<std::size_t>(count));
    }
    const std::size_t end = received_.find('\0');
    auto message = nlohmann::json::parse(received_.substr(0, end));
    received_.erase(0, end + 1);
    const std::string event = message.value("method", "");
    if (event == "Page.loadEventFired") loaded_ = true;
    if (event == "Runtime.exceptionThrown" || event == "Runtime.consoleAPICalled" || event == "Log.entryAdded") {
      complaints.push_back(message["params"].dump());
    }
    return message;
  }

  temporary_folder profile_;
  pid_t process_ = -1;
  int to_ = -1, from_ = -1, calls_ = 0;
  bool loaded_ = false;
  std::string session_, received_;
};

}  // namespace graft_test
