#!/usr/bin/env bash
# Answers from several threads, training with two and three, and ranks that exchange while they compute, under ThreadSanitizer.  Usage: tests/thread_sanitizer.sh   (BUILD_DIR: where to build)
# Needs Debian's clang, libclang-rt-14-dev and libomp-14-dev: its OpenMP tells the sanitizer through libarcher what waits for what.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD_DIR:-$source_dir/build-threads}
flags="-std=c++20 -O1 -g -march=native -fopenmp -fsanitize=thread -w -I$source_dir/include -I$source_dir/tests -I/usr/include/eigen3"
libraries=$(clang++ -print-resource-dir)/../..
mkdir -p "$build"
clang++ $flags -DGRAFT_TEST_DIR="\"$source_dir/tests\"" -o "$build/tests" "$source_dir"/tests/predict/predictor_test.cpp \
  "$source_dir"/tests/training/threads_test.cpp "$source_dir"/tests/training/ranks_test.cpp "$source_dir"/tests/predict/shared_answers_test.cpp "$source_dir"/tests/support/main.cpp -ldnnl -lutf8proc

# oneDNN and OpenMP are not compiled for the sanitizer: what happens within them is not judged.
export OMP_TOOL_LIBRARIES=$libraries/libarcher.so TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1 exitcode=66"
export KMP_BLOCKTIME=0 OMP_WAIT_POLICY=passive
"$build/tests" -w NoTests "several threads may ask at once"
"$build/tests" -w NoTests "one thread\, two or three*"
"$build/tests" -w NoTests "what upper layers*"
"$build/tests" -w NoTests "one\, two\, three\, four and seven ranks train to the same bits"
"$build/tests" -w NoTests "several ranks answer*"
echo "no data race"
