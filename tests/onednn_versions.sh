#!/usr/bin/env bash
# Passes the tests of gemm/library.hpp, all that calls oneDNN, with oneDNN 3.2 in place of Debian's, and compiles it with the newest headers.
# Usage: tests/onednn_versions.sh   (BUILD_DIR: where to build; needs pip, which has oneDNN, and unzip)
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD_DIR:-$source_dir/build-onednn}
mkdir -p "$build"
fetch() { # FOLDER PACKAGE...
  [ ! -d "$build/$1" ] || return 0
  python3 -m pip download -q --no-deps -d "$build/$1.wheels" "${@:2}"
  for wheel in "$build/$1.wheels"/*.whl; do unzip -q -o -d "$build/$1.files" "$wheel"; done
  mkdir "$build/$1"
  cp -r "$build/$1.files"/*.data/data/* "$build/$1"
}
fetch 3.2 onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0
fetch newest onednn-devel
compile() { g++ -std=c++20 -O1 -fopenmp -Wall -Wextra -Wno-ignored-attributes -I "$source_dir/include" -I "$source_dir/tests" -isystem /usr/include/eigen3 "$@"; }

version=$(awk '/define DNNL_VERSION_M(AJOR|INOR)/ { printf "%s%s", dot, $3; dot = "." }' "$build/newest/include/oneapi/dnnl/dnnl_version.h")
echo "oneDNN $version: headers"
echo '#include "graft/gemm/library.hpp"' | compile -Werror -isystem "$build/newest/include" -x c++ -fsyntax-only -
echo "oneDNN 3.2: products of whole matrices"
compile -w -DGRAFT_WITH_F64 -DGRAFT_TEST_DIR="\"$source_dir/tests\"" -isystem "$build/3.2/include" "$source_dir/tests/gemm/gemm_test.cpp" \
  "$source_dir/tests/support/main.cpp" -o "$build/gemm" -L "$build/3.2/lib" -ldnnl -lz -lutf8proc -Wl,-rpath,"$build/3.2/lib"
ldd "$build/gemm" | grep libdnnl.so.3
"$build/gemm"
