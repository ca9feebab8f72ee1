#!/bin/sh
# Makes the API reference, OUT/html/index.html, with Doxygen, and fails where a docstring is wrong or a public name lacks one.
# A comment on lines of its own covers what follows it until the next blank line, one behind a member what stands on that line; what says
# itself needs none: functions that only give what they are called, operators, `clear`, and what every layer (core/layer.hpp) and every
# kind of adapter (adapters/adapter_kind.hpp) has, of which its own docstring tells.   Usage: docs/reference.sh OUT
set -eu
command -v doxygen > /dev/null || { echo "SKIPPED: doxygen is not installed"; exit 77; }
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/.."

{ cat docs/Doxyfile; echo "OUTPUT_DIRECTORY = $out"; } | doxygen - 2> "$out/warnings" || { cat "$out/warnings"; exit 1; }
sed "s|^$PWD/||" "$out/warnings" | sort -u | awk '
/is not documented/ && / of (class|struct) .*\.$/ && /\(\) const|operator|clear\(\)| (forward|backward|for_each_parameter|stands_at|saved_numbers)\(/ { next }
/is not documented/ && match($0, /^[^:]*:[0-9]*/) {
  split(substr($0, 1, RLENGTH), at, ":")
  covered = 0
  for (n = 1; n <= at[2] && (getline line < at[1]) > 0; ++n) covered = line ~ /^ *$/ ? 0 : covered || line ~ (n < at[2] ? "^ *///? " : "// ")
  close(at[1])
  if (covered) next
}
{ print; failed = 1 }
END { exit failed }'
