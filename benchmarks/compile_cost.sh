#!/usr/bin/env bash
# What including graft costs: CPU seconds of compiling small programs, and what the compiler allocates and holds at most, beside a file that
# only includes nlohmann/json. Ratios of seconds hold from machine to machine, but not while a neighbor is busy; those of what g++ allocates
# always do, and grow with what there is to compile.
# Usage: benchmarks/compile_cost.sh [--check] [--header-only] [--rebuild] [--tests]     (CXX: the compiler, g++)
#   --check         compiles once, without a clock: fails where g++ allocates more beside that file than a fourth above the ratio in the second
#                   column of benchmarks/compile_cost.txt, or holds more MB than its third allows, which needs GNU time (Debian: time)
#   --header-only   compiles the predictor's program without graft::compiled too, which takes minutes
#   --rebuild       only: seconds until library and program are whole again after a change to one layer's body, built as the preset develop
#                   does, in a folder of its own, which takes half an hour, or in BUILD_DIR, where something may have been built already
#   --tests         only: CPU seconds of building everything, all tests among it, from nothing, which takes half an hour
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compiler=${CXX:-g++}
check="" header_only="" rebuild="" tests=""
for argument in "$@"; do
  case $argument in
    --check) check=yes ;;
    --header-only) header_only=yes ;;
    --rebuild) rebuild=yes ;;
    --tests) tests=yes ;;
    *) echo "compile_cost: $argument is no option: --check, --header-only, --rebuild, --tests" >&2; exit 2 ;;
  esac
done

exec 3>&2  # where a failed build is shown, whoever reads its time
build() { ninja -C "$1" -j "${JOBS:-$(nproc)}" "${@:2}" > "$work/log" 2>&1 || { cat "$work/log" >&3; exit 1; }; }
export CCACHE_DISABLE=1  # an unchanged text is to be compiled
if [ -n "$rebuild" ]; then
  folder=${BUILD_DIR:-$work/rebuild}
  if [ ! -f "$folder/build.ninja" ]; then
    cmake -S "$source_dir" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGRAFT_UNITY=OFF -DCMAKE_CXX_COMPILER="$compiler" > "$work/log"
  fi
  if ! grep -q '^GRAFT_UNITY:BOOL=OFF' "$folder/CMakeCache.txt"; then
    echo "compile_cost: $folder was not configured with GRAFT_UNITY=OFF: its units are no bodies; give another BUILD_DIR" >&2
    exit 2
  fi
  build "$folder" graft_compiled examples/graft
  TIMEFORMAT='%R'
  for layer in linear self_attention feed_forward; do
    touch "$source_dir/include/graft/layers/$layer-inl.hpp"
    library=$({ time build "$folder" graft_compiled; } 2>&1)
    program=$({ time build "$folder" examples/graft; } 2>&1)
    printf '%-34s %8s s, then the program %s s\n' "$layer's body" "$library" "$program"
  done
fi
if [ -n "$tests" ]; then
  cmake -S "$source_dir" -B "$work/tests" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGRAFT_BUILD_TESTS=ON -DCMAKE_CXX_COMPILER="$compiler" > "$work/log"
  TIMEFORMAT='%U %S'
  took=$({ time build "$work/tests"; } 2>&1)
  printf '%-34s %8.0f s of CPU\n' "everything, tests among it" "$(awk '{ print $1 + $2 }' <<< "$took")"
fi
if [ -n "$rebuild$tests" ]; then exit 0; fi

printf '#include <nlohmann/json.hpp>\nint main() {}\n' > "$work/json.cpp"
compile=("$compiler" -std=c++20 -O2 -fopenmp "-I$source_dir/include" -I/usr/include/eigen3 -o "$work/out.o" -c)

# The CPU seconds of compiling "$@", the least of two tries.
TIMEFORMAT='%U %S'
seconds() {
  for try in 1 2; do { time "${compile[@]}" "$@"; } 2>&1 | tail -n 1; done |
    awk '{ s = $1 + $2; if (NR == 1 || s < least) least = s } END { printf "%.2f", least }'
}
# Sets `all`, the MB that g++ allocates for "$@" as its own report says, the same every time, and `peak`, those that it holds at most.
memory() {
  local timer=()
  if [ -x /usr/bin/time ]; then timer=(/usr/bin/time -f %M -o "$work/kilobytes"); fi
  LC_ALL=C "${timer[@]}" "${compile[@]}" -ftime-report "$@" > "$work/report" 2>&1 || { cat "$work/report" >&2; exit 1; }
  all=$(awk '$1 == "TOTAL" && sub(/M$/, "", $NF) { print $NF }' "$work/report")
  peak="?"  # not measured
  if [ ${#timer[@]} -gt 0 ]; then peak=$(awk '{ printf "%.0f", $1 / 1000 }' "$work/kilobytes"); fi
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (a > 0 && b > 0) printf "%.2f", a / b }'; }

grown="" large=""
line() {  # NAME TEXT ARGUMENTS...
  local name=$1 text=$2 noted most all peak part took=""
  shift 2
  read -r noted most < <(awk -v name="$name" '$1 == name { print $2, $3 }' "$source_dir/benchmarks/compile_cost.txt") || true
  memory "$@"
  if [ "$name" = json ]; then json=$all; fi
  part=$(ratio "$all" "$json")
  if [ -n "$check" ] && [ -z "$part" ]; then echo "compile_cost: $compiler does not say with -ftime-report what it allocates, as g++ does" >&2; exit 1; fi
  if [ -z "$check" ]; then
    took=$(seconds "$@")
    if [ "$name" = json ]; then base=$took; fi
    took=$(printf '%8s s %6s x' "$took" "$(ratio "$took" "$base")")
  fi
  if [ -n "$noted" ] && [ -n "$part" ] && awk -v now="$part" -v then="$noted" 'BEGIN { exit !(now > 1.25 * then) }'; then grown="$grown $name"; fi
  if [ -n "$most" ] && [ "$peak" != "?" ] && [ "$peak" -gt "$most" ]; then large="$large $name"; fi
  printf '%-34s%s %6s MB allocated %6s x%s, %s MB at most%s\n' "$text" "$took" "${all:-?}" "${part:-?}" "${noted:+ ($noted x when it was noted)}" "$peak" "${most:+ ($most allowed)}"
}
line json "nlohmann/json alone" "$work/json.cpp"
line predictor "a predictor, graft::compiled" -DGRAFT_COMPILED "$source_dir/examples/embed_predict.cpp"
line training "a training, graft::compiled" -DGRAFT_COMPILED "$source_dir/examples/embed_train.cpp"
if [ -n "$header_only" ]; then line header-only "a predictor, headers alone" "$source_dir/examples/embed_predict.cpp"; fi

[ -x /usr/bin/time ] || echo "SKIPPED: the compiler's memory at most, as GNU time is not installed (Debian: time)"
if [ -n "$check" ] && [ -n "$large" ]; then echo "compile_cost: the compiler holds more MB than benchmarks/compile_cost.txt allows:$large" >&2; fi
if [ -n "$check" ] && [ -n "$grown" ]; then echo "compile_cost: the compiler allocates more than a fourth above benchmarks/compile_cost.txt:$grown" >&2; fi
if [ -n "$check" ] && [ -n "$grown$large" ]; then
  echo "compile_cost: what did a light header begin to include?" >&2
  exit 1
fi
