// The documents say what the tree says: the picture is the script's, variables are those of the sources, links lead somewhere.

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "graft/core/file.hpp"

namespace {

namespace fs = std::filesystem;
using names = std::set<std::string>;

const fs::path root = fs::path(GRAFT_TEST_DIR).parent_path();

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string out;
  for (int c; (c = std::fgetc(pipe.get())) != EOF;) out += static_cast<char>(c);
  return out;
}

/// Adds what the first group of PATTERN matches in TEXT.
void collect(const std::string& text, const std::regex& pattern, names& found) {
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) found.insert((*match)[1]);
}

/// The lines of TEXT in which a variable may stand: patterns take their time.
std::string lines_with_variables(const std::string& text) {
  std::string some;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    for (const char* sign : {"getenv", "environ", "number(", "${", "OMP_", "CPU_ISA", "GRAFT_"}) {
      if (line.find(sign) == std::string::npos) continue;
      some += line + "\n";
      break;
    }
  }
  return some;
}

void for_each_file(const std::function<void(const fs::path&)>& use) {
  for (const char* folder : {"include", "examples", "tests", "benchmarks", "docs"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.is_regular_file() && entry.path().string().find("/corpus/") == std::string::npos) use(entry.path());
    }
  }
  for (const char* file : {"CMakeLists.txt", "README.md", "CHANGELOG.md"}) use(root / file);
}

/// Names of variables and options in sources and build files.
names variables_of_sources() {
  static const std::regex read_by_code(R"re((?:getenv\(|environ\.get\(|environ\[|number\()"(\w+)")re");  // number: tests/faults
  static const std::regex read_by_script(R"re(\$\{([A-Z_]+):?[-=])re"), read_by_batch_script(R"re(\$\{([A-Z_]+))re");
  static const std::regex of_libraries(R"re(\b(G?OMP_[A-Z_]+|(?:DNNL|ONEDNN)_MAX_CPU_ISA)\b)re");
  static const std::regex option(R"re(\b(?:option\((GRAFT_\w+)|set\((GRAFT_\w+) \S+ CACHE))re");
  static const std::regex searched(R"re(\bfind_(?:path|library|program)\((GRAFT_\w+) )re");
  static const std::regex searched_in_turn(R"re(\bfind_(?:path|library)\(GRAFT_\$\{graft_name\}(\w+))re"),
      in_turn(R"re("[\w:]+;[\w.]+;(\w+);[\w-]+")re");
  static const std::regex macro(R"re(# *(?:el)?if.*\b(GRAFT_\w+))re");
  names found;
  for_each_file([&](const fs::path& path) {
    const std::string extension = path.extension();
    if (extension == ".md" || path.filename() == "documents_test.cpp") return;
    const std::string whole = graft::read_file(path), text = path.filename() == "CMakeLists.txt" ? whole : lines_with_variables(whole);
    if (extension == ".sh") collect(text, read_by_script, found);
    if (extension == ".sbatch") collect(text, read_by_batch_script, found);
    if (extension == ".hpp" || extension == ".cpp" || extension == ".c") collect(text, macro, found);
    collect(text, read_by_code, found);
    collect(text, of_libraries, found);
    if (path.filename() != "CMakeLists.txt") return;
    for (std::sregex_iterator match(text.begin(), text.end(), option), end; match != end; ++match) {
      found.insert((*match)[1].matched ? (*match)[1] : (*match)[2]);
    }
    collect(text, searched, found);
    names libraries, endings;
    collect(text, in_turn, libraries);
    collect(text, searched_in_turn, endings);
    for (const std::string& library : libraries) {
      for (const std::string& ending : endings) found.insert("GRAFT_" + library + ending);
    }
  });
  return found;
}

}  // namespace

TEST_CASE("the picture of the architecture is the one that its script draws") {
  INFO("where it is not: docs/architecture.sh > docs/architecture.svg");
  CHECK(output_of("sh '" + (root / "docs/architecture.sh").string() + "'") == graft::read_file(root / "docs/architecture.svg"));
}

TEST_CASE("git keeps what belongs here: no folder of a build, nothing that a compiler wrote") {
  const std::string listed = output_of("git -C '" + root.string() + "' ls-files 2> /dev/null || true");
  if (listed.empty()) {
    WARN("SKIPPED: no checkout of git");
    return;
  }
  const names at_the_top{"CMakeLists.txt", "CMakePresets.json", "include",   "examples",     "tests", "benchmarks", "cmake",
                         "docs",           "LICENSE",           "README.md", "CHANGELOG.md", ".ci"};
  const names compiled{".o", ".a", ".so", ".out", ".pyc", ".ninja"};
  for (std::size_t begin = 0, end = 0; (end = listed.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string file = listed.substr(begin, end - begin), top = file.substr(0, file.find('/'));
    INFO(file);
    CHECK((at_the_top.contains(top) || (top == file && file.starts_with('.'))));
    CHECK(!compiled.contains(fs::path(file).extension().string()));
  }
}

TEST_CASE("every variable that the sources read is in docs/environment.md, and no other") {
  const std::string document = graft::read_file(root / "docs/environment.md");
  const names found = variables_of_sources();
  for (const char* name : {"GRAFT_TILES", "GRAFT_dnnl_LIBRARY", "SLURM_ARRAY_TASK_ID"}) CHECK(found.contains(name));
  for (const std::string& name : found) {
    INFO(name);
    CHECK(document.find("`" + name + "`") != std::string::npos);
  }
  names listed;
  for (std::size_t begin = 0, end = 0; begin < document.size(); begin = end + 1) {  // what stands in the first column of a table
    end = document.find('\n', begin);
    const std::string line = document.substr(begin, end - begin);
    if (line.starts_with("| `")) collect(line.substr(0, line.find('|', 1)), std::regex("`(\\w+)`"), listed);
  }
  CHECK(listed.size() > 20);
  for (const std::string& name : listed) {
    if (name == "TMPDIR") continue;  // read by std::filesystem
    INFO(name);
    CHECK(found.contains(name));
  }
}

TEST_CASE("links in the documents lead to files, and README's table to every document") {
  static const std::regex link(R"re(\]\(([^)#: ]+)(?:#[^)]*)?\))re");
  for_each_file([&](const fs::path& path) {
    if (path.extension() != ".md") return;
    names linked;
    collect(graft::read_file(path), link, linked);
    for (const std::string& target : linked) {
      INFO(path << " -> " << target);
      CHECK(fs::exists(path.parent_path() / target));
    }
  });
  names in_readme;
  collect(graft::read_file(root / "README.md"), link, in_readme);
  CHECK(in_readme.contains("CHANGELOG.md"));
  for (const auto& entry : fs::directory_iterator(root / "docs")) {
    INFO(entry.path());
    if (entry.path().extension() == ".md") CHECK(in_readme.contains("docs/" + entry.path().filename().string()));
  }
}
