#!/usr/bin/env bash
# Several processes of the program do what one does, to the byte; where one fails, all end, with a line that says which and why.
# Usage: run.sh GRAFT GRAFT_WITH_MPI NEXT_VERSION MAKE_EXAMPLE FAILING_CALLS WORK_FOLDER [MPIEXEC]
# (FAILING_CALLS is the library of tests/faults/, or ""; MPIEXEC is Open MPI's or MPICH's, of the MPI that GRAFT_WITH_MPI was built with)
set -euo pipefail
one=$1 mpi=$2 next_version=$3 make_example=$4 failing_calls=$5 work=$6
launch=("${7:-mpiexec}") open_mpi=false
export OMP_WAIT_POLICY=passive
case $("${launch[0]}" --version 2>&1) in
  *"Open MPI"* | *OpenRTE*)
    open_mpi=true
    launch+=(--oversubscribe --bind-to none)
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_MCA_btl_vader_single_copy_mechanism=none  # which containers refuse
    ;;
esac
rm -rf "$work"
mkdir -p "$work"
cd "$work"
"$make_example" example --size small > /dev/null

fail() { echo "FAILED: $*" >&2; exit 1; }
ranks() { local n=$1; shift; "${launch[@]}" -n "$n" "$@"; }
same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }

model=(--model_path example/encoder)
training=("${model[@]}" --task_config_path example/warmup/warmup.json --train_batch_size 16 --micro_batch_tokens 40 --max_steps 6
  --learning_rate 1e-3 --eval_every_steps 3 --seed 5 --threads 1 --do_train --do_val --do_test --do_save)
files="model.safetensors val_metrics.json val_preds.csv test_preds.csv test_predictions.tsv"

# training: the same files from any number of ranks
train_on() {  # NAME "NUMBERS OF RANKS" FLAGS...
  local name=$1 numbers=$2 n
  local -A jobs=()
  shift 2
  for n in $numbers; do  # side by side: most of their time they wait for mpirun
    ranks "$n" "$mpi" train-adapter "${training[@]}" "$@" --output_dir "${name}_$n" > "out_$n" 2> "err_$n" &
    jobs[$n]=$!
  done
  "$one" train-adapter "${training[@]}" "$@" --output_dir "one_$name" > /dev/null
  for n in $numbers; do
    wait "${jobs[$n]}" || { cat "out_$n" "err_$n"; fail "$n ranks"; }
    for file in $files; do same "one_$name/$file" "${name}_$n/$file"; done
    [ "$(grep -c '^graft ' "out_$n")" = 1 ] || fail "more than one rank talks"
  done
}
train_on f32 "1 2 3 4 7" --precision f32
train_on bf16 3 --precision bf16
train_on large 3 --precision f32 --adapter_size 4096 --max_steps 2  # gradients of two megabytes, which travel in parts

# a mix, and updates
echo '{"a": "one_f32/model.safetensors", "b": "one_bf16/model.safetensors"}' > adapters.json
mix=("${model[@]}" --task_config_path example/warmup/warmup.json --adapter_weights_path adapters.json --train_batch_size 16
  --micro_batch_tokens 40 --max_steps 4 --learning_rate 1e-3 --seed 5 --threads 1 --precision f32 --do_train --do_val --do_save)
"$one" train-multi-adapter "${mix[@]}" --output_dir one_mix > /dev/null
ranks 3 "$mpi" train-multi-adapter "${mix[@]}" --output_dir mix_3 > /dev/null 2> err || { cat err; fail "a mix"; }
same one_mix/model.safetensors mix_3/model.safetensors

