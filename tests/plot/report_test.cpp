#include "plot/report.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "plot/run_folder.hpp"

using namespace graft_test;

namespace {

/// The file PATH as it is: the library takes a web page for a download that went wrong.
std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A run whose names, arguments and logs hold everything that could break out of XML.
void fill_awkward(const run_folder& run) {
  std::string loss;
  std::string weights;
  for (int step = 0; step < 30; ++step) {
    loss += loss_row(step, step == 7 ? "null" : "0." + std::to_string(90 - step), ",\"learning_rate\":1e-05");
    weights +=
        weights_row(step, "\"layer_00\":{\"</text><script>&'\\\"\":0.5,\"\\u0001日本\":0.3,\"base\":0.2},\"layer_01\":{\"base\":null}");
  }
  run.write("1583000000/loss_train.zlog", loss + "{\"half");
  run.write("1583000000/weights.zlog", weights);
  run.write("1583000000/train_val.zlog", score_row(10, "0.5") + score_row(20, "0.6"));
  run.write("1583000000/train_val_best.zlog", score_row(10, "0.5") + score_row(20, "0.6"));
  run.write("args.json", R"({"output_dir":"</dd><script>alert(1)</script>","seed":3,"warmup_steps":null,"adapter_exclude":["a","b"]})");
  run.write(
      "val_report.json",
      R"({"rows":3,"labels":["<b>no</b>","yes"],"confusion":[[1,1],[0,1]],"classes":[{"label":"<b>no</b>","precision":1.0,"recall":0.5,)"
      R"("f1":0.66666,"support":2},{"label":"yes","precision":0.5,"recall":1.0,"f1":0.66666,"support":1}],"micro":{"precision":0.6,)"
      R"("recall":0.6,"f1":0.6,"support":3},"macro":{"precision":0.75,"recall":0.75,"f1":0.6,"support":3},"weighted":{"precision":0.8,)"
      R"("recall":0.6,"f1":null,"support":3},"worst":[{"row":1,"loss":2.5,"label":"<b>no</b>","prediction":"yes","line":7,)"
      R"("text_a":"</p><script>","text_b":"b"},{"row":2,"loss":null,"label":"yes","prediction":"yes","line":8}]})");
  run.write("val_metrics.json", R"({"loss":0.51234,"metrics":{"major":0.75,"minor":{"acc":0.75,"mcc":null}}})");
}

}  // namespace

TEST_CASE("pictures and report are written, the same every time, with the warnings passed on") {
  const run_folder run;
  fill_awkward(run);
  const auto written = graft::program::write_plots(run.path(), run.folder / "plots/new");
  const std::vector<std::string> names = {"weights.svg", "validation.svg", "loss.svg", "learning_rate.svg", "report.html"};
  REQUIRE(written.files.size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) CHECK(written.files[i] == run.folder / ("plots/new/" + names[i]));
  REQUIRE(written.warnings.size() == 1);
  graft::program::write_plots(run.path(), run.folder / "again");
  for (const auto& name : names) CHECK(text_of(run.folder / ("plots/new/" + name)) == text_of(run.folder / ("again/" + name)));
}

TEST_CASE("the report holds pictures, arguments, metrics and warnings, all escaped, and needs nothing from elsewhere") {
  const run_folder run;
  fill_awkward(run);
  const auto written = graft::program::write_plots(run.path(), run.folder / "plots");
  const std::string html = text_of(written.files.back());
  CHECK_THAT(html, Catch::Contains("<dt>output_dir</dt><dd>&lt;/dd&gt;&lt;script&gt;alert(1)&lt;/script&gt;</dd>"));
  CHECK_THAT(html, Catch::Contains("<dt>adapter_exclude</dt><dd>[&quot;a&quot;,&quot;b&quot;]</dd>"));
  CHECK_THAT(html, Catch::Contains("<b>0.5123</b><span>loss</span>") && Catch::Contains("<b>0.7500</b><span>acc</span>"));
  CHECK_THAT(html, Catch::Contains("<b>null</b><span>mcc</span>") && Catch::Contains("half-written"));
  CHECK_THAT(html, Catch::Contains("prefers-color-scheme: dark"));
  CHECK(html.find("<script") == html.rfind("<script"));  // its own
  CHECK_THAT(html, Catch::Contains("Content-Security-Policy") && !Catch::Contains("src=") && !Catch::Contains("href=") &&
                       !Catch::Contains("url("));
  for (std::size_t i = 0; i + 1 < written.files.size(); ++i) CHECK_THAT(html, Catch::Contains(text_of(written.files[i])));
}

