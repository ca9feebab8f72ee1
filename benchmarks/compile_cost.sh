#!/usr/bin/env bash
# What including graft costs: CPU seconds and memory of compiling small programs, beside a file that only includes nlohmann/json. The ratio is
# what holds on a busy machine.
# Usage: benchmarks/compile_cost.sh [--check] [--header-only]     (CXX: the compiler, g++)
#   --check         fails where a ratio is more than half above what benchmarks/compile_cost.txt has
#   --header-only   compiles the predictor's program without graft::compiled too, which takes minutes
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compiler=${CXX:-g++}
check="" header_only=""
for argument in "$@"; do
  case $argument in
    --check) check=yes ;;
    --header-only) header_only=yes ;;
    *) echo "compile_cost: $argument is no option: --check, --header-only" >&2; exit 2 ;;
  esac
done
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
  [ -x /usr/bin/time ] || { echo "?"; return; }
  /usr/bin/time -f %M -o "$work/kilobytes" "$compiler" -std=c++20 -O2 -fopenmp -I"$source_dir/include" -I/usr/include/eigen3 -c "$@" -o "$work/out.o"
  awk '{ printf "%.0f", $1 / 1000 }' "$work/kilobytes"
}

base=$(seconds "$work/json.cpp")
printf '%-34s %8s s %6s MB\n' "nlohmann/json alone" "$base" "$(megabytes "$work/json.cpp")"
grown=""
line() {  # NAME TEXT ARGUMENTS...
  local name=$1 text=$2 took stored ratio tries=0
  shift 2
  stored=$(awk -v name="$name" '$1 == name { print $2 }' "$source_dir/benchmarks/compile_cost.txt")
  took=$(seconds "$@")
  while ratio=$(awk -v a="$took" -v b="$base" 'BEGIN { printf "%.2f", a / b }'); awk -v now="$ratio" -v then="$stored" 'BEGIN { exit !(now > 1.5 * then) }'; do
    # a neighbour may have been busy just then: the least of more tries counts, of both
    if [ $((tries += 1)) = 4 ]; then grown="$grown $name"; break; fi
    base=$(least "$base" "$(seconds "$work/json.cpp")") took=$(least "$took" "$(seconds "$@")")
  done
  printf '%-34s %8s s %6s MB %7s x   (%s x when it was noted)\n' "$text" "$took" "$(megabytes "$@")" "$ratio" "$stored"
}
line predictor "a predictor, graft::compiled" -DGRAFT_COMPILED "$source_dir/examples/embed_predict.cpp"
line training "a training, graft::compiled" -DGRAFT_COMPILED "$source_dir/examples/embed_train.cpp"
if [ -n "$header_only" ]; then line header-only "a predictor, headers alone" "$source_dir/examples/embed_predict.cpp"; fi

if [ -n "$check" ] && [ -n "$grown" ]; then
  echo "compile_cost: more than half above benchmarks/compile_cost.txt:$grown. What did a light header begin to include?" >&2
  exit 1
fi
