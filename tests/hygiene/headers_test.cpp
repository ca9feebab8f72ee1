// What the headers keep to: rooms include downward only, the umbrella leads to all of them, each says what it is for.

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "graft/core/file.hpp"

namespace {

namespace fs = std::filesystem;
using names = std::set<std::string>;

const fs::path root = fs::path(GRAFT_TEST_DIR).parent_path();

/// Of the library and of the program: the folder that #include lines start from.
fs::path top(const std::string& name) { return root / (name.starts_with("graft/") ? "include" : "examples/graft"); }

std::string text_of(const std::string& name) { return graft::read_file(top(name) / name); }

/// Every header of the library, and every source of the program, by its name in an #include line, with those of them that it includes.
const std::map<std::string, names>& headers() {
  static const std::map<std::string, names> all = [] {
    static const std::regex line(R"re((^|\n)\s*#\s*include\s*"([^"]*)")re");
    std::map<std::string, names> found;
    for (const fs::path& folder : {root / "include", root / "examples/graft"}) {
      for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const fs::path extension = entry.path().extension();
        if (extension != ".hpp" && extension != ".cpp") continue;
        const std::string text = graft::read_file(entry.path());
        names& included = found[fs::relative(entry.path(), folder).string()];
        for (std::sregex_iterator match(text.begin(), text.end(), line), end; match != end; ++match) included.insert((*match)[2]);
      }
    }
    return found;
  }();
  return all;
}

/// "data" of "graft/data/batch.hpp", "" of "graft/version.hpp"; of the program "program plot" and "program".
std::string room(const std::string& header) {
  const fs::path folder = fs::path(header).parent_path();
  if (!header.starts_with("graft/")) return folder.empty() ? "program" : "program " + folder.string();
  return folder == "graft" ? "" : folder.filename().string();
}

/// The rooms directly below each room, which may include what is below those, too.
const std::map<std::string, names> below = {
    {"core", {}},
    {"gemm", {"core"}},
    {"ops", {"gemm"}},
    {"layers", {"ops"}},
    {"text", {"core"}},
    {"data", {"text"}},
    {"families", {"core"}},
    {"encoder", {"layers", "data", "families"}},
    {"adapters", {"layers"}},
    {"heads", {"encoder"}},
    {"losses", {"ops"}},
    {"io", {"families"}},
    {"model", {"encoder", "adapters", "heads", "losses", "io"}},
    {"exchange", {"model"}},
    {"optim", {"core"}},
    {"train", {"model", "optim"}},
    {"predict", {"train", "exchange"}},
    {"program host", {"data"}},
    {"program flags", {"program host", "adapters"}},
    {"program plot", {"core"}},
    {"program run", {"program flags", "predict"}},
    {"program report", {"train", "program plot"}},
    {"program commands", {"program run", "program report"}},
    {"program", {"program commands"}},
};

void collect(const std::map<std::string, names>& edges, const std::string& from, names& reached) {
  if (!reached.insert(from).second) return;
  for (const std::string& next : edges.at(from)) collect(edges, next, reached);
}

/// What others call: the library, and the part of the program that does not know it is one.
bool is_called(const std::string& header) { return header.starts_with("graft/") || header.starts_with("plot/"); }

}  // namespace

TEST_CASE("a room includes only itself and rooms below it") {
  for (const auto& [header, included] : headers()) {
    if (room(header).empty()) continue;  // graft.hpp, version.hpp and the short names
    INFO(header);
    REQUIRE(below.contains(room(header)));
    names allowed;
    collect(below, room(header), allowed);
    for (const std::string& other : included) {
      INFO("includes " << other);
      REQUIRE(headers().contains(other));
      CHECK((other == "graft/version.hpp" || allowed.contains(room(other))));
    }
  }
}

TEST_CASE("graft.hpp leads to every header") {
  names reached;
  collect(headers(), "graft/graft.hpp", reached);
  for (const auto& [header, included] : headers()) {
    INFO(header);
    CHECK(reached.contains(header) == header.starts_with("graft/"));
  }
}

TEST_CASE("no header leads, before its own lines, to bodies that need them") {
  for (const auto& [header, included] : headers()) {
    if (!header.ends_with(".hpp") || header.ends_with("-inl.hpp")) continue;
    auto edges = headers();
    edges[header].erase(header.substr(0, header.size() - 4) + "-inl.hpp");  // they come behind its own lines
    names reached;
    collect(edges, header, reached);
    for (const std::string& other : reached) {
      INFO(header << " leads to " << other);
      CHECK_FALSE((other.ends_with("-inl.hpp") && edges.at(other).contains(header)));
    }
  }
}

TEST_CASE("every header opens with #pragma once and says what it is for") {
  for (const auto& [header, included] : headers()) {
    if (header.ends_with(".cpp")) continue;
    INFO(header);
    CHECK(text_of(header).starts_with("#pragma once\n// "));
  }
}

TEST_CASE("the library neither ends the program, nor asserts, nor prints to the standard streams") {
  const std::regex forbidden(R"re(\b(assert|exit|abort|terminate|printf|puts)\s*\(|\bstd::(cout|cerr|clog)\b)re");
  for (const auto& [header, included] : headers()) {
    INFO(header);
    CHECK_FALSE((is_called(header) && std::regex_search(text_of(header), forbidden)));
  }
}

TEST_CASE("the library knows no flags of the program, and leaves environment and signals alone") {
  const std::regex flag(R"re("[^"\n]*--[a-z][^"\n]*")re"), environment(R"re(\b((get|set|put)env|signal|sigaction|raise)\s*\()re");
  for (const auto& [header, included] : headers()) {
    if (!header.starts_with("graft/")) continue;
    INFO(header);
    CHECK_FALSE(std::regex_search(text_of(header), flag));
    CHECK_FALSE(std::regex_search(text_of(header), environment));
  }
}

TEST_CASE("no code differs by the processor that a unit is compiled for: units meet in one program") {
  const std::regex instructions(R"re(\b__(AVX|SSE|FMA|F16C|BMI|AMX|ARM_)\w*)re");
  for (const auto& [header, included] : headers()) {
    INFO(header);
    CHECK_FALSE((header.starts_with("graft/") && std::regex_search(text_of(header), instructions)));
  }
}

TEST_CASE("no number is written or read in the way of the host program's locale") {
  // printf's %f, streams, strtod and stod know a decimal comma, <cctype> and <regex> other letters; core/number_text.hpp does not.
  const std::regex forbidden(
      R"re(%[-+ #0-9.*]*[aefgAEFG]\b|<(sstream|iostream|iomanip|regex|locale|cctype)>|\b(strto[dfl]\w*|ato[fil]|sto[dfil]\w*|isalpha|isdigit|isspace)\s*\()re");
  for (const auto& [header, included] : headers()) {
    INFO(header);
    std::string text = text_of(header);
    if (header == "graft/exchange/peft-inl.hpp") {  // its one pattern is told which letters
      CHECK(text.find("imbue(std::locale::classic())") != text.npos);
      for (const char* line : {"#include <regex>", "#include <locale>"}) text.replace(text.find(line), std::strlen(line), "");
    }
    CHECK_FALSE((is_called(header) && std::regex_search(text, forbidden)));
  }
}

TEST_CASE("the tests that sources name are there") {
  static const std::regex named(R"(tests/[a-z_/]+\.[a-z]+)");
  for (const auto& [name, included] : headers()) {
    const std::string text = text_of(name);
    for (std::sregex_iterator match(text.begin(), text.end(), named), end; match != end; ++match) {
      INFO(name << " names " << match->str());
      CHECK(fs::exists(root / match->str()));
    }
  }
}

TEST_CASE("nothing is marked as left to do") {
  const std::regex unfinished("TO(DO)|FIX(ME)");  // in brackets, so that it does not find itself
  for (const char* folder : {"include", "examples", "tests", "benchmarks", "docs"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (!names{".hpp", ".cpp", ".py", ".sh", ".txt", ".cmake", ".md"}.contains(extension)) continue;
      INFO(entry.path().string());
      CHECK_FALSE(std::regex_search(graft::read_file(entry.path()), unfinished));
    }
  }
}

TEST_CASE("no script's pipe ends in a reader that stops early: its writer would fail, now and then, under pipefail") {
  const std::regex early(R"(\|\s*(?:grep\s+-\w*q|head\b|sed\s+\d*q))");
  CHECK(std::regex_search("list | grep -qx name", early));
  std::size_t scripts = 0;
  for (const char* folder : {"examples", "tests", "benchmarks", "docs", ".ci"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file() || (entry.path().extension() != ".sh" && entry.path().parent_path().filename() != ".ci")) continue;
      INFO(entry.path().string());
      CHECK_FALSE(std::regex_search(graft::read_file(entry.path()), early));
      ++scripts;
    }
  }
  CHECK(scripts > 20);
}