TEST_CASE("the report shows who is taken for whom, each label's scores and the worst rows, escaped, or why it cannot") {
  const run_folder run;
  fill_awkward(run);
  const auto html = [&] { return text_of(graft::program::write_plots(run.path(), run.folder / "plots").files.back()); };
  const std::string whole = html();
  CHECK_THAT(whole, Catch::Contains(R"(<th scope="row">&lt;b&gt;no&lt;/b&gt;</th><td class="right" style="--share:0.500">1</td>)"
                                    R"(<td class="wrong" style="--share:0.500">1</td></tr>)"));
  CHECK_THAT(whole, Catch::Contains(R"(<th scope="row">yes</th><td>0.5000</td><td>1.0000</td><td>0.6667</td><td>1</td></tr>)"));
  CHECK_THAT(whole, Catch::Contains("weighted mean</th><td>0.8000</td><td>0.6000</td><td></td><td>3</td>"));
  CHECK_THAT(whole, Catch::Contains("<span>line 7</span><span>loss <b>2.500</b></span>") &&
                        Catch::Contains("&lt;/p&gt;&lt;script&gt;</p><p>b</p>"));
  CHECK_THAT(whole, Catch::Contains("loss <b>not a number</b>"));
  const std::pair<const char*, const char*> others[] = {{R"({"worst":[]})", "answered worst"},
                                                        {R"({"labels":["a"],"confusion":[[1],[2]],"worst":[]})", "not as wide and high"},
                                                        {R"({"labels":["a"],"classes":[],"worst":[]})", "is not what a run writes"},
                                                        {R"({"labels":3,"worst":[]})", "is not what a run writes"},
                                                        {R"({"worst":[{"line":"x"}]})", "is not what a run writes"},
                                                        {"[]", "is not what a run writes"}};
  for (const auto& [given, said] : others) {
    INFO(given);
    run.write("val_report.json", given);
    CHECK_THAT(html(), Catch::Contains(said));
  }
}

TEST_CASE("a run without arguments and metrics says so") {
  const run_folder run;
  run.write("1/loss_train.zlog", loss_row(1, "0.5"));
  const auto written = graft::program::write_plots(run.path(), run.folder / "plots");
  CHECK(written.files.size() == 2);
  CHECK_THAT(text_of(written.files.back()), Catch::Contains("No val_metrics.json") && Catch::Contains("No args.json"));
}

TEST_CASE("nothing is made when there is nothing to draw, and an unwritable folder is refused") {
  const run_folder run;
  CHECK_THROWS_AS(graft::program::write_plots(run.path(), run.folder / "plots"), graft::format_error);
  CHECK_FALSE(std::filesystem::exists(run.folder / "plots"));
  run.write("1/loss_train.zlog", loss_row(1, "0.5"));
  run.write("plots", "a file");
  CHECK_THROWS_AS(graft::program::write_plots(run.path(), run.folder / "plots"), graft::backend_error);
}

TEST_CASE("nothing is written through a link that somebody left in the folder of a run") {
  namespace fs = std::filesystem;
  const run_folder run;
  const temporary_folder elsewhere;
  run.write("1/loss_train.zlog", loss_row(1, "0.5"));
  fs::create_directory_symlink(elsewhere.path(), run.folder / "plots");
  CHECK_THROWS_WITH(graft::program::write_plots(run.path(), run.folder / "plots"), Catch::Contains("plots: is a link, "));
  CHECK_THROWS_WITH(graft::program::write_plots(run.path() + "/", run.folder / "plots/"), Catch::Contains("plots: is a link, "));
  CHECK(fs::is_empty(elsewhere.path()));
  fs::remove(run.folder / "plots");
  fs::create_directory(run.folder / "plots");
  graft::write_file(elsewhere / "precious", "mine");
  fs::create_symlink(elsewhere / "precious", run.folder / "plots/loss.svg");
  CHECK_THROWS_WITH(graft::program::write_plots(run.path(), run.folder / "plots"), Catch::Contains("loss.svg: is a link, "));
  CHECK(text_of(elsewhere / "precious") == "mine");
  fs::remove(run.folder / "plots/loss.svg");
  REQUIRE(::mkfifo((run.folder / "plots/loss.svg").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(graft::program::write_plots(run.path(), run.folder / "plots"), Catch::Contains("loss.svg: is no file, "));
  fs::create_directory_symlink(elsewhere.path(), elsewhere / "own");  // a link of the user's own, outside the run, is followed
  CHECK(graft::program::write_plots(run.path(), elsewhere / "own").files.size() == 2);
}

TEST_CASE("every file is well-formed XML") {
  if (std::system("xmllint --version >/dev/null 2>&1") != 0) {
    std::cerr << "SKIPPED: xmllint is not installed (Debian: libxml2-utils)\n";
    return;
  }
  const run_folder run;
  fill_awkward(run);
  for (const auto& file : graft::program::write_plots(run.path(), run.folder / "plots").files) {
    INFO(file);
    CHECK(std::system(("xmllint --noout --nonet '" + file + "'").c_str()) == 0);
  }
}
