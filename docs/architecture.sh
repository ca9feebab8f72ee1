#!/bin/sh
# Draws docs/architecture.svg from the tree: the rooms of include/graft/ with the #include lines between them, and the way of a batch.
# What it says of a room and of a header stands in include/graft/graft.hpp.   Usage: docs/architecture.sh > docs/architecture.svg
set -eu
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/../include/graft"

{
  cat graft.hpp
  grep -H '^ *# *include "graft/' */*.hpp
  grep -H '^ *# *include "graft/' */*/*.hpp | sed 's|^[a-z]*/||'  # a room in a room
} | awk '
function fail(what) { print "architecture.sh: " what > "/dev/stderr"; failed = 1; exit 1 }
function escaped(text) { gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text); return text }
function text(x, y, class, content) { printf "<text class=\"%s\" x=\"%d\" y=\"%d\">%s</text>\n", class, x, y, escaped(content) }
function box(x, y, width, height, name, what) {
  printf "<rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", x, y, width, height
  text(x + width / 2, y + 20, "name", name)
  text(x + width / 2, y + 37, "what", what)
  if (6 * length(what) > width) fail("\"" what "\" does not fit into the box of " name)
}
function arrow(path) { printf "<path class=\"arrow\" d=\"%s\"/>\n", path }
function reaches(from, to,   next_room) {
  if (from == to) return 1
  for (next_room in purpose) if (uses[from, next_room] && reaches(next_room, to)) return 1
  return 0
}
function height_of(room,   other, most, h) {  # how many rooms lie on top of it
  if (room in height) return height[room]
  most = 0
  for (other in purpose) if (uses[other, room] && (h = height_of(other) + 1) > most) most = h
  return height[room] = most
}
# Every node moves to the middle of its neighbors, and those of a level make room for each other, until it settles: the length of arrows.
function arranged(   round, n, m, e, pass, lacks, sum, count, apart, long) {
  for (round = 0; round < 60; ++round) {
    for (n = 1; n <= nodes; ++n) { sum[n] = 0.2 * 350; count[n] = 0.2 }
    for (e = 1; e <= edges; ++e) {
      sum[from_node[e]] += x[to_node[e]]; ++count[from_node[e]]
      sum[to_node[e]] += x[from_node[e]]; ++count[to_node[e]]
    }
    for (n = 1; n <= nodes; ++n) x[n] = sum[n] / count[n] + n * 1e-3
    for (pass = 0; pass < 6; ++pass) for (n = 1; n <= nodes; ++n) for (m = 1; m <= nodes; ++m) {
      if (level[n] != level[m] || x[n] >= x[m]) continue
      lacks = (width[n] + width[m]) / 2 + gap - (x[m] - x[n])
      if (lacks > 0) { x[n] -= lacks / 2; x[m] += lacks / 2 }
    }
  }
  for (e = 1; e <= edges; ++e) { apart = x[from_node[e]] - x[to_node[e]]; long += apart * apart }
  return long
}
# A header of the way of a batch, with what graft.hpp says of it.
function stop(header) {
  if (!(header in says)) fail("graft.hpp does not list " header ", which is on the way of a batch")
  printf "<rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"42\" rx=\"6\"/>\n", way, at, way_width
  text(way + 12, at + 18, "name left", header)
  text(way + 12, at + 34, "what left", says[header])
  at += 42
}
# Forward on the left; where BACK, backward on the right.
function down(label, back) {
  arrow("M" way + 40 " " at "v20")
  if (back) arrow("M" way + way_width - 40 " " at + 24 "v-20")
  text(way + 54, at + 16, "label", label)
  at += 24
}

