#!/usr/bin/env bash
# Runs the libraries that graft exchanges files with (AdapterHub's adapters, PEFT, transformers) and graft on the same files, both ways: what they write is read
# by `graft predict`, what `graft convert-adapter` writes is loaded by them, and the answers are compared. One table; exit code 1 where two answers differ by more than
# 1e-5, or graft refuses what no case says that it should.
# Usage: tests/peers/run.sh [--write-goldens] [PATTERN...]   PATTERN: a part of the names of cases.  --write-goldens: answers that agree become tests/golden/peers/,
#        which the test program/peers_test.cpp reads without Python.
# An environment with transformers 5, which AdapterHub's library does not work with, runs the other cases.
# BUILD_DIR: where the program was built (build/).  PEERS_VENV: the Python environment, made at the first run: 6 GB, since PyPI's torch brings CUDA (BUILD_DIR/peers).
# Tokenizers: `run.sh tokenizer` runs them alone (tokenizer_cases.py), with transformers 4, whose classes take SentencePiece's files; TEXT: a file of text to train them with and to compare.
# Embeddings and rerankers: `run.sh embedding` runs them alone (embedding_cases.py), where sentence-transformers 6 is in the environment; it needs transformers 5.
# Tags for words: `run.sh tokens` runs them alone (token_cases.py), where seqeval 1.2.2 is in the environment.
# Cases are lists in adapterhub_cases.py, peft_cases.py, heads_cases.py, trained_cases.py and families_cases.py.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$source_dir/build}
venv=${PEERS_VENV:-$build/peers}
[ -x "$build/examples/graft" ] || { echo "run.sh: $build/examples/graft is not there: build it, or say where with BUILD_DIR" >&2; exit 2; }
if [ ! -e "$venv/READY" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --requirement "$source_dir/tests/peers/requirements.txt"
  touch "$venv/READY"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tokenizers() { HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$source_dir/tests/peers/tokenizer_cases.py" "$build/examples/graft" "$work" ${TEXT:+--text "$TEXT"}; }
embeddings() { HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$source_dir/tests/peers/embedding_cases.py" "$build/examples/graft" "$work" "$@"; }
tags() { HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$source_dir/tests/peers/token_cases.py" "$build/examples/graft" "$work" "$@" 2> /dev/null; }
[ "${1-}" != tokens ] || { shift; tags "$@"; exit; }
[ "$*" != tokenizer ] || { tokenizers; exit; }
[ "${1-}" != embedding ] || { shift; embeddings "$@"; exit; }
PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 "$venv/bin/python" "$source_dir/tests/peers" "$build/examples/graft" "$work" "$@"
[ $# -gt 0 ] || PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 "$venv/bin/python" "$source_dir/tests/peers/averages.py" "$build/examples/graft" "$source_dir/tests/golden/peers/bases"
if [ $# -eq 0 ] && "$venv/bin/python" -c 'import sys, transformers; sys.exit(int(transformers.__version__.split(".")[0]) > 4)'; then tokenizers; fi
[ $# -gt 0 ] || ! "$venv/bin/python" -c "import seqeval" 2> /dev/null || tags
[ $# -gt 0 ] || ! "$venv/bin/python" -c "import sentence_transformers" 2> /dev/null || embeddings
