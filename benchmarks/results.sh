#!/usr/bin/env bash
# What tuning brings on real weights: tasks of GLUE, several seeds each, by graft in f32, in bf16 and with 8 bits on the way forward, what adapters of f32 answer in 8 bits, the upper
# half of the layers alone in bf16, with a prefix cache and without, and AdapterHub's library with the same recipe; then the mix of all adapters on RTE and on MRPC.
# docs/results.md, docs/predicting.md and docs/training.md hold what it printed. It goes on with the runs that are missing, and takes some hours.
# Times are CPU seconds, the system's among them, of the whole command on one thread: other work beside it lengthens them less than those of a clock.
# Usage: benchmarks/results.sh GRAFT MODEL GLUE OUT [SEEDS [TASK...]]
#   GRAFT: the program.  MODEL: a Hugging Face folder.  GLUE: the unpacked GLUE data.  SEEDS: how many (5).  TASK: of rte mrpc stsb cola sst (all)
# PEERS_VENV: a Python environment with the packages of tests/peers/requirements.txt, and scikit-learn and scipy; without it AdapterHub is left out. THREADS: 1.
# The recipe: adapters of size 48 with GELU at both sites of a layer (double_seq_bn), LayerNorms as pretrained, a head of two layers (where BERT has a pooler graft begins with
# it, the library with a fresh one); AdamW (decay 0.01) at 1e-3 with a tenth of warm-up, batches of 16, 3 epochs but at most 200 steps, at most 128 tokens, gradients cut at a
# norm of 1; scores are those behind the last step on the development set.
set -euo pipefail
graft=$1 model=$2 glue=$3 out=$4 seeds=${5:-5}
shift $(($# < 5 ? $# : 5))
[ $# -gt 0 ] || set -- rte mrpc stsb cola sst
here=$(cd "$(dirname "$0")" && pwd)
threads=${THREADS:-1}
mkdir -p "$out"
[ -e "$out/model/config.json" ] || "$graft" export-model "$model" --output_base_path "$out/model"
[ -e "$out/tasks" ] || "$graft" prepare-tasks --input_base_path "$glue" --output_base_path "$out/tasks"
touch "$out/results.tsv"

recipe=(--do_train --do_val --train_batch_size 16 --learning_rate 1e-3 --max_seq_length 128 --threads "$threads")
steps() {  # TASK: of 3 epochs, at most 200
  local folder
  case $1 in rte) folder=RTE ;; mrpc) folder=MRPC ;; stsb) folder=STS-B ;; cola) folder=CoLA ;; sst) folder=SST-2 ;; esac
  awk -v task="$1" 'END { rows = NR - (task != "cola"); n = 3 * int((rows + 15) / 16); print n < 200 ? n : 200 }' "$glue/$folder/train.tsv"
}
measured() {  # TASK PROGRAM SEED COMMAND...: its score is what SCORE_FILE says then
  local task=$1 program=$2 seed=$3
  shift 3
  grep -q "^$task	$program	$seed	" "$out/results.tsv" && return
  /usr/bin/time -o "$out/time" -f '%U\t%S\t%M' "$@" > "$out/log" 2>&1 || { tail -n 5 "$out/log"; exit 1; }
  printf '%s\t%s\t%s\t%s\t%s\n' "$task" "$program" "$seed" "$(sed -n 's/.*"major": *\([-0-9.e]*\).*/\1/p' "$score_file")" "$(tail -n 1 "$out/time")" >> "$out/results.tsv"
}
trained() {  # TASK PROGRAM SEED FOLDER FLAGS...
  local task=$1 program=$2 seed=$3 run=$out/runs/$4
  score_file=$run/val_metrics.json
  measured "$task" "$program" "$seed" "$graft" train-adapter --ZZsrc "$out/model/config.json" --task_config_path "$out/tasks/configs/$task.json" --output_dir "$run" --do_save \
    --adapter_size 48 --adapter_layer_norm frozen --adapter_initializer_range 0.02 --seed "$seed" --force_overwrite --max_steps "$(steps "$task")" "${recipe[@]}" "${@:5}"
}
layers=$(sed -n 's/.*"num_hidden_layers": *\([0-9]*\).*/\1/p' "$model/config.json")
upper=(--precision bf16 --adapter_layers "$((layers / 2))-$((layers - 1))")
for seed in $(seq "$seeds"); do
  for task in "$@"; do
    for precision in f32 bf16 int8; do trained "$task" "graft $precision" "$seed" "$task-$precision-$seed" --precision "$precision"; done
    for precision in f32 int8; do
      score_file=$out/answers-$precision-$task-$seed.json
      measured "$task" "graft f32, answers in $precision" "$seed" "$graft" evaluate --ZZsrc "$out/model/config.json" --adapter_path "$out/runs/$task-f32-$seed" \
        --task_config_path "$out/tasks/configs/$task.json" --max_seq_length 128 --threads "$threads" --precision "$precision" --output "$score_file"
    done
    trained "$task" "graft bf16, upper half" "$seed" "$task-upper-$seed" "${upper[@]}"
    trained "$task" "graft bf16, upper half, cache" "$seed" "$task-cache-$seed" "${upper[@]}" --prefix_cache "$out/cache"
    if [ -n "${PEERS_VENV:-}" ]; then
      score_file=$out/adapterhub.json
      measured "$task" AdapterHub "$seed" "$PEERS_VENV/bin/python" "$here/results_adapterhub.py" "$model" "$glue" "$task" "$seed" "$threads" "$score_file"
    fi
  done
done

echo "| task | program | seeds | median | least to most | CPU seconds a run | memory |"
echo "|---|---|---|---|---|---|---|"
sort -t '	' -k 1,2 -k 4,4g "$out/results.tsv" | awk -F '\t' '
  function flush() { if (n) printf "| %s | %s | %d | %.4f | %.4f to %.4f | %.0f | %.2f GB |\n", task, program, n, n % 2 ? score[(n + 1) / 2] : (score[n / 2] + score[n / 2 + 1]) / 2, score[1], score[n], cpu / n, most / 1048576; n = cpu = most = 0 }
  $1 != task || $2 != program { flush(); task = $1; program = $2 }
  { score[++n] = $4; cpu += $5 + $6; if ($7 > most) most = $7 }
  END { flush() }'

# the mix of the first seed's adapters, where all are there
adapters=""
for task in "$@"; do
  [ -e "$out/runs/$task-f32-1/model.safetensors" ] && adapters="$adapters${adapters:+, }\"$task\": \"$out/runs/$task-f32-1\""
done
echo "{$adapters}" > "$out/adapters.json"
for task in rte mrpc; do
  [[ $adapters == *\"$task\"* && $adapters == *,* ]] || continue
  run=$out/runs/mix-$task
  [ -e "$run/DONE" ] || "$graft" train-multi-adapter --ZZsrc "$out/model/config.json" --task_config_path "$out/tasks/configs/$task.json" --adapter_weights_path "$out/adapters.json" \
    --output_dir "$run" --do_save --seed 1 --precision f32 --max_steps "$(steps "$task")" "${recipe[@]}" > "$run.txt"
  "$graft" plot "$run" > /dev/null
  echo "mix on $task: $(sed -n 's/^mixing weights[^:]*: //p' "$run.txt"); $(sed -n 's/.*"major": *\([-0-9.e]*\).*/\1/p' "$run/val_metrics.json")"
done
