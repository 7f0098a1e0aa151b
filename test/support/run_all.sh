#!/bin/bash
# Every check and every test, whatever fails in between. The last line sums them up;
# the exit status says whether all passed. Started by `make test`.
set -uo pipefail
cd "$(dirname "$0")/../.."

here=test/support
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

"$here/check.sh" "$results/check"
"$here/run_cargo.sh" "$results/cargo"
"$here/run_ct.escript" "$results/ct"
"$PYTHON" "$here/run_slixmpp.py" "$results/slixmpp"
"$PYTHON" test/demo/demo.py --once --port 0 --folder _build/demo_test >_build/demo.log 2>&1 && demo='1 0' || demo='0 1'
echo "$demo" >"$results/demo"

passed=0 failed=0
echo
for part in check cargo ct slixmpp demo; do
    # A part that did not even come to its end has failed.
    read -r p f < <(cat "$results/$part" 2>/dev/null || echo 0 1)
    printf '%-8s %4d passed, %d failed\n' "$part" "$p" "$f"
    passed=$((passed + p)) failed=$((failed + f))
done
[ ! -s "$results/ct.failed" ] || { echo "did not pass, in Common Test:"; cat "$results/ct.failed"; }
[ "$demo" = '1 0' ] || { echo "the demo said, in _build/demo.log:"; tail -n 20 _build/demo.log; }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
