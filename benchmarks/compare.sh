#!/usr/bin/env bash
# All comparisons of docs/benchmarks.md, one after the other: predictions beside other engines, training beside PyTorch and the libraries that people
# tune adapters with, and a step beside a busy process. Takes an hour or more; nothing else should run.
# Usage: benchmarks/compare.sh BUILD ENGINES TRAINING [WORK]
#   BUILD     a build folder with -DGRAFT_BUILD_BENCHMARKS=ON
#   ENGINES   a Python with torch, transformers, onnxruntime, onnx, onnxscript, openvino, nncf, ctranslate2
#   TRAINING  a Python with torch, 'transformers<5', adapters, peft
#   WORK      keeps the models, 3 GB
#   ROUNDS, ROWS in the environment: 5, 204
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 engines=$2 training=$3
if [ $# -gt 3 ]; then work=$4; else work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; fi
graft=$build/examples/graft
rounds=${ROUNDS:-5} rows=${ROWS:-204}

grep -m 1 "model name" /proc/cpuinfo
engines() { "$engines" "$here/compare_engines.py" --graft "$graft" --work "$work" --rounds "$rounds" "$@"; }
printf '\n## Predictions\n\n'
engines --rows "$rows" --build "$build"
engines --rows "$rows" --order file --batch 8,32 --engines openvino
engines --rows "$rows" --precision bf16 --batch 8 --engines openvino --busy 0,1
printf '\n## One row at a time\n\n'
for tokens in 20 128; do engines --latency --rows 20 --tokens "$tokens" --engines openvino,onnxruntime; done

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
  beside=$(milliseconds)
  kill $!
  awk -v a="$alone" -v b="$beside" 'BEGIN { printf "%.0f and %.0f ms: %.2f times as long\n", a, b, b / a }'
done
