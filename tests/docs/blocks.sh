#!/usr/bin/env bash
# Runs the commands of the documents, as they are written there, and compiles their C++.  Usage: blocks.sh GRAFT MATERIAL WORK [COMPILER ARGUMENTS...]
# GRAFT: the program; MATERIAL: the bundled example; WORK: an empty or new folder.
#
# A block is indented by four or between lines of ```; one without a language, or with sh, is commands, all of a document's in one shell. Each line of an
# ```output block is in what the commands before it printed (numbers to three decimals), a ```cpp block compiles, and ```text is only looked at. In front of a block may
# stand <!-- not run: REASON --> or <!-- quoted: FILE -->, of lines of which (indented in any way) it then consists.
set -euo pipefail
graft=$1 material=$2 work=$3; shift 3
root=$(cd "$(dirname "$0")/../.." && pwd)
rm -rf "$work"; mkdir -p "$work/bin"; work=$(cd "$work" && pwd)

# Training is told to be brief, and what the quickstart builds is there.
mkdir -p "$work/built/examples"
printf '#!/bin/sh\ncase $1 in train-*) exec "%s" "$@" --max_steps 3 ;; *) exec "%s" "$@" ;; esac\n' "$graft" "$graft" > "$work/bin/graft"
printf '#!/bin/sh\nrmdir "$1"/* 2> /dev/null; cp -r "%s"/* "$1"\n' "$material" > "$work/built/examples/graft_make_example"
echo '#!/bin/sh' > "$work/bin/cmake"
chmod +x "$work"/bin/* "$work/built/examples/graft_make_example"
ln -s "$work/bin/graft" "$work/built/examples/graft"
export PATH=$work/bin:$PATH BUILD_DIR=$work/built

# DOCUMENT -> shell: each block of commands between braces, its output kept; quotes and outputs become comparisons, C++ goes to WORK/all.cpp.
to_shell='
function quote(text) { gsub(/\047/, "\047\\\047\047", text); return "\047" text "\047" }
function close_block(   i) {
  if (n == 0 || language == "text" || why != "") { if (why != "") print "echo " quote("not run: " at ": " why); }
  else if (quoted != "") for (i = 1; i <= n; ++i) print "is_in " quote(at) " " quote(line[i]) " \"$root/" quoted "\""
  else if (language == "output") for (i = 1; i <= n; ++i) print "is_in " quote(at) " " quote(line[i]) " \"$out\""
  else if (language == "cpp") {
    for (i = 1; i <= n; ++i) if (line[i] ~ /^#include/) print line[i] >> (work "/includes.hpp"); else code = code line[i] "\n"
  } else if (language == "" || language == "sh") {
    print "at=" quote(at) "; {"
    for (i = 1; i <= n; ++i) print line[i]
    print "} > \"$out\" 2>&1 < /dev/null"; ++commands
  } else { print "echo " quote(at ": what is to be done with a block of " language "?") "; false" }
  n = 0; language = ""; why = ""; quoted = ""
}
/^<!-- not run: .* -->$/ { why = $0; sub(/^<!-- not run: /, "", why); sub(/ -->$/, "", why); next }
/^<!-- quoted: .* -->$/ { quoted = $3; next }
/^ *```/ && !fenced { fenced = 1; language = $0; sub(/^ *```/, "", language); at = name ":" NR; next }
/^ *```/ { fenced = 0; close_block(); blank = 1; next }
fenced { line[++n] = $0; next }
/^    / && (blank || n) { if (n == 0) at = name ":" NR; match($0, /^ */); if (n == 0) depth = RLENGTH; line[++n] = substr($0, depth + 1); blank = 0; next }
/^ *$/ { if (n) close_block(); blank = 1; next }
{ if (n) close_block(); blank = 0 }
END { if (n) close_block(); if (code != "") printf "namespace %s {\n%s}\n", space, code > (work "/code.hpp") }
'
rounded() { awk '{ sub(/^ +/, ""); while (match($0, /[0-9]+\.[0-9][0-9][0-9][0-9]+/)) { printf "%s%.3f", substr($0, 1, RSTART - 1), substr($0, RSTART, RLENGTH); $0 = substr($0, RSTART + RLENGTH) } print }'; }
is_in() {  # AT LINE FILE
  rounded < "$3" > "$work/rounded"
  if ! grep -qxF -- "$(rounded <<< "$2")" "$work/rounded"; then
    printf '%s: this line is not in %s:\n%s\n' "$1" "$3" "$2"
    [ "$3" != "$out" ] || { echo "which is:"; cat "$3"; }
    return 1
  fi
}

: > "$work/includes.hpp"; : > "$work/all.cpp"
cd "$root"
exec 3>&1
for document in README.md docs/*.md; do
  name=$(basename "$document" .md)
  mkdir "$work/$name"
  out=$work/$name.out
  awk -v name="$document" -v work="$work" -v space="of_$name" "$to_shell" "$document" > "$work/$name.sh"
  cat "$work/code.hpp" >> "$work/all.cpp" 2> /dev/null && rm "$work/code.hpp"
  (
    cd "$work/$name"
    ln -s "$root"/{tests,examples,docs,benchmarks} .
    ln -s "$material/encoder" roberta-base
    ln -s "$material/glue" glue
    ln -s "$work/README/runs/mix" RUN_DIR
    printf '{"text_a": "A cat sleeps.", "text_b": "A dog sleeps.", "adapter": "%s"}\n' rte mrpc none > rows.jsonl
    trap '{ echo "$at failed:"; cat "$out"; } >&3' ERR  # the standard streams may be those of a block
    at=""
    set -eE
    . "$work/$name.sh"
    trap - ERR
  )
done
if [ -s "$work/all.cpp" ]; then
  cat "$work/includes.hpp" "$work/all.cpp" > "$work/unit.cpp"
  "$@" "$work/unit.cpp"
fi
