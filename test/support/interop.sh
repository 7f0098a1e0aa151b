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
rm -f "$result" "$result.failed"
export CT_BACKENDS=mnesia,sqlite,agnostic

say() { echo "interop: $*"; }
die() {
    say "$*"
    echo "interop: $*" >"$result.failed"
    echo '0 1' >"$result"
    exit 1
}

# Without Debian's revision, as CHANGELOG.md has it.
installed=$(dpkg-query -W -f '${source:Upstream-Version}' ejabberd) || die 'ejabberd is not installed'
sources=
for folder in ${EJABBERD:-}; do
    [ "$(sed -n '1s/^#* *Version //p' "$folder/CHANGELOG.md" 2>/dev/null)" != "$installed" ] || sources=$folder
done
[ -n "$sources" ] || die "EJABBERD has to name a folder with the sources of ejabberd $installed," \
    "which https://github.com/processone/ejabberd has under that tag; it is: ${EJABBERD:-empty}"

rm -rf "$work"
mkdir -p "$work"
erlc -o "$work" test/harness/twitter_failed.erl || die 'the hook does not compile'

# Ports are fixed in those tests, so they have a network of their own, in which no name server answers. The chroots of
# matrix.sh have one.
printf '%s localhost mnesia.localhost s2s.localhost upload.localhost\n' 127.0.0.1 ::1 >"$work/hosts"
alone() {
    if [ -f /etc/compat-chroot ]; then
        mount --bind "$work/hosts" /etc/hosts && "$@"
    else
        unshare --map-root-user --net --mount \
            sh -c 'ip link set lo up && mount --bind "$0" /etc/hosts && exec "$@"' "$work/hosts" "$@"
    fi
}

# run NAME: all cases of the two storages that need no other server, and those of none (disco, presence, carbons),
# with the configuration there. 26.07 looks for modules of its own in ../../test of where it runs.
run() {
    local folder=$work/$1
    say "$1: see ${folder#"$PWD"/}/out.log"
    mkdir "$folder/logs"
    (cd "$folder" && alone ct_run -noshell -dir test -suite ejabberd_SUITE -group no_db mnesia sqlite -logdir logs \
        -include "$ERL_LIBS/ejabberd/include" -pa "$ERL_LIBS/ejabberd/ebin" "$plugin" "$work" \
        -ct_hooks twitter_failed "\"$folder/failed\"" >out.log 2>&1)
    passed=$(grep -ao 'TEST COMPLETE, [0-9]*' "$folder/out.log" | grep -o '[0-9]*')
    [ -n "$passed" ] || die "the tests of ejabberd did not run with $1: $(tail -n 5 "$folder/out.log")"
}

# The server of the cases that store nothing has no mod_pubsub of its own, so disco would not come by it.
prepared() {
    mkdir "$work/$1" && cp -r "$sources/test" "$sources/sql" "$work/$1"
    sed -i 's/^modules:$/&\n  mod_caps: []\n  mod_pubsub:\n    plugins: [flat, pep]/' \
        "$work/$1/test/ejabberd_SUITE_data/ejabberd.yml"
}

# Errors in the log that are about the plugin, the first lines of each.
errors() {
    find "$1/logs" -name ejabberd.log -exec cat {} + | awk '
        function tell() { if (about) printf "in the log: %s\n", entry }
        /^[0-9]+-[0-9]+-[0-9]+ [0-9:.]+/ { tell(); error = /\[(error|critical|alert|emergency)\]/; about = 0; entry = "" }
        error { if (length(entry) < 1000) entry = entry " " $0; if (/twitter_|_twitter/) about = 1 }
        END { tell() }'
}

prepared twitter
sed -i -E 's/^( +)mod_pubsub:$/\1mod_twitter: {}\n&\n\1  nodetree: twitter/' \
    "$work"/twitter/test/ejabberd_SUITE_data/ejabberd{,.mnesia,.sqlite}.yml
run twitter
ours=$passed
for host in localhost mnesia.localhost sqlite.localhost; do
    grep -aq "Microblogs of $host are served at pubsub.$host" "$work/twitter/out.log" ||
        die "$host had no microblogs, so nothing is said about it"
done

errors "$work/twitter" >"$result.failed"
failed=$(wc -l <"$result.failed")
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