/^\/\/ [a-z]+: / { room = $2; sub(/:$/, "", room); what = $0; sub(/^[^:]*: */, "", what); purpose[room] = what; order[++rooms] = room; next }
/^#include/ { header = $2; gsub(/"|graft\/|\.hpp/, "", header); what = $0; sub(/^[^\/]*\/[^ ]* *\/\/ */, "", what); says[header] = what; next }
/^[a-z]+\// {
  from = $0; sub(/\/.*/, "", from)
  to = $0; sub(/.*include "graft\//, "", to); sub(/^encoder\/families/, "families", to)
  if (to !~ /\//) next
  sub(/\/.*/, "", to)
  found[from]; found[to]
  if (from != to) uses[from, to] = 1
}

END {
  if (failed) exit 1
  for (room in found) if (!(room in purpose)) fail("graft.hpp has no line \"// " room ": ...\"")
  for (room in purpose) if (!(room in found)) fail("graft.hpp has a line for " room ", which is no folder here")

  # Arrows that others imply are left out; core, which all use, is a bar without any.
  for (i in purpose) for (j in purpose) if (uses[i, j] && j != "core") {
    direct = 1
    for (k in purpose) if (k != j && uses[i, k] && reaches(k, j)) direct = 0
    if (direct) drawn[i, j] = 1
  }
  for (room in purpose) if (room != "core" && height_of(room) > levels) levels = height_of(room)

  # Nodes of every level: its rooms, and a bend of each arrow that passes.
  for (r = 1; r <= rooms; ++r) if (order[r] != "core") { level[++nodes] = height[order[r]]; name[nodes] = order[r]; node[order[r]] = nodes }
  for (r = 1; r <= rooms; ++r) for (s = 1; s <= rooms; ++s) if (drawn[order[r], order[s]]) {
    last = node[order[r]]
    for (l = height[order[r]] + 1; l < height[order[s]]; ++l) { level[++nodes] = l; from_node[++edges] = last; to_node[edges] = nodes; last = nodes }
    from_node[++edges] = last; to_node[edges] = node[order[s]]
  }
  # Of some arrangements the one with the shortest arrows.
  box_width = 200; gap = 26; row = 84; shortest = 1e9
  for (n = 1; n <= nodes; ++n) width[n] = n in name ? box_width : 30
  for (try = 1; try <= 40; ++try) {
    drawn_by_lot = try
    for (n = 1; n <= nodes; ++n) { drawn_by_lot = (drawn_by_lot * 1103 + 12345) % 65536; x[n] = drawn_by_lot % 700 }
    long = arranged()
    if (long < shortest - 1) { shortest = long; for (n = 1; n <= nodes; ++n) best[n] = x[n] }
  }
  for (n = 1; n <= nodes; ++n) x[n] = best[n]
  left = 1e9; right = -1e9
  for (n = 1; n <= nodes; ++n) { if (x[n] - width[n] / 2 < left) left = x[n] - width[n] / 2; if (x[n] + width[n] / 2 > right) right = x[n] + width[n] / 2 }
  for (n = 1; n <= nodes; ++n) x[n] = int(x[n] - left + 24.5)
  rooms_width = int(right - left) + 48
  top = 58; row = int(720 / (levels + 1)); bottom = top + (levels + 1) * row
  way = rooms_width + 40; way_width = 330
  page_width = way + way_width + 48; page_height = top + 12 * 66

  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n", page_width, page_height, page_width, page_height
  print "<title>The rooms of graft, and the way of a batch</title>"
  print "<style>"
  print "svg { background: #ffffff; } text { font-family: system-ui, \"Helvetica Neue\", Arial, sans-serif; font-size: 11px; text-anchor: middle; fill: #57606a; }"
  print ".title { font-size: 16px; font-weight: bold; text-anchor: start; fill: #1f2328; } .name { font-size: 13.5px; font-weight: bold; fill: #1f2328; }"
  print ".left, .label { text-anchor: start; } .right { text-anchor: end; } .box { fill: #f3f6fa; stroke: #8c959f; } .loop { fill: none; stroke: #d55e00; stroke-dasharray: 5 4; }"
  print ".arrow { fill: none; stroke: #0072b2; stroke-width: 1.5; marker-end: url(#tip); } .tip { fill: #0072b2; }"
  print "@media (prefers-color-scheme: dark) { svg { background: #101317; } text { fill: #a0a9b4; } .title, .name { fill: #e6e9ed; } .box { fill: #1c2128; stroke: #5b6570; }"
  print ".arrow { stroke: #4aa8e8; } .tip { fill: #4aa8e8; } .loop { stroke: #f07b3a; } }"
  print "</style>"
  print "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>"
  text(24, 32, "title", "Rooms: an arrow leads to what a room uses")
  for (e = 1; e <= edges; ++e) {
    a = from_node[e]; b = to_node[e]
    y1 = top + level[a] * row + (a in name ? 48 : 24); y2 = top + level[b] * row + (b in name ? 0 : 24)
    bend = int((y2 - y1) / 2)
    path = "M" x[a] " " y1 "C" x[a] " " y1 + bend " " x[b] " " y2 - bend " " x[b] " " y2
    if (b in name) arrow(path); else printf "<path class=\"arrow\" style=\"marker-end: none\" d=\"%s\"/>\n", path
  }
  for (n = 1; n <= nodes; ++n) if (n in name) box(x[n] - box_width / 2, top + level[n] * row, box_width, 48, name[n], purpose[name[n]])
  box(24, bottom, rooms_width - 48, 48, "core", purpose["core"] " (used by all)")

  text(way, 32, "title", "The way of a batch, and of its gradients")
  at = top
  stop("data/example_reader"); down("text")
  stop("data/featurize"); down("token ids")
  stop("data/batch"); down("rows, and where each sequence begins")
  stop("train/micro_batch_gradients"); gradient = at - 21; down("forward", 0)
  stop("encoder/embeddings"); down("hidden states", 1)
  first = at
  stop("layers/self_attention"); down("", 1)
  stop("adapters/adapter_site"); down("", 1)
  stop("layers/feed_forward"); down("", 1)
  stop("adapters/adapter_site")
  printf "<rect class=\"loop\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n", way - 7, first - 5, way_width + 14, at - first + 10
  text(way + way_width / 2, first + 58, "what", "once for each layer")
  down("", 1)
  stop("heads/sequence_classification"); down("logits", 1)
  stop("losses/losses"); at += 24
  stop("optim/adamw")
  arrow("M" way + way_width " " gradient "h24V" at - 21 "h-22")
  text(way + way_width - 8, at - 48, "right", "gradients, added up")
  print "</svg>"
}'
