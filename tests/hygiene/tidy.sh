#!/usr/bin/env bash
# clang-tidy on the lines of library and program that differ from where this branch left main, or from the last commit but one: all in one unit.
# Headers do not pull in the bodies that have not changed (GRAFT_COMPILED): 32 files take 30 s of a processor, 80 with all bodies.
# Usage: tests/hygiene/tidy.sh [COMMIT]   (compare with COMMIT; 0 as exit status, with a line SKIPPED, where it cannot, or takes TIDY_SECONDS)
set -euo pipefail
cd "$(dirname "$0")/../.."
skip() { echo "SKIPPED: $*"; exit 0; }
command -v clang-tidy > /dev/null || skip "clang-tidy is not installed"
since=${1:-}
for main in ${since:+""} origin/main origin/master main; do
  [ -n "$main" ] && [ -z "$since" ] || continue
  since=$(git merge-base HEAD "$main" 2> /dev/null) || continue
  [ "$since" != "$(git rev-parse HEAD)" ] || since=
done
[ -n "$since" ] || since=$(git rev-parse -q --verify HEAD~1 2> /dev/null) || skip "there is no history to compare with"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# the small programs of examples/ have a main each: they are left out
git diff -U0 --no-color --no-ext-diff --diff-filter=d "$since" -- include examples/graft | awk -v root="$PWD/" -v unit="$work/unit.cpp" '
  /^\+\+\+ b\/.*\.[ch]pp$/ { file = substr($0, 7); next }
  /^\+\+\+ / { file = "" }
  /^@@/ && file != "" {
    split(substr($3, 2), at, ",")
    lines = at[2] == "" ? 1 : at[2]
    if (lines > 0) ranges[file] = ranges[file] (ranges[file] == "" ? "" : ",") "[" at[1] "," at[1] + lines - 1 "]"
  }
  END {
    for (file in ranges) {
      print "#include \"" root file "\"" > unit
      print "{\"name\":\"" root file "\",\"lines\":[" ranges[file] "]}"
    }
  }' > "$work/lines"
[ -s "$work/lines" ] || { echo "no source has changed since $since"; exit 0; }
echo "clang-tidy on $(wc -l < "$work/lines") files that changed since $since"
status=0
timeout "${TIDY_SECONDS:-600}" clang-tidy --quiet --config-file=.clang-tidy --warnings-as-errors='*' --header-filter='.*' \
  --line-filter="[$(paste -sd, "$work/lines")]" "$work/unit.cpp" -- \
  -std=c++20 -Iinclude -Iexamples/graft -isystem /usr/include/eigen3 -fopenmp -DGRAFT_COMPILED > "$work/said" 2> "$work/log" || status=$?
[ $status -ne 124 ] || skip "clang-tidy took ${TIDY_SECONDS:-600} seconds"
cat "$work/said"
[ $status -eq 0 ] || tail -n 5 "$work/log"
exit $status
