#!/usr/bin/env bash
# Memory of runs side by side on one machine, which share the encoder's file: the sum of what each is said to take (Rss), and with shared
# pages counted once (Pss), in MB. Layers of roberta-base's shape with random weights, a vocabulary of a thousand tokens; a thread each.
# Usage: shared_memory.sh GRAFT MAKE_EXAMPLE WORK_FOLDER [RUNS]    (8; with f32, eight trainings take 8 GB)
set -euo pipefail
[ $# -ge 3 ] || { sed -n 's/^# Usage: //p' "$0" >&2; exit 2; }
graft=$(realpath "$1") make_example=$(realpath "$2") work=$3 runs=${4:-8}
mkdir -p "$work"
cd "$work"
"$make_example" example --size base > /dev/null
for pack in none f32 bf16 int8; do
  "$graft" export-model example/encoder --output_base_path "$pack" --force_overwrite $([ "$pack" = none ] || echo --pack "$pack") > /dev/null
done
seq -f 'line %g of some text that is read, word after word, by each of the runs' 16 > rows
processes=()
trap 'kill "${processes[@]}" 2> /dev/null || true' EXIT

said_by() {  # FILE LINES PROCESS: waits until there are so many lines (FILE may be a pattern)
  until [ "$(cat $1 2> /dev/null | wc -l)" -ge "$2" ]; do
    kill -0 "$3" || exit 1
    sleep 0.1
  done
}
measured() {  # NAME: the processes, which end then
  for process in "${processes[@]}"; do cat "/proc/$process/smaps_rollup"; done | awk -v name="$1" -v runs="$runs" '
    { sum[$1] += $2 / 1000 }
    END { printf "%-48s %6.0f Rss %6.0f Pss %6.0f Pss of one\n", name, sum["Rss:"], sum["Pss:"], sum["Pss:"] / runs }'
  kill "${processes[@]}"
  wait "${processes[@]}" || true
  processes=()
}
train() {  # PRECISION
  rm -rf run_*
  for i in $(seq "$runs"); do
    "$graft" train-adapter --ZZsrc none/config.json --task_config_path example/warmup/warmup.json --output_dir "run_$i" --seed "$i" --threads 1 \
      --precision "$1" --train_batch_size 16 --max_steps 100000 --do_train > "log_$i" 2>&1 &
    processes+=($!)
  done
  for i in $(seq "$runs"); do said_by "run_$i/*/loss_train.zlog" 2 "${processes[i - 1]}"; done
  measured "$runs trainings of an adapter, $1"
}
predict() {  # PRECISION MODEL WHAT
  for i in $(seq "$runs"); do
    rm -f "in_$i"
    mkfifo "in_$i"
    exec {held}<> "in_$i"  # so that the run waits for more rows
    "$graft" predict --ZZsrc "$2/config.json" --adapter_path adapter --threads 1 --precision "$1" < "in_$i" > "out_$i" 2> "log_$i" &
    processes+=($!)
    cat rows > "in_$i"
  done
  for i in $(seq "$runs"); do said_by "out_$i" 17 "${processes[i - 1]}"; done
  measured "$runs times predict, $1, $3"
}
"$graft" train-adapter --ZZsrc none/config.json --task_config_path example/warmup/warmup.json --output_dir adapter --max_steps 1 \
  --train_batch_size 8 --do_train --do_save --force_overwrite > /dev/null
for precision in f32 bf16; do train "$precision"; done
for precision in f32 bf16 int8; do
  predict "$precision" none "from a plain file"
  predict "$precision" "$precision" "from one of --pack $precision"
done
