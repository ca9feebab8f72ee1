#!/usr/bin/env bash
# Rows without end through `graft predict`: how long ten million short lines take, and how much memory beyond what one line needs; how soon
# a line that is added to a file that tail follows has its answer.
# Usage: stream.sh GRAFT MAKE_EXAMPLE WORK_FOLDER [ROWS]    (needs Debian's time)
set -euo pipefail
[ $# -ge 3 ] || { sed -n 's/^# Usage: //p' "$0" >&2; exit 2; }
graft=$(realpath "$1") make_example=$(realpath "$2") work=$3 rows=${4:-10000000}
mkdir -p "$work"
cd "$work"
"$make_example" example --size small > /dev/null
"$graft" train-adapter --model_path example/encoder --task_config_path example/warmup/warmup.json --output_dir run --max_steps 2 \
  --train_batch_size 8 --do_train --do_save --force_overwrite > /dev/null
answers() { "$graft" predict --model_path example/encoder --adapter_path run "$@"; }
measured() { command time -f '%e %M' -o measured "$@"; }  # seconds, KB at the most

echo "one line" > one
measured "$graft" predict --model_path example/encoder --adapter_path run --input - < one > /dev/null
read -r _ least < measured
seq -f '%07.0f cat dog' "$rows" > lines  # 16 bytes each
measured "$graft" predict --model_path example/encoder --adapter_path run --output answers.tsv < lines
read -r seconds most < measured
[ "$(wc -l < answers.tsv)" -eq $((rows + 1)) ]
[ "$(tail -n 1 answers.tsv | cut -f 1)" -eq $((rows - 1)) ]
awk -v rows="$rows" -v s="$seconds" -v least="$least" -v most="$most" 'BEGIN {
  printf "%d rows: %.1f s, %.0f rows/s, %.1f MB at the most; one row: %.1f MB, %.1f MB less\n", rows, s, rows / s, most / 1024, least / 1024, (most - least) / 1024
  exit most - least > 50 * 1024 }'

: > grows
: > seen
{ timeout 20 tail -n +1 -f grows || true; } | answers > seen &
sleep 1
for i in 1 2 3 4 5; do
  begun=$(date +%s%N)
  echo "a line $i" >> grows
  until [ "$(wc -l < seen)" -gt "$i" ]; do sleep 0.005; done
  echo "line $i of a file that grows: answered after $((($(date +%s%N) - begun) / 1000000)) ms"
  sleep 0.3
done
kill %1
wait 2> /dev/null || true
