#!/usr/bin/env bash
# Installs what is missing, builds everything, and passes the tests.  Usage: tests/run.sh   (BUILD_DIR: where to build)
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD_DIR:-$source_dir/build}
bash "$source_dir/examples/install_packages.sh" catch2 libxml2-utils
cmake -S "$source_dir" -B "$build" -G Ninja -DGRAFT_BUILD_TESTS=ON
# a compiler takes up to 2.5 GB
jobs=$(awk -v cores="$(nproc)" '/^MemAvailable/ { fit = int($2 / 2500000); print fit < 1 ? 1 : fit < cores ? fit : cores }' /proc/meminfo)
cmake --build "$build" --parallel "$jobs"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)"
