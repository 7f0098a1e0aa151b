#!/bin/bash
# The suites of Common Test that depend on storage, on SQLite and then on PostgreSQL, whatever fails in
# between. The last lines sum them up; the exit status says whether all passed. Started by `make sql`.
# usage: run_sql.sh [STORAGE...]
set -uo pipefail
cd "$(dirname "$0")/../.."

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
storages=${*:-sqlite pgsql}
for storage in $storages; do
    TWITTER_STORAGE=$storage test/support/run_ct.escript "$results/$storage"
done

all=0
echo
for storage in $storages; do
    read -r p f < <(cat "$results/$storage" 2>/dev/null || echo 0 1)
    printf 'ct-%-7s %4d passed, %d failed\n' "$storage" "$p" "$f"
    all=$((all + f))
done
for storage in $storages; do
    [ ! -s "$results/$storage.failed" ] || { echo "did not pass on $storage:"; cat "$results/$storage.failed"; }
done
[ "$all" -eq 0 ]
