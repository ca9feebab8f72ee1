// docs/logs.md quotes examples/read_logs.py, which reads what graft logs.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

#include "graft/core/file.hpp"
#include "plot/run_folder.hpp"

using namespace graft_test;

namespace {
const std::string root = GRAFT_TEST_DIR "/..";
}

TEST_CASE("the page about logs quotes the example as it is") {
  const std::string code = graft::read_file(root + "/examples/read_logs.py");
  CHECK_THAT(graft::read_file(root + "/docs/logs.md"), Catch::Contains("```python\n" + code + "```"));
}

TEST_CASE("pandas reads the mixing weights of a resumed run") {
  if (std::system("python3 -c 'import pandas' >/dev/null 2>&1") != 0) {
    std::cerr << "SKIPPED: python3 has no pandas (Debian: python3-pandas)\n";
    return;
  }
  const run_folder run;
  run.write("1583000000/weights.zlog",
            weights_row(0, "\"layer_00\":{\"rte\":0.5,\"base\":0.5},\"layer_01\":{\"rte\":0.5,\"base\":0.5}") +
                weights_row(7, "\"layer_00\":{\"rte\":0.9,\"base\":0.1},\"layer_01\":{\"rte\":0.5,\"base\":0.5}"));
  run.write("1583000099/weights.zlog",
            weights_row(7, "\"layer_00\":{\"rte\":0.625,\"base\":null},\"layer_01\":{\"rte\":0.5,\"base\":0.5}"));
  const std::string out = run.folder / "out.txt";
  REQUIRE(std::system(("python3 '" + root + "/examples/read_logs.py' '" + run.path() + "' >'" + out + "'").c_str()) == 0);
  const std::string table = graft::read_file(out);
  CHECK_THAT(table, Catch::Contains("rte") && Catch::Contains("0.625") && Catch::Contains("NaN") && !Catch::Contains("0.9"));
}