# rows: answered by all, in order
adapter=("${model[@]}" --adapter_path one_f32 --threads 1 --precision f32)
for i in $(seq 300); do printf 'text %d of some\tand %d more\n' "$i" $((i * i % 97)); done > rows
"$one" predict "${adapter[@]}" < rows > one_table
ranks 7 "$mpi" predict "${adapter[@]}" < rows > table 2> err || { cat err; fail "predict on 7 ranks"; }
same one_table table
ranks 2 "$mpi" predict "${adapter[@]}" --threads 2 --output table.tsv < rows 2> err || { cat err; fail "predict on 2 ranks"; }
same one_table table.tsv
echo '{"text_a": "a text"}' > one_rows.jsonl
head -c 2000 one_table > part.tsv
ranks 3 "$mpi" predict "${adapter[@]}" --output part.tsv --resume < rows 2> err || { cat err; fail "predict --resume"; }
same one_table part.tsv
{ head -3 rows | sed 's/^/{"text_a": "/; s/\t.*/"}/'; echo '{"text_a": 5}'; echo '{"text_a": "last"}'; } > bad.jsonl
code=0; "$one" predict "${adapter[@]}" --input bad.jsonl --on_error row > one_bad 2> /dev/null || code=$?
[ "$code" = 5 ] || fail "a bad row gave exit code $code"
code=0; ranks 3 "$mpi" predict "${adapter[@]}" --input bad.jsonl --on_error row > bad 2> /dev/null || code=$?
[ "$code" = 5 ] || fail "a bad row gave exit code $code on ranks"
same one_bad bad
for output in vectors.npy vectors.jsonl; do
  cut -f 1 rows | "$one" embed "${model[@]}" --threads 1 --precision f32 --output "one_$output" 2> /dev/null
  cut -f 1 rows | ranks 3 "$mpi" embed "${model[@]}" --threads 1 --precision f32 --output "$output" 2> err || { cat err; fail "embed on 3 ranks"; }
  same "one_$output" "$output"
done
"$one" evaluate "${adapter[@]}" --task_config_path example/warmup/warmup.json --output one_scores.json > one_scores
ranks 4 "$mpi" evaluate "${adapter[@]}" --task_config_path example/warmup/warmup.json --output scores.json > scores 2> err || { cat err; fail evaluate; }
same one_scores scores
same one_scores.json scores.json

# what goes wrong: all end within ten seconds, with a line that names the rank and the cause
no_rank_left() {  # ten seconds later
  for _ in $(seq 100); do
    pgrep -f "^($mpi|$next_version)( |$)" > /dev/null || return 0
    sleep 0.1
  done
  fail "a rank goes on after ten seconds"
}
ends_with() {  # TEXT COMMAND...: it fails so soon, and says TEXT
  local text=$1 code=0 said
  shift
  said=$(mktemp -p .)
  timeout 10 "$@" > "$said" 2>&1 || code=$?
  sed -i 's/.*\r//; s/\x1b\[K//g' "$said"  # the terminal that Open MPI makes shows progress, too
  { [ "$code" != 0 ] && [ "$code" != 124 ]; } || { cat "$said"; fail "exit code $code: $*"; }
  grep -q "^graft: $text" "$said" || { cat "$said"; fail "did not say: $text"; }
  [ "$(grep -c '^graft: [^w]' "$said")" -le 1 ] || { cat "$said"; fail "more than one rank says why"; }
  no_rank_left
}
ends_with 'rank 1 of 2: the version of graft is .* there, and .* on rank 0' "${launch[@]}" \
  -n 1 "$mpi" train-adapter --output_dir failed : -n 1 "$next_version"
ends_with 'rank 1 of 2: the version of graft is .* there, and .* on rank 0' "${launch[@]}" \
  -n 1 "$next_version" : -n 1 "$mpi" train-adapter --output_dir failed
mkdir other
sed '2s/"label":"[^"]*"/"label":"3"/; 3s/"label":"[^"]*"/"label":"4"/' example/warmup/train.jsonl > other/train.jsonl
sed 's,'"$work"'/example/warmup/train,'"$work"'/other/train,' example/warmup/warmup.json > other/warmup.json
same_flags=("${training[@]}" --precision f32 --output_dir failed)
other_task=("${same_flags[@]}" --task_config_path other/warmup.json)
ends_with 'rank 1 of 2: training rows is .* there, and .* on rank 0' "${launch[@]}" \
  -n 1 "$mpi" train-adapter "${same_flags[@]}" : -n 1 "$mpi" train-adapter "${other_task[@]}"
cp -r example/encoder other/weights
cp -r example/encoder other/tokens
printf '\1' | dd of=other/weights/model.safetensors bs=1 seek=$(($(stat -c %s other/weights/model.safetensors) - 4000)) conv=notrunc status=none
sed -i '2d' other/tokens/merges.txt
ends_with 'rank 1 of 2: the model is .* there, and .* on rank 0' "${launch[@]}" \
  -n 1 "$mpi" train-adapter "${same_flags[@]}" : -n 1 "$mpi" train-adapter "${same_flags[@]}" --model_path other/weights
