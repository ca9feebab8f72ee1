#!/usr/bin/env bash
# Every header compiles alone and without warnings, with its bodies behind it, which the preset `develop` compiles one by one; and the
# benchmarks do, which no test builds, where their library is.
# Usage: tests/hygiene/headers_alone.sh CLANG OUT [FLAG...]
set -euo pipefail
clang=$1 out=$2
shift 2
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
rm -rf "$out" && mkdir -p "$out"
flags=(-std=c++20 -fopenmp -DGRAFT_COMPILED -Wall -Wextra -Werror -Wno-ignored-attributes "-I$source_dir/include" "-I$source_dir/examples/graft" "$@")

# what they would spend their time on, and its templates: a tenth of a second is left of most
flags+=(-fpch-instantiate-templates)
printf '#include <Eigen/Core>\n#include <nlohmann/json.hpp>\n' > "$out/common.hpp"
"$clang" "${flags[@]}" -x c++-header "$out/common.hpp" -o "$out/common.pch"

headers=$(cd "$source_dir/include" && find graft -name '*.hpp' ! -name '*-inl.hpp'
          cd "$source_dir/examples/graft" && find . -name '*.hpp' -printf '%P\n')
for header in $headers; do
  echo "#include \"$header\"" > "$out/${header//\//.}.cpp"
  bodies=${header%.hpp}-inl.hpp
  [ -e "$source_dir/include/$bodies" ] || continue
  echo "#include \"$bodies\"" >> "$out/${header//\//.}.cpp"
  # what they are compiled for must be known; to compile them for it takes much longer
  if grep -q GRAFT_PRECISION "$source_dir/include/$bodies"; then echo "static_assert(sizeof(graft::f64) > 0 && sizeof(graft::bf16) > 0);" >> "$out/${header//\//.}.cpp"; fi
done
echo "$(wc -w <<< "$headers") headers"
benchmarks=()
if [ -e /usr/include/benchmark/benchmark.h ]; then benchmarks=("$source_dir"/benchmarks/*.cpp); else echo "SKIPPED: the benchmarks (Debian: libbenchmark-dev)"; fi
# whole_numbers.cpp takes longest: it begins
printf '%s\0' "$source_dir/tests/hygiene/whole_numbers.cpp" "${benchmarks[@]}" "$out"/*.cpp |
  xargs -0 -n 5 -P "$(nproc)" "$clang" "${flags[@]}" -fsyntax-only -include-pch "$out/common.pch"
