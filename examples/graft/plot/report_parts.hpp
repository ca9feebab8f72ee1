#pragma once
// What every report has in it: how it looks, and the script that names step and values where a reader points.

#include <string>

namespace graft::program::detail {

inline constexpr const char* report_style = R"(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1f2328; --muted: #57606a; --rule: #d8dde3; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #101317; --card: #181c21; --ink: #e6e9ed; --muted: #a0a9b4; --rule: #343b44; }
  .plot .ink { fill: var(--ink); } .plot .muted { fill: var(--muted); }
  .plot text[stroke] { stroke: var(--card); }
  .plot .grid { stroke: #2b323a; } .plot .axis { stroke: #737d88; }
  .plot .line.s0 { stroke: #4aa8e8; } .plot .fill.s0 { fill: #4aa8e8; }
  .plot .line.s1 { stroke: #f07b3a; } .plot .fill.s1 { fill: #f07b3a; }
  .plot .line.s2 { stroke: #2cc197; } .plot .fill.s2 { fill: #2cc197; }
  .plot .line.s6 { stroke: #f0f2f4; } .plot .fill.s6 { fill: #f0f2f4; }
  .plot .line.base { stroke: #98a2ad; } .plot .fill.base { fill: #98a2ad; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 32px 0 10px; }
p { margin: 0 0 8px; color: var(--muted); overflow-wrap: anywhere; }
.metrics { display: flex; flex-wrap: wrap; gap: 12px; }
.metric, figure, .arguments, .warnings { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
.metric { padding: 10px 18px; min-width: 110px; }
.metric b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.metric span { color: var(--muted); font-size: 13px; overflow-wrap: anywhere; }
h3 { font-size: 14px; margin: 18px 0 8px; }
.table { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 4px 12px 8px; max-height: 720px; }
.table table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
.table th, .table td { padding: 5px 12px; text-align: right; border-bottom: 1px solid var(--rule); }
.table th { font-weight: 600; max-width: 180px; overflow-wrap: break-word; }
.table thead th { color: var(--muted); font-weight: 400; vertical-align: bottom; }
.table th:first-child { text-align: left; max-width: 320px; } .table .pairs td { text-align: left; overflow-wrap: anywhere; }
.table tbody tr:last-child > * { border-bottom: none; } .table .mean > * { color: var(--muted); }
.matrix td { min-width: 52px; } .matrix .right { background: rgb(0 158 115 / calc(var(--share) * 55%)); }
.matrix .wrong { background: rgb(213 94 0 / calc(var(--share) * 75%)); }
.worst { margin: 0; padding: 0; list-style: none; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; font-size: 13px; }
.worst li { padding: 8px 16px; border-bottom: 1px solid var(--rule); break-inside: avoid; } .worst li:last-child { border-bottom: none; }
.worst div { display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--muted); } .worst b { color: var(--ink); overflow-wrap: anywhere; }
.worst p { margin: 2px 0 0; color: var(--ink); }
.charts { display: grid; grid-template-columns: minmax(0, 1fr); gap: 16px; }
figure { position: relative; margin: 0; padding: 8px; }
.plot { display: block; width: 100%; height: auto; max-width: 1200px; margin: 0 auto; touch-action: pan-y; }
.plot.narrow { display: none; }
.plot .paper { fill: none; }
.plot .cross { stroke: var(--muted); stroke-dasharray: 2 3; pointer-events: none; }
.plot .mark { stroke: var(--card); stroke-width: 1.5; pointer-events: none; }
.values { position: absolute; max-width: calc(100% - 16px); padding: 6px 10px; background: var(--card); color: var(--ink); border: 1px solid var(--rule);
  border-radius: 6px; box-shadow: 0 2px 10px #0003; font-size: 13px; line-height: 1.45; pointer-events: none; font-variant-numeric: tabular-nums; }
.values[hidden] { display: none; }
.values div { display: flex; gap: 8px; align-items: center; }
.values i { flex: none; width: 10px; height: 10px; border-radius: 2px; }
.values span { flex: auto; overflow-wrap: anywhere; color: var(--muted); }
.arguments { columns: 2 400px; column-gap: 32px; padding: 12px 18px; margin: 0; font-size: 13px; }
.arguments div { display: flex; gap: 12px; break-inside: avoid; padding: 3px 0; border-bottom: 1px solid var(--rule); }
.arguments dt { flex: 0 0 46%; color: var(--muted); overflow-wrap: anywhere; }
.arguments dd { margin: 0; font-family: ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.warnings { padding: 10px 18px; border-left: 4px solid #d55e00; margin: 16px 0; overflow-wrap: anywhere; }
@media screen and (max-width: 640px) {
  main { padding: 20px 12px 32px; } figure { padding: 4px; }
  .table th, .table td { padding: 5px 6px; } .table th, .table th:first-child { max-width: 110px; }
  .plot { display: none; } .plot.narrow { display: block; }
}
@media screen and (min-width: 1400px) {
  main { max-width: 1640px; }
  .charts { grid-template-columns: repeat(2, minmax(0, 1fr)); } .charts .many { grid-column: 1 / -1; }
  .arguments { columns: 3 400px; }
}
@media print {
  @page { margin: 14mm; }
  :root { color-scheme: light; } body { background: #fff; } main { max-width: none; padding: 0; }
  figure { break-inside: avoid; border: none; padding: 0; } .plot { max-height: 240mm; } .values, .cross, .mark { display: none; }
  h2 { break-after: avoid; } .metric, .arguments { border-color: #bbb; }
}
)";

inline constexpr const char* report_script = R"(
"use strict";
const shape = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  return made;
};
const text = value => {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
};
const nearest = (points, step) => {
  let low = 0, high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < step) low = middle + 1; else high = middle;
  }
  return low > 0 && step - points[low - 1][0] < points[low][0] - step ? points[low - 1] : points[low];
};
// A chart's place in its picture, pixels to steps and back, and the points of its lines.
const read = group => {
  const [left, top, width, height, first, last, low, high] = group.dataset.axes.split(" ").map(Number);
  const lines = [...group.querySelectorAll("[data-points]")].filter(line => line.dataset.points).map(line => ({
    name: line.dataset.name,
    drawn: line.querySelector(".line, .fill"),
    points: line.dataset.points.split(",").map(point => point.split(" ").map(Number)),
  }));
  return {left, top, width, height, lines, step: x => first + (x - left) / width * (last - first),
          x: step => left + (step - first) / (last - first) * width, y: value => top + (high - value) / (high - low) * height};
};
for (const plot of document.querySelectorAll(".plot")) {
  const title = plot.querySelector("title");
  plot.setAttribute("aria-label", title.textContent);
  for (const hint of [title, ...plot.querySelectorAll(".chart title")]) hint.remove();
  const box = plot.parentElement.appendChild(document.createElement("div"));
  box.className = "values";
  box.hidden = true;
  const marks = plot.appendChild(shape("g", {}));
  let charts;
  const leave = () => { box.hidden = true; marks.replaceChildren(); };
  const point = event => {
    leave();
    charts ??= [...plot.querySelectorAll(".chart")].map(read);
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
    const chart = charts.find(c => at.x >= c.left - 8 && at.x <= c.left + c.width + 8 && at.y >= c.top && at.y <= c.top + c.height && c.lines.length > 0);
    if (!chart) return;
    const found = chart.lines.map(line => ({line, point: nearest(line.points, chart.step(at.x))}));
    const step = found.map(f => f.point[0]).reduce((a, b) => Math.abs(chart.x(b) - at.x) < Math.abs(chart.x(a) - at.x) ? b : a);
    const away = f => Math.abs(chart.y(f.point[1]) - at.y);
    const shown = found.sort((a, b) => away(a) - away(b)).slice(0, 12).sort((a, b) => b.point[1] - a.point[1]);
    marks.append(shape("line", {class: "cross", x1: chart.x(step), x2: chart.x(step), y1: chart.top, y2: chart.top + chart.height}));
    box.replaceChildren(Object.assign(document.createElement("b"), {textContent: "step " + step}));
    for (const {line, point} of shown) {
      const style = getComputedStyle(line.drawn), color = line.drawn.classList.contains("line") ? style.stroke : style.fill;
      marks.append(shape("circle", {class: "mark", cx: chart.x(point[0]), cy: chart.y(point[1]), r: 4, fill: color}));
      const row = box.appendChild(document.createElement("div"));
      row.append(document.createElement("i"), document.createElement("span"), document.createElement("b"));
      row.children[0].style.background = color;
      row.children[1].textContent = line.name;
      row.children[2].textContent = text(point[1]);
    }
    box.hidden = false;
    const frame = plot.parentElement.getBoundingClientRect(), x = event.clientX - frame.left, y = event.clientY - frame.top;
    const beside = x + 16 + box.offsetWidth > frame.width - 8 ? x - 16 - box.offsetWidth : x + 16;
    box.style.left = Math.max(8, Math.min(beside, frame.width - 8 - box.offsetWidth)) + "px";
    box.style.top = Math.max(8, Math.min(y - box.offsetHeight / 2, frame.height - 8 - box.offsetHeight)) + "px";
  };
  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("pointerleave", leave);
}
)";

/// A page up to its first heading. TITLE is escaped. It loads nothing, and may not.
inline std::string page_begin(const std::string& title, const char* more_style = "") {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>" + title +
         " - graft</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<meta "
         "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src "
         "'unsafe-inline'\"/>\n<style>" +
         report_style + more_style + "</style>\n</head>\n<body>\n<main>\n";
}

inline std::string page_end() { return std::string("</main>\n<script>//<![CDATA[") + report_script + "//]]></script>\n</body>\n</html>\n"; }

}  // namespace graft::program::detail