ends_with 'rank 1 of 2: training rows is .* there, and .* on rank 0' "${launch[@]}" \
  -n 1 "$mpi" train-adapter "${same_flags[@]}" : -n 1 "$mpi" train-adapter "${same_flags[@]}" --model_path other/tokens
ends_with 'rank 1 of 2: --learning_rate is 0.1 there, and 0.001 on rank 0' "${launch[@]}" \
  -n 1 "$mpi" train-adapter "${same_flags[@]}" : -n 1 "$mpi" train-adapter "${same_flags[@]}" --learning_rate 0.1
ends_with 'rank 1 of 2: the sub-command is predict there' "${launch[@]}" \
  -n 1 "$mpi" train-adapter "${same_flags[@]}" : -n 1 "$mpi" predict "${adapter[@]}"
ends_with 'rank 1 of 2: --dimensions is 8 there, and 0 on rank 0' "${launch[@]}" \
  -n 1 "$mpi" embed "${model[@]}" --input one_rows.jsonl : -n 1 "$mpi" embed "${model[@]}" --dimensions 8
ends_with 'rank 2 of 3: .*nowhere' "${launch[@]}" \
  -n 2 "$mpi" train-adapter "${same_flags[@]}" : -n 1 "$mpi" train-adapter "${same_flags[@]}" --model_path nowhere
ends_with 'rank 0 of 3: .*unknown flag' "${launch[@]}" -n 3 "$mpi" train-adapter --nonsense
if [[ $(ldd "$one") != *libmpi* ]]; then  # a build with GRAFT_MPI=ON
  code=0; ranks 2 "$one" predict "${adapter[@]}" < rows > out 2> err || code=$?
  { [ "$code" = 1 ] && grep -q "built without MPI" err; } || { cat err; fail "a program without MPI"; }
  # as Slurm's srun starts it
  code=0; PMIX_RANK=0 SLURM_STEP_NUM_TASKS=2 "$one" predict "${adapter[@]}" < rows > out 2> err || code=$?
  { [ "$code" = 1 ] && grep -q "built without MPI" err; } || { cat err; fail "a program without MPI under srun"; }
  for alone in "PMIX_RANK=0 SLURM_STEP_NUM_TASKS=1" SLURM_STEP_NUM_TASKS=2 "PMIX_RANK=0 SLURM_STEP_NUM_TASKS=2 OMPI_COMM_WORLD_SIZE=1"; do
    # shellcheck disable=SC2086  # several
    env $alone "$one" predict "${adapter[@]}" < rows > out 2> err || { cat err; fail "one process with $alone"; }
    same one_table out
  done
fi
# as another MPI's mpirun starts it
code=0; OMPI_COMM_WORLD_SIZE=2 "$mpi" predict "${adapter[@]}" < rows > out 2> err || code=$?
{ [ "$code" != 0 ] && grep -q '^graft: this graft was built with another MPI (.*) than that of mpirun' err && [ ! -s out ]; } || { cat err; fail "another MPI"; }

# a rank that is killed, and signals; what was saved is whole, and another number of ranks goes on with it
long=("${training[@]}" --precision f32 --max_steps 1000 --save_every_steps 10)
"$one" train-adapter "${long[@]}" --output_dir one_long > /dev/null
started=""
start_long() {  # FOLDER: until some steps are behind it
  "${launch[@]}" -n 4 "$mpi" train-adapter "${long[@]}" --output_dir "$1" > out 2> err &
  started=$!
  for _ in $(seq 600); do
    [ "$(cat "$1"/*/loss_train.zlog 2> /dev/null | wc -l)" -lt 30 ] || return 0
    sleep 0.02
  done
  fail "no steps: $(cat out err)"
}
ends_soon() {  # the job that was started, within ten seconds; not as one that is done
  for _ in $(seq 100); do
    kill -0 "$started" 2> /dev/null || { ! wait "$started" || fail "ended well"; no_rank_left; return 0; }
    sleep 0.1
  done
  kill -9 "$started"
  fail "goes on after ten seconds"
}
goes_on() {  # FOLDER RANKS: only the first of them sees the folder
  "${launch[@]}" -n 1 "$mpi" train-adapter "${long[@]}" --output_dir "$1" --resume : \
    -n $(($2 - 1)) "$mpi" train-adapter "${long[@]}" --output_dir /nowhere/at/all --resume > out 2> err || { cat out err; fail "--resume on $2 ranks"; }
  for file in $files; do same "one_long/$file" "$1/$file"; done
}
rank_of_long() {  # RANK: its process
  local parents=$started process
  $open_mpi || parents=$(pgrep -d , -P "$started")  # MPICH's mpiexec starts one of a machine that starts its ranks
  for process in $(pgrep -P "$parents"); do
    ! grep -qzE "^(OMPI_COMM_WORLD_RANK|PMI_RANK)=$1\$" "/proc/$process/environ" || echo "$process"
  done
}
start_long killed
kill -9 "$(rank_of_long 2)"
ends_soon
if $open_mpi; then
  grep -q 'process rank 2 with PID .* on node .* exited on signal 9 (Killed)' err || { cat out err; fail "nobody says which rank was killed"; }
