#!/usr/bin/env bash
# Installs what is missing, builds everything, and passes the tests.  Usage: tests/run.sh   (BUILD_DIR: where to build)
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD_DIR:-$source_dir/build}
bash "$source_dir/examples/install_packages.sh" catch2 libxml2-utils
cmake -S "$source_dir" -B "$build" -G Ninja -DGRAFT_BUILD_TESTS=ON
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)"
