#!/bin/bash
# ejabberd's own tests, unchanged, against the installed ejabberd with our node tree: all that ejabberd tests of
# pubsub, PEP, disco, rosters and whatever else a client sees goes on as without the plugin. What fails with stock
# ejabberd too counts for nothing. Their sources are not part of this project: EJABBERD names folders of them,
# of which the one is taken whose version is installed. Writes "PASSED FAILED" to RESULT, what did not pass to
# RESULT.failed. Started by `make interop` and in_release.sh.
# usage: EJABBERD="FOLDER..." interop.sh RESULT
set -uo pipefail
cd "$(dirname "$0")/../.."

result=$(realpath -m "$1")
mkdir -p "${result%/*}"
work=$PWD/_build/interop
plugin=$PWD/_build/default/lib/ejabberd_twitter/ebin
rm -rf "$work" "$result" "$result.failed"
mkdir -p "$work"
export CT_BACKENDS=mnesia,sqlite

say() { echo "interop: $*"; }
die() {
    say "$*"
    echo "interop: $*" >"$result.failed"
    echo '0 1' >"$result"
    exit 1
}

# 23.1 and 23.01-1 are 23.01.
installed=$(dpkg-query -W -f '${source:Upstream-Version}' ejabberd) || die 'ejabberd is not installed'
sources=
for folder in ${EJABBERD:-}; do
    [ "$(sed -n '1s/^#* *Version //p' "$folder/CHANGELOG.md" 2>/dev/null)" != "$installed" ] || sources=$folder
done
[ -n "$sources" ] || die "EJABBERD has to name a folder with the sources of ejabberd $installed," \
    "which https://github.com/processone/ejabberd has under that tag; it is: ${EJABBERD:-empty}"

erlc -o "$work" test/ct/twitter_failed.erl || die 'the hook does not compile'

# Ports are fixed in those tests, so they have a network of their own.
alone() { unshare --map-root-user --net sh -c 'ip link set lo up && exec "$@"' - "$@"; }

# run NAME: all cases of the two storages that need no other server, with the configuration there.
run() {
    local folder=$work/$1
    say "$1: see ${folder#"$PWD"/}/out.log"
    (cd "$folder" && alone ct_run -noshell -dir test -suite ejabberd_SUITE -group mnesia sqlite -logdir . \
        -include "$ERL_LIBS/ejabberd/include" -pa "$ERL_LIBS/ejabberd/ebin" "$plugin" "$work" \
        -ct_hooks twitter_failed "\"$folder/failed\"" >out.log 2>&1)
    passed=$(grep -ao 'TEST COMPLETE, [0-9]*' "$folder/out.log" | grep -o '[0-9]*')
    [ -n "$passed" ] || die "the tests of ejabberd did not run with $1: $(tail -n 5 "$folder/out.log")"
}

prepared() {
    mkdir "$work/$1" && cp -r "$sources/test" "$sources/sql" "$work/$1"
}

prepared twitter
sed -i 's/^      mod_pubsub:$/      mod_twitter: {}\n&\n        nodetree: twitter/' \
    "$work"/twitter/test/ejabberd_SUITE_data/ejabberd.{mnesia,sqlite}.yml
run twitter
ours=$passed
served=$(grep -ac 'Microblogs of .* are served at pubsub' "$work/twitter/out.log")
[ "$served" -eq 2 ] || die 'those two servers had no microblogs, so nothing is said about them'

failed=0
if [ -s "$work/twitter/failed" ]; then
    prepared stock
    run stock
    touch "$work/stock/failed"
    # By the name of the suite and the case.
    key() { sed -n 's/^\([a-zA-Z_]* [^:]*\):.*/\1/p' "$1" | sort -u; }
    while read -r case; do
        failed=$((failed + 1))
        grep -F "$case:" "$work/twitter/failed" | head -n 1 >>"$result.failed"
    done < <(comm -23 <(key "$work/twitter/failed") <(key "$work/stock/failed"))
    say "with stock ejabberd $(key "$work/stock/failed" | wc -l) cases fail"
fi
say "ejabberd $installed: $ours of its own cases passed, $failed failed that pass without the plugin"
echo "$ours $failed" >"$result"
[ "$failed" -eq 0 ]