else  # which rank it was MPICH does not say
  grep -q 'TERMINATED WITH THE EXIT STRING: Killed (signal 9)' out || { cat out err; fail "nobody says that a rank was killed"; }
fi
goes_on killed 3
# training is done and saved, the evaluation is not
rm killed/DONE killed/val_* killed/test_*
sed -i 's/"state": "finished"/"state": "running"/' killed/run.json
goes_on killed 2
grep -q 'training is done' out || { cat out; fail "trains again"; }
for signal in USR1 INT; do
  [ "$signal" = USR1 ] || export OMPI_MCA_odls_base_sigkill_timeout=2  # seconds that a step and a checkpoint may take
  start_long "stopped_$signal"
  kill -s "$signal" "$started"
  ends_soon
  if ! grep -q '^graft: stopped after step' err; then
    [ "$signal" = INT ] || { cat err; fail "was not stopped by $signal"; }
    echo "SKIPPED: mpirun killed the ranks before their step ended, or their run was done before its signal came"
  fi
done
unset OMPI_MCA_odls_base_sigkill_timeout
goes_on stopped_USR1 7
# as a file: MPICH's mpiexec ends where it reads standard input faster than a rank does
for i in $(seq 200); do cat rows; done | tr '\t' ' ' | awk '{ print "{\"text_a\": \"" NR " " $0 "\"}" }' > many.jsonl
"$one" predict "${adapter[@]}" --input many.jsonl > one_many
"${launch[@]}" -n 3 "$mpi" predict "${adapter[@]}" --input many.jsonl --output many > out 2> err &
started=$!
for _ in $(seq 600); do [ "$(stat -c %s many 2> /dev/null || echo 0)" -eq 0 ] || break; sleep 0.01; done
kill -USR1 "$started" || true  # it may be done already
wait "$started" || true
ranks 2 "$mpi" predict "${adapter[@]}" --input many.jsonl --output many --resume 2> err || { cat err; fail "predict goes on"; }
same one_many many
cp -r example/encoder copy
"${launch[@]}" -n 1 "$mpi" train-adapter "${long[@]}" --max_steps 100000 --output_dir changed : \
  -n 1 "$mpi" train-adapter "${long[@]}" --max_steps 100000 --output_dir changed --model_path copy > out 2> err &
started=$!
for _ in $(seq 600); do [ "$(cat changed/*/loss_train.zlog 2> /dev/null | wc -l)" -lt 5 ] || break; sleep 0.02; done
rm copy/model.safetensors
ends_soon
grep -q '^graft: rank 1 of 2: copy/model.safetensors: has been changed' err || { cat err; fail "a file that changed on one rank"; }
grep -q '"state": "finished"' stopped_INT/run.json || "$one" train-adapter "${long[@]}" --output_dir stopped_INT --resume > /dev/null
same one_long/model.safetensors stopped_INT/model.safetensors

# a disk that is full, for the one that writes
if [ -n "$failing_calls" ]; then
  ends_with 'rank 0 of 3: .*/model.safetensors: cannot be written: No space left on device' "${launch[@]}" \
    -n 1 env LD_PRELOAD="$failing_calls" GRAFT_FAULT_FOLDER="$work/full" GRAFT_FAULT_AT=40 GRAFT_FAULT_ONWARD=1 GRAFT_FAULT_ERRNO=28 \
    "$mpi" train-adapter "${long[@]}" --max_steps 60 --output_dir full : -n 2 "$mpi" train-adapter "${long[@]}" --max_steps 60 --output_dir full
fi
[ ! -e failed/model.safetensors ] || fail "a failed run saved something"
echo "ranks: all the same"
