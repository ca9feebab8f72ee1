// The report as a reader sees it: opened in a browser, at the widths of a phone, a window and a large screen, light and dark.

#include "support/browser.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <iostream>

#include "plot/report.hpp"
#include "plot/run_folder.hpp"

using namespace graft_test;

namespace {

/// A mix with SITES weight sets of its own, of adapters with short and long names, and all other logs.
std::string report_of_mix(const run_folder& run, int sites) {
  std::string loss, weights, scores;
  for (int step = 0; step <= 200; ++step) {
    loss += loss_row(step, std::to_string(0.7 - 0.002 * step + 0.1 * std::sin(step)),
                     ",\"learning_rate\":" + std::to_string(1e-4 * step / 200));
    std::string of_sites;
    for (int site = 0; site < sites; ++site) {
      const std::string share = std::to_string(0.3 + 0.001 * step + 0.01 * site);
      of_sites += std::string(site == 0 ? "" : ",") + "\"layer_0" + std::to_string(site) + "\":{\"rte\":" + share +
                  ",\"an_adapter_with_a_name_that_is_longer_than_any_legend_has_room_for\":0.2,\"<b>&'\":null,\"base\":0.1}";
    }
    if (step % 10 == 0) weights += weights_row(step, of_sites);
    if (step % 50 == 0) scores += score_row(step, "0.712345");
  }
  run.write("1583000000/loss_train.zlog", loss);
  run.write("1583000000/weights.zlog", weights);
  run.write("1583000000/train_val.zlog", scores);
  run.write("1583000000/train_val_best.zlog", scores);
  run.write("args.json", R"({"output_dir":"/a/path/that/is/so/long/that/it/has/no/place/in/a/narrow/column/of/a/page","seed":3})");
  run.write("val_metrics.json", R"({"loss":0.51234,"metrics":{"major":0.75,"minor":{"acc":0.75,"spearman_correlation":0.7}}})");
  return graft::program::write_plots(run.path(), run.folder / "plots").files.back();
}

/// Names of what sticks out of the page, its figure, or its picture.
const char* const overflowing = R"((() => {
  const found = [], inside = (part, whole) => part.left >= whole.left - 1 && part.right <= whole.right + 1 && part.top >= whole.top - 1 && part.bottom <= whole.bottom + 1;
  const page = {left: 0, right: innerWidth, top: 0, bottom: document.documentElement.scrollHeight};
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is " + document.documentElement.scrollWidth + " wide");
  for (const box of document.querySelectorAll("body *")) {
    const place = box.getBoundingClientRect();
    if (box.closest("svg") || place.width === 0) continue;
    if (!inside(place, page) || box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).display !== "inline") found.push(box.tagName + " " + box.className);
  }
  for (const plot of document.querySelectorAll(".plot")) {
    const paper = plot.getBoundingClientRect();
    if (paper.width === 0) continue;
    if (!inside(paper, plot.parentElement.getBoundingClientRect())) found.push("a picture");
    for (const part of plot.querySelectorAll("text, path, rect, circle")) {
      if (!inside(part.getBoundingClientRect(), paper)) found.push(part.tagName + " " + part.textContent);
    }
    for (const text of plot.querySelectorAll("text")) {
      const size = parseFloat(getComputedStyle(text).fontSize) * paper.width / plot.viewBox.baseVal.width;
      if (size < 8) found.push("text of " + size + " pixels: " + text.textContent);
    }
  }
  return found;
})())";

/// Whether what is written can be told from what is behind it: the darkness of ink and of the card.
const char* const contrast = R"((() => {
  const light = color => { const [r, g, b] = color.match(/[\d.]+/g).map(Number); return (0.299 * r + 0.587 * g + 0.114 * b) / 255; };
  const card = light(getComputedStyle(document.querySelector("figure")).backgroundColor);
  return [card, ...[...document.querySelectorAll(".plot .ink, .plot .muted, dt, dd")].map(text => {
    const style = getComputedStyle(text);
    return Math.abs(card - light(text.closest("svg") ? style.fill : style.color));
  })];
})())";

}  // namespace

TEST_CASE("the report fits pages of any width, light and dark, and the browser has nothing to complain of") {
  if (!browser::installed()) {
    std::cerr << "SKIPPED: chromium is not installed (Debian: chromium)\n";
    return;
  }
  const run_folder one_set, four_sets;
  browser reader;
  for (const std::string& report : {report_of_mix(one_set, 1), report_of_mix(four_sets, 4)}) {
    for (const int width : {420, 1000, 1600}) {
      for (const char* colors : {"light", "dark"}) {
        INFO(report << ", " << width << ", " << colors);
        reader.open(report, width, colors);
        CHECK(reader.complaints == std::vector<std::string>{});
        CHECK(reader.evaluate(overflowing) == nlohmann::json::array());
        CHECK(reader.evaluate("[...document.querySelectorAll('figure')].every(f => f.querySelector('.plot').clientWidth + "
                              "f.querySelector('.narrow').clientWidth > 0.9 * Math.min(f.clientWidth, 1200) - 16)") == true);
        const auto lightness = reader.evaluate(contrast).get<std::vector<double>>();
        CHECK((lightness[0] < 0.5) == (std::string(colors) == "dark"));
        CHECK(*std::min_element(lightness.begin() + 1, lightness.end()) > 0.4);
      }
    }
  }
  reader.open(report_of_mix(one_set, 1), 760, "dark", "print");
  CHECK(reader.evaluate(overflowing) == nlohmann::json::array());
  CHECK(reader.evaluate("getComputedStyle(document.querySelector('.plot .ink')).fill") == "rgb(31, 35, 40)");
  CHECK(reader.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)");
  CHECK(reader.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light");
}

TEST_CASE("where a reader points into a chart, the report names the step and each line's value there, inside of its figure") {
  if (!browser::installed()) {
    std::cerr << "SKIPPED: chromium is not installed (Debian: chromium)\n";
    return;
  }
  const run_folder run;
  const std::string report = report_of_mix(run, 1);
  browser reader;
  for (const int width : {420, 1000}) {
    INFO(width);
    reader.open(report, width, "light");
    for (const double part : {0.0, 0.5, 1.0}) {  // of the first chart's width
      const auto at = reader.evaluate(
          "(() => { const plot = [...document.querySelectorAll('.plot')].find(p => p.clientWidth > 0);"
          "const [left, top, width, height] = plot.querySelector('.chart').dataset.axes.split(' ').map(Number);"
          "const p = new DOMPoint(left + width * " +
          std::to_string(part) +
          ", top + height / 2).matrixTransform(plot.getScreenCTM());"
          "return [p.x, p.y]; })()");
      reader.move_pointer(at[0], at[1]);
      const std::string shown = reader.evaluate("document.querySelector('.values:not([hidden])')?.innerText ?? ''");
      const int step = static_cast<int>(200 * part);
      CHECK_THAT(shown, Catch::StartsWith("step " + std::to_string(step) + "\n") &&
                            Catch::Contains("rte\n" +
                                            std::string(step == 0     ? "0.3"
                                                        : step == 100 ? "0.4"
                                                                      : "0.5") +
                                            "\n") &&
                            Catch::Contains("base\n0.1") && !Catch::Contains("<b>"));
      CHECK(reader.evaluate(overflowing) == nlohmann::json::array());
    }
    reader.move_pointer(1, 1);
    CHECK(reader.evaluate("document.querySelector('.values:not([hidden])') === null") == true);
    CHECK(reader.complaints == std::vector<std::string>{});
  }
}
