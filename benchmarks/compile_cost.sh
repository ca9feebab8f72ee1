#!/usr/bin/env bash
# What including graft costs: CPU seconds and memory of compiling small programs, beside a file that only includes nlohmann/json. The ratio is
# what holds on a busy machine.
# Usage: benchmarks/compile_cost.sh [--check] [--header-only] [--rebuild] [--tests]     (CXX: the compiler, g++)
#   --check         fails where a ratio is more than half above what benchmarks/compile_cost.txt has in its second column, or where the compiler
#                   takes more MB than its third allows, which needs GNU time (Debian: time)
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

# The CPU seconds of compiling "$@", the least of two tries.
TIMEFORMAT='%U %S'
seconds() {
  for try in 1 2; do
    { time "$compiler" -std=c++20 -O2 -fopenmp -I"$source_dir/include" -I/usr/include/eigen3 -c "$@" -o "$work/out.o"; } 2>&1 | tail -n 1
  done | awk '{ s = $1 + $2; if (NR == 1 || s < least) least = s } END { printf "%.2f", least }'
}
least() { printf '%s\n' "$@" | sort -g | sed -n 1p; }
megabytes() {
  [ -x /usr/bin/time ] || { echo "?"; return; }  # not measured
  /usr/bin/time -f %M -o "$work/kilobytes" "$compiler" -std=c++20 -O2 -fopenmp -I"$source_dir/include" -I/usr/include/eigen3 -c "$@" -o "$work/out.o"
  awk '{ printf "%.0f", $1 / 1000 }' "$work/kilobytes"
}

base=$(seconds "$work/json.cpp")
printf '%-34s %8s s %6s MB\n' "nlohmann/json alone" "$base" "$(megabytes "$work/json.cpp")"
grown="" large=""
line() {  # NAME TEXT ARGUMENTS...
  local name=$1 text=$2 took stored most memory ratio tries=0
  shift 2
  read -r stored most < <(awk -v name="$name" '$1 == name { print $2, $3 }' "$source_dir/benchmarks/compile_cost.txt")
  took=$(seconds "$@")
  while ratio=$(awk -v a="$took" -v b="$base" 'BEGIN { printf "%.2f", a / b }'); awk -v now="$ratio" -v then="$stored" 'BEGIN { exit !(now > 1.5 * then) }'; do
    # a neighbor may have been busy just then: the least of more tries counts, of both
    if [ $((tries += 1)) = 4 ]; then grown="$grown $name"; break; fi
    base=$(least "$base" "$(seconds "$work/json.cpp")") took=$(least "$took" "$(seconds "$@")")
  done
  memory=$(megabytes "$@")
  if [ -n "$most" ] && [ "$memory" != "?" ] && [ "$memory" -gt "$most" ]; then large="$large $name"; fi
  printf '%-34s %8s s %6s MB %7s x   (%s x when it was noted%s)\n' "$text" "$took" "$memory" "$ratio" "$stored" "${most:+, $most MB allowed}"
}
line predictor "a predictor, graft::compiled" -DGRAFT_COMPILED "$source_dir/examples/embed_predict.cpp"
line training "a training, graft::compiled" -DGRAFT_COMPILED "$source_dir/examples/embed_train.cpp"
if [ -n "$header_only" ]; then line header-only "a predictor, headers alone" "$source_dir/examples/embed_predict.cpp"; fi

[ -x /usr/bin/time ] || echo "SKIPPED: the compiler's memory, as GNU time is not installed (Debian: time)"
if [ -n "$check" ] && [ -n "$large" ]; then echo "compile_cost: the compiler takes more MB than benchmarks/compile_cost.txt allows:$large" >&2; fi
if [ -n "$check" ] && [ -n "$grown" ]; then echo "compile_cost: more than half above benchmarks/compile_cost.txt:$grown" >&2; fi
if [ -n "$check" ] && [ -n "$grown$large" ]; then
  echo "compile_cost: what did a light header begin to include?" >&2
  exit 1
fi
