#!/usr/bin/env bash
# Builds the fuzzer with clang++ and runs each of its harnesses for MINUTES; a summary line each, 1 as exit status if one crashed.
# Usage: tests/fuzz/run.sh MINUTES [READER...]   (BUILD_DIR: where to build; JOBS: how many run at a time, 1;
#        needs Debian's clang, libclang-rt-14-dev and libomp-14-dev)
# What it finds is kept in BUILD_DIR/fuzz: corpus/READER grows from run to run, crashes/READER holds inputs that break the reader.
set -euo pipefail
usage="usage: tests/fuzz/run.sh MINUTES [READER...]"
minutes=${1:?$usage}
[[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || { echo "$usage" >&2; exit 2; }
shift
seconds=$(awk "BEGIN { s = int($minutes * 60 + 0.5); print s < 1 ? 1 : s }")
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$source_dir/build-fuzz}
[ $# -gt 0 ] || set -- $(ls "$source_dir/tests/fuzz/corpus")
cmake -S "$source_dir" -B "$build" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DGRAFT_BUILD_FUZZERS=ON -DGRAFT_BUILD_EXAMPLES=OFF \
  -DCMAKE_COMPILE_WARNING_AS_ERROR=ON > /dev/null
cmake --build "$build" --parallel 1 --target graft_fuzz

memory=/dev/shm
[ -w $memory ] || memory=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d -p $memory graft_fuzz_XXXXXX)  # the harnesses write every input to a file
export TMPDIR OMP_NUM_THREADS=1 ASAN_OPTIONS=malloc_context_size=4  # short stacks of allocations: a quarter faster
trap 'rm -rf "$TMPDIR"' EXIT

fuzz() {
  local reader=$1 broken=""
  local seeds=$source_dir/tests/fuzz/corpus/$reader corpus=$build/fuzz/corpus/$reader crashes=$build/fuzz/crashes/$reader
  local log=$build/fuzz/$reader.log words=$reader
  case $reader in model | adapter | checkpoint) words=safetensors ;; esac
  local dictionary=$source_dir/tests/fuzz/$words.dict
  [ -d "$seeds" ] || { echo "there is no reader $reader; known: $(ls -m "$source_dir/tests/fuzz/corpus")" >&2; return 2; }
  mkdir -p "$corpus" "$crashes"
  GRAFT_FUZZ=$reader "$build/tests/fuzz/graft_fuzz" "$corpus" "$seeds" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -malloc_limit_mb=64 -print_final_stats=1 -artifact_prefix="$crashes/" $([ -f "$dictionary" ] && echo "-dict=$dictionary") \
    < /dev/null > "$log" 2>&1 || broken=yes
  awk -v reader="$reader" -v broken="$broken" -v log_file="$log" '
    match($0, / cov: [0-9]+/) { covered = substr($0, RSTART + 6, RLENGTH - 6); if ($2 == "INITED") start = covered }
    /^stat::number_of_executed_units/ { executions = $2 }
    /^stat::average_exec_per_sec/ { speed = $2 }
    /^stat::new_units_added/ { added = $2 }
    /^stat::peak_rss_mb/ { memory = $2 }
    END { printf "%-12s %10d executions, %6d a second, coverage %d -> %d, %d new inputs, at most %d MB, %s\n", reader, executions, speed,
          start, covered, added, memory, broken ? "CRASHED: see " log_file : "no crash" }' "$log"
  [ -z "$broken" ] || { tail -n 40 "$log"; return 1; }
}

status=0
running=0
for reader in "$@"; do
  if [ $running -ge "${JOBS:-1}" ]; then
    wait -n || status=1
    running=$((running - 1))
  fi
  fuzz "$reader" &
  running=$((running + 1))
done
while [ $running -gt 0 ]; do
  wait -n || status=1
  running=$((running - 1))
done
exit $status
