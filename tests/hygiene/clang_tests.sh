#!/usr/bin/env bash
# The other compiler: clang has nothing to say about the tests, a folder's in one unit as they are built.
# Usage: tests/hygiene/clang_tests.sh CLANG OUT [FLAG...]
set -euo pipefail
clang=$1 out=$2
shift 2
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
rm -rf "$out" && mkdir -p "$out"
flags=(-std=c++20 -fopenmp -DGRAFT_COMPILED -DGRAFT_WITH_F64 "-DGRAFT_TEST_DIR=\"$source_dir/tests\"" '-DGRAFT_PROGRAM="graft"'
  -Wall -Wextra -Werror -Wno-ignored-attributes "-I$source_dir/include" "-I$source_dir/tests" "-I$source_dir/examples" "-I$source_dir/examples/graft"
  "$@" -fpch-instantiate-templates)

printf '#include <Eigen/Core>\n#include <catch2/catch.hpp>\n#include <nlohmann/json.hpp>\n' > "$out/common.hpp"
"$clang" "${flags[@]}" -x c++-header "$out/common.hpp" -o "$out/common.pch"
for test in "$source_dir"/tests/*/*_test.cpp; do
  echo "#include \"$test\"" >> "$out/$(basename "$(dirname "$test")").cpp"
done
# folders with most files take longest: they begin
cd "$out"
find . -name '*.cpp' -printf '%s %f\0' | sort -zrn | cut -zd ' ' -f 2 |
  xargs -0 -n 1 -P "$(nproc)" "$clang" "${flags[@]}" -fsyntax-only -include-pch common.pch
