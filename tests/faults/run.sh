#!/usr/bin/env bash
# Kills every command that writes at MOMENTS random moments, and fails each of its calls in turn:  tests/faults/run.sh [MOMENTS [SEED [BUILD]]]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${3:-$root/build}
exec "$build/tests/faults/graft_kill_and_fail" "$build/examples/graft" "$build/tests/faults/libgraft_failing_calls.so" \
  "$root/tests/golden/model" "${1:-200}" "${2:-$RANDOM}"
