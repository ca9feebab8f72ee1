#!/usr/bin/env bash
# Builds graft for 64-bit ARM and passes the tests of core, gemm, layers and model there, in qemu's emulation.
# Usage: tests/aarch64.sh [FOLDER...]   (BUILD_DIR: where to build; needs as many minutes as a build of graft and more, and, as root, for the first time:
#   dpkg --add-architecture arm64 && apt-get update && apt-get install g++-aarch64-linux-gnu qemu-user libdnnl2:arm64 libutf8proc-dev:arm64 libgomp1:arm64)
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD_DIR:-$source_dir/build-aarch64}
[ $# -gt 0 ] || set -- core gemm layers model
for program in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v $program > /dev/null || { echo "$program is missing: see the head of this script" >&2; exit 1; }
done

# libdnnl-dev cannot be installed for two processors at once: the other one's headers lie here.
mkdir -p "$build/dnnl"
if [ ! -e "$build/dnnl/usr/include/dnnl.hpp" ]; then
  (cd "$build/dnnl" && apt-get download -q libdnnl-dev:arm64 && dpkg-deb -x libdnnl-dev_*_arm64.deb .)
fi

cmake -S "$source_dir" -B "$build/cmake" -G Ninja --toolchain "$source_dir/cmake/aarch64-linux-gnu.cmake" -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG" \
  -DGRAFT_NATIVE=OFF -DGRAFT_BUILD_EXAMPLES=OFF -DGRAFT_INSTALL=OFF -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
  -DGRAFT_dnnl_INCLUDE_DIR="$build/dnnl/usr/include" -DGRAFT_dnnl_LIBRARY=/usr/lib/aarch64-linux-gnu/libdnnl.so.2 > /dev/null
# kernels become one with units for older and newer processors
for processor in armv8-a armv8.4-a+sve; do
  printf '#include "graft/gemm/int8_kernels.hpp"\nauto* of_8_bits = &graft::detail::int8_kernels;\nauto* of_bf16 = &graft::detail::bf16_kernels;\n' |
    aarch64-linux-gnu-g++ -std=c++20 -O1 -fopenmp -Wall -Wextra -Werror -Wno-ignored-attributes -march=$processor -I "$source_dir/include" -isystem /usr/include/eigen3 \
      -x c++ -c -o /dev/null -
done
cmake --build "$build/cmake" --parallel "${JOBS:-$(nproc)}" --target $(printf 'graft_test_%s ' "$@")
folders=$(IFS='|'; echo "$*")
OMP_NUM_THREADS=2 ctest --test-dir "$build/cmake" --output-on-failure -j "$(nproc)" -R "^($folders)/"
