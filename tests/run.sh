#!/usr/bin/env bash
# Installs what is missing, builds everything, passes the tests, and fuzzes each reader for a moment beside them.
# Usage: tests/run.sh   (BUILD_DIR: where to build)
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD_DIR:-$source_dir/build}
bash "$source_dir/examples/install_packages.sh" catch2 doxygen libxml2-utils clang clang-tidy libclang-rt-14-dev libomp-14-dev pkgconf zsh groff-base python3-pip libopenmpi-dev openmpi-bin libbenchmark-dev chromium
cmake -S "$source_dir" -B "$build" -G Ninja -DGRAFT_BUILD_TESTS=ON -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
# a compiler takes up to 2.5 GB, one of them 3
jobs=$(awk -v cores="$(nproc)" '/^MemAvailable/ { fit = int($2 / 2500000); print fit < 1 ? 1 : fit < cores ? fit : cores }' /proc/meminfo)
cmake --build "$build" --parallel "$jobs"

BUILD_DIR=$build/fuzzing JOBS=$(nproc) nice bash "$source_dir/tests/fuzz/run.sh" 0.34 > "$build/fuzzing.log" 2>&1 &
fuzzing=$!
trap 'kill "$fuzzing" 2> /dev/null || true' EXIT
passed=yes
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" || passed=""
wait "$fuzzing" || passed=""
cat "$build/fuzzing.log"
[ -n "$passed" ]
