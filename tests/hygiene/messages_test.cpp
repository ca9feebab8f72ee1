// The table of docs/messages.md: what it says that graft says stands in the sources.

#include <catch2/catch.hpp>
#include <cctype>
#include <filesystem>
#include <sstream>
#include <string>

#include "graft/core/file.hpp"

namespace {

namespace folders = std::filesystem;

/// All sources of library and program, string literals that follow each other joined, \" as ".
std::string all_sources() {
  const folders::path top = folders::path(GRAFT_TEST_DIR).parent_path();
  std::string text;
  for (const char* folder : {"include", "examples"}) {
    for (const auto& entry : folders::recursive_directory_iterator(top / folder)) {
      const auto kind = entry.path().extension();
      if (kind == ".hpp" || kind == ".cpp") text += graft::read_file(entry.path().string());
    }
  }
  std::string joined;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' && (i == 0 || text[i - 1] != '\\')) {
      std::size_t next = i + 1;
      while (next < text.size() && std::isspace(static_cast<unsigned char>(text[next])) != 0) ++next;
      if (next < text.size() && next > i + 1 && text[next] == '"') {
        i = next;
        continue;
      }
    }
    if (text[i] != '\\') joined += text[i];
  }
  return joined;
}

/// Whether a run of whole words of MESSAGE, of 10 characters or more, stands in SOURCES.
bool stands_in(const std::string& message, const std::string& sources) {
  std::vector<std::string> words;
  std::istringstream stream(message);
  for (std::string word; stream >> word;) words.push_back(word);
  for (std::size_t first = 0; first < words.size(); ++first) {
    std::string run;
    for (std::size_t last = first; last < words.size(); ++last) {
      run += (run.empty() ? "" : " ") + words[last];
      if (sources.find(run) == sources.npos) break;
      if (run.size() >= 10) return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("the messages that docs/messages.md lists are those of the sources") {
  const std::string sources = all_sources();
  std::istringstream page(graft::read_file((folders::path(GRAFT_TEST_DIR).parent_path() / "docs/messages.md").string()));
  int rows = 0;
  for (std::string line; std::getline(page, line);) {
    const auto begin = line.rfind(" | `");
    if (!line.starts_with("| ") || begin == line.npos) continue;
    const std::string message = line.substr(begin + 3, line.size() - begin - 5);
    INFO(message);
    CHECK(stands_in(message, sources));
    ++rows;
  }
  CHECK(rows > 100);
}
