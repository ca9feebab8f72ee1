#!/usr/bin/env bash
# graft's tokenizers against the tokenizers library, one thread each: are the ids equal, and which is faster?
#   benchmarks/compare_tokenizers.sh BUILD TEXT ROBERTA_FOLDER BERT_FOLDER [ROUNDS]
# BUILD is a build folder with -DGRAFT_BUILD_BENCHMARKS=ON; the folders hold vocab.json + merges.txt, and vocab.txt. Needs Node.js and npm.
# The two take turns, ROUNDS (default 7) times, so that a busy neighbor slows both. Prints medians in MB/s of UTF-8, and their ratio.
set -euo pipefail
build=$(realpath "$1") text=$(realpath "$2") roberta=$(realpath "$3") bert=$(realpath "$4") rounds=${5:-7}
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --prefix "$work" tokenizers@0.23.2 >"$work/npm.log" || { cat "$work/npm.log" >&2; exit 1; }
export TOKENIZERS_PARALLELISM=false RAYON_NUM_THREADS=1
theirs() { node "$here/compare_tokenizers.mjs" "$work" "$@"; }

for family in roberta bert; do
  folder=${!family}
  mkdir "$work/$family"
  theirs save "$family" "$folder" "$work/$family"
  theirs ids "$work/$family" "$text" >"$work/theirs"
  for ours in "$folder" "$work/$family"; do
    "$build/examples/graft" tokenize --model_tokenizer_path "$ours" <"$text" >"$work/ours"
    cmp "$work/ours" "$work/theirs"
  done
  echo "$family: ids of $(wc -l <"$work/ours") lines, $(wc -w <"$work/ours") tokens, are equal from $folder, its tokenizer.json, and the tokenizers library"
  for ((round = 0; round < rounds; ++round)); do
    theirs time "$work/$family" "$text" >>"$work/$family.theirs"
    "$build/benchmarks/graft_benchmark_tokenizer" "$text" "$folder" --benchmark_filter='^encode/' --benchmark_format=json 2>/dev/null |
      node -e 'console.log(JSON.parse(require("fs").readFileSync(0)).benchmarks[0].bytes_per_second / 1e6)' >>"$work/$family.ours"
  done
  ours=$(sort -g "$work/$family.ours" | sed -n "$((rounds / 2 + 1))p")
  library=$(sort -g "$work/$family.theirs" | sed -n "$((rounds / 2 + 1))p")
  awk -v f="$family" -v o="$ours" -v t="$library" -v n="$rounds" \
    'BEGIN { printf "%s: graft %.1f MB/s, tokenizers library %.2f MB/s, ratio %.1f (medians of %d, one thread)\n", f, o, t, o / t, n }'
done
