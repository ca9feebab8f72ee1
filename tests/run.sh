#!/usr/bin/env bash
# Installs what is missing, builds everything, passes the tests, and fuzzes each reader for a moment beside them.
# Usage: tests/run.sh   (BUILD_DIR: where to build)
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=$(realpath -m "${BUILD_DIR:-$source_dir/build}")
bash "$source_dir/examples/install_packages.sh" catch2 doxygen libxml2-utils clang clang-tidy libclang-rt-14-dev libomp-14-dev pkgconf zsh groff-base python3-pip python3-venv time libopenmpi-dev openmpi-bin libbenchmark-dev chromium
conan=$(command -v conan || echo "$build/conan/bin/conan")
if [ ! -x "$conan" ]; then  # Debian has none
  { python3 -m venv "$build/conan" && "$build/conan/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 "conan>=2,<3"; } ||
    echo "SKIPPED: the test of the Conan recipe, as conan cannot be installed"
fi
if [ ! -x "$conan" ]; then conan=GRAFT_CONAN-NOTFOUND; fi
cmake -S "$source_dir" -B "$build" -G Ninja -DGRAFT_BUILD_TESTS=ON -DGRAFT_F64=ON -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DGRAFT_CONAN="$conan"
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
