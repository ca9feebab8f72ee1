#!/usr/bin/env bash
# Builds the fuzzers with clang++ and runs each for SECONDS, one after the other; a summary line each, 1 as exit status if one crashed.
# Usage: tests/fuzz/run.sh SECONDS [READER...]   (BUILD_DIR: where to build; needs Debian's clang, libclang-rt-14-dev and libomp-14-dev)
# What it finds is kept in BUILD_DIR/fuzz: corpus/READER grows from run to run, crashes/READER holds inputs that break the reader.
set -euo pipefail
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [READER...]}
shift
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$source_dir/build-fuzz}
[ $# -gt 0 ] || set -- $(ls "$source_dir/tests/fuzz/corpus")
cmake -S "$source_dir" -B "$build" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DGRAFT_BUILD_FUZZERS=ON -DGRAFT_BUILD_EXAMPLES=OFF > /dev/null
cmake --build "$build" --parallel 1 --target $(printf 'graft_fuzz_%s ' "$@")

memory=/dev/shm
[ -w $memory ] || memory=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d -p $memory graft_fuzz_XXXXXX)  # the harnesses write every input to a file
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

status=0
for reader in "$@"; do
  seeds=$source_dir/tests/fuzz/corpus/$reader
  corpus=$build/fuzz/corpus/$reader
  crashes=$build/fuzz/crashes/$reader
  log=$build/fuzz/$reader.log
  dictionary=$source_dir/tests/fuzz/$reader.dict
  mkdir -p "$corpus" "$crashes"
  broken=""
  "$build/tests/fuzz/graft_fuzz_$reader" "$corpus" "$seeds" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=64 \
    -print_final_stats=1 -artifact_prefix="$crashes/" $([ -f "$dictionary" ] && echo "-dict=$dictionary") > "$log" 2>&1 || broken=yes
  awk -v reader="$reader" -v broken="$broken" -v log_file="$log" '
    match($0, / cov: [0-9]+/) { covered = substr($0, RSTART + 6, RLENGTH - 6); if ($2 == "INITED") start = covered }
    /^stat::number_of_executed_units/ { executions = $2 }
    /^stat::average_exec_per_sec/ { speed = $2 }
    /^stat::new_units_added/ { added = $2 }
    /^stat::peak_rss_mb/ { memory = $2 }
    END { printf "%-12s %10d executions, %6d a second, coverage %d -> %d, %d new inputs, at most %d MB, %s\n", reader, executions, speed,
          start, covered, added, memory, broken ? "CRASHED: see " log_file : "no crash" }' "$log"
  [ -z "$broken" ] || status=1
done
exit $status
