#!/usr/bin/env bash
# The whole procedure on a small bundled example: installs what is missing, builds, makes two tasks and an encoder, trains an adapter
# for each task, mixes them on the first, predicts, and draws what happened.  Usage: examples/quickstart.sh [OUT]
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$source_dir/build/quickstart}
build=${BUILD_DIR:-$source_dir/build}

if [ ! -e "$out/.graft_quickstart" ] && [ -n "$(ls -A "$out" 2>/dev/null)" ]; then
  echo "quickstart: $out holds something else: give an empty or new folder" >&2
  exit 1
fi

bash "$source_dir/examples/install_packages.sh"
cmake -S "$source_dir" -B "$build" -G Ninja -DGRAFT_BUILD_TESTS=OFF -DGRAFT_F64=OFF
cmake --build "$build" --target graft_program graft_make_example
graft=$build/examples/graft

step() { printf '\n== %s\n' "$1"; }
rm -rf "$out" && mkdir -p "$out" && out=$(cd "$out" && pwd) && touch "$out/.graft_quickstart"

step "Two tasks in GLUE form, and an untrained encoder in Hugging Face layout"
"$build/examples/graft_make_example" "$out"
"$graft" prepare-tasks --input_base_path "$out/glue" --output_base_path "$out/tasks"

step "Warm-up: the encoder learns to compare two texts (everything is trained, no adapters)"
"$graft" export-model "$out/encoder" --output_base_path "$out/untrained"
"$graft" train-adapter --tune full --ZZsrc "$out/untrained/config.json" --task_config_path "$out/warmup/warmup.json" \
  --output_dir "$out/runs/warmup" --do_train --do_save_full --train_batch_size 64 --max_steps 2300 --learning_rate 2e-3 --seed 1

step "The trained encoder becomes the frozen trunk"
mkdir -p "$out/trunk"
cp "$out"/encoder/{config.json,vocab.json,merges.txt} "$out/trunk"
cp "$out/runs/warmup/model_full.safetensors" "$out/trunk/model.safetensors"
"$graft" export-model "$out/trunk" --output_base_path "$out/model"

for task in rte mrpc; do
  step "An adapter for $task"
  "$graft" train-adapter --ZZsrc "$out/model/config.json" --task_config_path "$out/tasks/configs/$task.json" \
    --output_dir "$out/runs/$task" --do_train --do_val --do_test --do_save --train_batch_size 32 --num_train_epochs 6 \
    --learning_rate 2e-3 --adapter_size 32 --eval_every_steps 125 --seed 1
done

step "The multi-adapter on rte: which of rte, mrpc and the untouched base does it choose?"
printf '{"rte": "%s", "mrpc": "%s"}\n' "$out/runs/rte/model.safetensors" "$out/runs/mrpc/model.safetensors" >"$out/adapters.json"
"$graft" train-multi-adapter --ZZsrc "$out/model/config.json" --task_config_path "$out/tasks/configs/rte.json" \
  --adapter_weights_path "$out/adapters.json" --output_dir "$out/runs/mix" --do_train --do_val --do_save \
  --train_batch_size 32 --max_steps 250 --learning_rate 1e-3 --eval_every_steps 50 --seed 1 | tee "$out/mix.txt"

step "Predictions"
sed -n '2,4p' "$out/glue/RTE/test.tsv" | cut -f 2,3 >"$out/texts.tsv"
cat "$out/texts.tsv"
"$graft" predict --ZZsrc "$out/model/config.json" --adapter_path "$out/runs/mix" <"$out/texts.tsv"

step "Plots"
for run in rte mrpc mix; do "$graft" plot "$out/runs/$run"; done

winner=$(sed -n 's/^mixing weights[^:]*: //p' "$out/mix.txt" | tr ',' '\n' | sed 's/^ //' | sort -k 2 -n -r | sed -n 1p)
printf '\nThe mix on rte gives most weight to: %s\nOpen %s\n' "$winner" "$out/runs/mix/plots/report.html"
