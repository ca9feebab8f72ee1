#!/usr/bin/env bash
# The installed program runs; its manual page and its completions in bash and zsh know every flag of every --help.
# Usage: installed_program.sh PREFIX
set -euo pipefail
graft=$1/bin/graft share=$1/share
fail() { echo "FAILED: $*" >&2; exit 1; }
listed() { sed "/^Accepted, without effect/,\$d" | { grep -o "^  *--[A-Za-z_]*" || true; } | tr -d " " | sort; }

[[ $("$graft" --version) =~ ^graft\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "$graft --version"
commands=$("$graft" --help | sed -n '/^$/,$p' | grep -o '^  [a-z-]*  ' | tr -d ' ')
[ "$(wc -w <<< "$commands")" -ge 8 ] || fail "$graft --help names these sub-commands: $commands"

. "$share/bash-completion/completions/graft"
complete_line() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _graft
  [ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
}
same() { [ "$1" = "$2" ] || fail "$3: $(diff <(echo "$1") <(echo "$2"))"; }
same "$(complete_line graft train-m)" train-multi-adapter bash
same "$(complete_line graft train-adapter --precision f | xargs)" "f32 f64" bash
same "$(complete_line graft train-adapter --precision = | xargs)" "auto f32 bf16 f64 int8" bash
same "$(complete_line graft predict --model_path "")" "" bash
for command in $commands; do
  flags=$("$graft" "$command" --help | listed)
  same "$(printf '%s\n' --help "$flags" | sort)" "$(complete_line graft "$command" -- | sort)" "bash, $command"
done

if command -v zsh > /dev/null; then
  complete_in_zsh() {
    zsh -f -c '_arguments() { print -rl -- "$@" }; _describe() { print -rl -- "$@" "${(@P)2}" }
               file=$1; shift; words=("$@"); CURRENT=$#; . "$file"' zsh "$share"/zsh/*/_graft "$@"
  }
  grep -q '^train-multi-adapter:' < <(complete_in_zsh graft "") || fail "zsh knows no sub-command train-multi-adapter"
  grep -qF ':(auto f32 bf16 f64 int8)' < <(complete_in_zsh graft train-adapter --precision) || fail "zsh does not know the precisions"
  for command in $commands; do
    flags=$("$graft" "$command" --help | listed)
    same "$(printf '%s\n' --help "$flags" | sort)" "$(complete_in_zsh graft "$command" -- | sed 's/^\*//; s/^/ /' | listed)" "zsh, $command"
  done
else
  echo "zsh is not installed: its completion is not tried"
fi

if command -v groff > /dev/null; then
  page=$(GROFF_NO_SGR=1 groff -man -Tascii -ww -rHY=0 <(zcat -f "$share"/man/man1/graft.1*) 2>&1)
  ! grep -n 'warning' <<< "$page" || fail "the manual page has mistakes"
  for command in $commands; do
    grep -q "^   $command" <<< "$(sed 's/.\x08//g' <<< "$page")" || fail "the manual page has no section $command"
    for flag in $("$graft" "$command" --help | listed); do
      grep -q -e " $flag" <<< "$(sed 's/.\x08//g' <<< "$page")" || fail "the manual page lacks $flag of $command"
    done
  done
else
  echo "groff is not installed: the manual page is not read"
fi
