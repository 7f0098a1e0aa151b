#!/bin/bash
# Runs cargo's tests and counts them. Writes "PASSED FAILED" to the file RESULT.
# usage: run_cargo.sh RESULT
set -uo pipefail
cd "$(dirname "$0")/../.."

result=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$log" || status=1
# One such line for each test binary: "test result: ok. 3 passed; 0 failed; ..."
read -r passed failed < <(awk '/^test result:/ { p += $4; f += $6 } END { print p + 0, f + 0 }' "$log")
# A test binary that does not build or that crashes reports nothing.
if [ $status -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
echo "cargo test: $passed passed, $failed failed"
mkdir -p "$(dirname "$result")"
echo "$passed $failed" >"$result"
exit $status
