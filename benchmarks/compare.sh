#!/usr/bin/env bash
# All comparisons of docs/benchmarks.md, one after the other: predictions beside other engines, the start of one, training beside PyTorch and the
# libraries that people tune adapters with, and a step beside a busy process. Takes an hour or more; nothing else should run.
# Usage: benchmarks/compare.sh BUILD ENGINES TRAINING [WORK]
#   BUILD     a build folder with -DGRAFT_BUILD_BENCHMARKS=ON
#   ENGINES   a Python with torch, transformers, onnxruntime, onnx, onnxscript, openvino, nncf, ctranslate2
#   TRAINING  a Python with torch, 'transformers<5', adapters, peft
#   WORK      keeps the models, 3 GB
#   ROUNDS, ROWS in the environment: 5, 204
set -euo pipefail
if [ $# -lt 3 ]; then sed -n 's/^# Usage: /usage: /p' "$0" >&2; exit 2; fi
here=$(cd "$(dirname "$0")" && pwd)
build=$1 engines=$2 training=$3
own="" busy=""
if [ $# -gt 3 ]; then work=$4; else own=$(mktemp -d) work=$own; fi
trap '[ -z "$busy" ] || kill "$busy"; [ -z "$own" ] || rm -rf "$own"' EXIT
graft=$build/examples/graft
rounds=${ROUNDS:-5} rows=${ROWS:-204}

grep -m 1 "model name" /proc/cpuinfo || uname -m
engines() { "$engines" "$here/compare_engines.py" --graft "$graft" --work "$work" --rounds "$rounds" "$@"; }
printf '\n## Predictions\n\n'
engines --rows "$rows" --build "$build"
engines --rows "$rows" --order file --batch 8,32 --engines openvino
engines --rows "$rows" --precision bf16 --batch 8 --engines openvino --busy 0,1
printf '\n## One row at a time\n\n'
for tokens in 20 128; do engines --latency --rows 20 --tokens "$tokens" --engines openvino,onnxruntime; done

printf '\n## From start to end of one answer, seconds\n\n'
for form in plain bf16; do  # weights as downloaded; as export-model --pack wrote them
  for ((i = 0; i < rounds; ++i)); do
    before=$(date +%s%N)
    echo "one row" | "$graft" predict --model_path "$work/graft_$form/model" --precision bf16 --threads 2 > /dev/null 2>&1
    echo $(($(date +%s%N) - before))
  done | sort -n | awk -v form="$form" '{ t[NR] = $1 / 1e9 } END { printf "%s: %.3f (%.3f to %.3f)\n", form == "plain" ? "unpacked" : "packed", t[int((NR + 1) / 2)], t[1], t[NR] }'
done

printf '\n## Training\n\n'
"$here/compare_training.py" --build "$build" --python "$training" --quick
"$training" "$here/compare_adapters.py" --graft "$graft" --work "$work" --rounds "$rounds"

printf '\n## A step of 8 rows of 53 tokens, bf16, alone and beside a busy process\n\n'
milliseconds() {
  GOMP_SPINCOUNT=3000 OMP_NUM_THREADS=2 "$build/benchmarks/graft_benchmark_step" --benchmark_filter='adapter_step<bf16>/batch:8/length:53' \
    --benchmark_min_time=2 --benchmark_format=csv 2> /dev/null | awk -F, '/adapter_step/ { print $3 }'
}
for ((i = 0; i < rounds; ++i)); do
  alone=$(milliseconds)
  while :; do :; done &
  busy=$!
  beside=$(milliseconds)
  kill "$busy"
  wait "$busy" 2> /dev/null || true
  busy=""
  if [ -z "$alone" ] || [ -z "$beside" ]; then echo "compare.sh: graft_benchmark_step has no such step" >&2; exit 1; fi
  awk -v a="$alone" -v b="$beside" 'BEGIN { printf "%.0f and %.0f ms: %.2f times as long\n", a, b, b / a }'
done
