#include "plot/pictures.hpp"

#include <catch2/catch.hpp>
#include <limits>

namespace {

std::string picture_of(const graft::program::run_log& log, const std::string& name) {
  for (const auto& each : graft::program::pictures(log)) {
    if (each.name == name) return each.svg_text;
  }
  return "";
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

graft::program::run_log mix_log(const std::vector<std::string>& adapters, int sites) {
  graft::program::run_log log;
  log.adapters = adapters;
  log.weight_steps = {0, 10, 20};
  for (int site = 0; site < sites; ++site) {
    for (std::size_t k = 0; k < adapters.size(); ++k) {
      const double end = static_cast<double>(k + 1) / 20 + site / 1000.0;
      log.site_weights[site].push_back({log.weight_steps, {0.25, 0.3, end}});
    }
  }
  return log;
}

}  // namespace

TEST_CASE("only what was logged is drawn") {
  graft::program::run_log log;
  CHECK(graft::program::pictures(log).empty());
  log.loss = {{1, 2}, {0.7, 0.6}};
  CHECK(graft::program::pictures(log).size() == 1);
  log.learning_rate = {{1, 2}, {1e-5, 0}};
  log.validation = {{2}, {0.5}};
  CHECK(graft::program::pictures(log).size() == 3);
}

TEST_CASE("weights: a panel a set, a line and a labeled bar an adapter, the base dashed") {
  const std::string one = picture_of(mix_log({"rte", "mrpc", "base"}, 1), "weights");
  CHECK_THAT(one, Catch::Contains("one weight set; the bars are the weights at step 20") && Catch::Contains(">layer 0, attention</text>"));
  const std::string four = picture_of(mix_log({"rte", "mrpc", "base"}, 4), "weights");
  CHECK(count_of(four, ">mixing weight<") == 4);
  CHECK(count_of(four, "class=\"fill s0\"") == 4);
  CHECK(count_of(four, "class=\"fill base\"") == 4);
  CHECK(count_of(four, "stroke-dasharray=\"4 3\"") == 8);
  CHECK_THAT(four, Catch::Contains(">0.050<") && Catch::Contains("<title>base: 0.153</title>"));
}

TEST_CASE("weights: names that are cut beside the bars are written out above") {
  const std::string name = "an_adapter_with_a_very_long_name_<" + std::string(20, 'x') + ">_seed_1";
  const std::string text = picture_of(mix_log({name, "base"}, 2), "weights");
  CHECK_THAT(text, Catch::Contains(">an_adapter_with_a_very_long_name_&lt;" + std::string(20, 'x') + "&gt;_seed_1</text>") &&
                       Catch::Contains("…") && !Catch::Contains("_<x"));
}

TEST_CASE("weights: a missing final weight is named so, and has no length") {
  auto log = mix_log({"rte", "base"}, 1);
  log.site_weights[0][0].y.back() = std::numeric_limits<double>::quiet_NaN();
  CHECK_THAT(picture_of(log, "weights"),
             Catch::Contains(">n/a<") && Catch::Contains("width=\"0\" height=\"10\"") && !Catch::Contains("nan"));
}

TEST_CASE("weights: numbers too small to tell apart have bars without length") {
  auto log = mix_log({"rte", "base"}, 2);
  for (auto& [site, lines] : log.site_weights) {
    for (auto& line : lines) line.y = {0, 0, 5e-324};
  }
  CHECK_THAT(picture_of(log, "weights"), !Catch::Contains("nan") && !Catch::Contains("inf"));
}

TEST_CASE("loss: long runs are smoothed and say how, short ones are not") {
  graft::program::run_log log;
  for (int i = 1; i <= 1000; ++i) log.loss.add(i, 1.0 / i);
  CHECK_THAT(picture_of(log, "loss"),
             Catch::Contains("mean over a centered window of 41 logged steps") && Catch::Contains("stroke-opacity=\"0.45\""));
  log.loss = {{1, 2, 3}, {3, 2, 1}};
  CHECK_THAT(picture_of(log, "loss"), Catch::Contains("every logged step, not smoothed") && !Catch::Contains("stroke-opacity"));
}

TEST_CASE("learning rate: its peak is named") {
  graft::program::run_log log;
  log.learning_rate = {{1, 2, 3}, {5e-6, 1.04e-5, 0}};
  log.loss = log.learning_rate;
  CHECK_THAT(picture_of(log, "learning_rate"), Catch::Contains("highest: 1.04×10⁻⁵ at step 2") && Catch::Contains("learning rate (×10⁻⁵)"));
}

TEST_CASE("validation: the best is marked and labeled") {
  graft::program::run_log log;
  log.validation = {{100, 200, 300}, {0.5, 0.71234, std::numeric_limits<double>::quiet_NaN()}};
  log.best = {200, 0.71234};
  const std::string text = picture_of(log, "validation");
  CHECK_THAT(text, Catch::Contains(">best: 0.7123 at step 200</text>") && Catch::Contains("r=\"6\"") && !Catch::Contains("nan"));
  CHECK(count_of(text, "r=\"3\"") == 2);
}

TEST_CASE("a hundred thousand points make a small picture, the same every time") {
  graft::program::run_log log;
  for (int i = 0; i < 100000; ++i) log.loss.add(i, (i * 7919 % 1000) / 1000.0);
  const std::string text = picture_of(log, "loss");
  CHECK(text.size() < 90000);
  CHECK(text == picture_of(log, "loss"));
}

TEST_CASE("the smallest and the largest numbers can be written with a power of ten") {
  using graft::program::detail::scientific;
  CHECK(scientific(0.0000104) == "1.04×10⁻⁵");
  CHECK(scientific(1e-5) == "1×10⁻⁵");
  CHECK(scientific(2.5e12) == "2.5×10¹²");
  CHECK(scientific(5e-324) == "4.94×10⁻³²⁴");
  CHECK(scientific(1e300) == "1×10³⁰⁰");
}
