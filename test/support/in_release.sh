#!/bin/bash
# Builds the plugin against the ejabberd of this chroot and runs tests with it. Leaves "PASSED FAILED" in
# _build/results/sum, and what did not pass in _build/results/sum.failed. Started by matrix.sh.
# usage: in_release.sh all|smoke|interop|install [SUITE...]
set -uo pipefail
cd "$(dirname "$0")/../.."

here=test/support
what=$1
shift
export ERL_LIBS=$PWD/_build/ejabberd_libs PYTHON=/usr/bin/python3 TWITTER_WALK=$PWD/target/release/twitter_walk
results=_build/results
mkdir -p "$results"
passed=0 failed=0

# A part of the tests that writes its own sum to a file.
count() {
    local p f
    read -r p f < <(cat "$1" 2>/dev/null || echo 0 1)
    passed=$((passed + p)) failed=$((failed + f))
    [ ! -s "$1.failed" ] || cat "$1.failed" >>"$results/sum.failed"
}

ct() {
    local result=$results/ct
    "$here/run_ct.escript" "$result" "$@"
    count "$result"
}

slixmpp() {
    "$PYTHON" "$here/run_slixmpp.py" "$results/slixmpp" "$@" || echo 'slixmpp: see above' >>"$results/sum.failed"
    count "$results/slixmpp"
}

demo() {
    if "$PYTHON" test/demo/demo.py --once --port 0 --folder _build/demo_test >_build/demo.log 2>&1; then
        echo '1 0' >"$results/demo"
    else
        echo '0 1' >"$results/demo"
        { echo 'the demo said:'; tail -n 20 _build/demo.log; } >>"$results/sum.failed"
    fi
    count "$results/demo"
}

"$here/link_ejabberd.sh" "$ERL_LIBS" &&
    ERL_COMPILER_OPTIONS='[warnings_as_errors]' rebar3 compile &&
    "$here/install_native.sh" _build/default/lib/ejabberd_twitter/priv ||
    { echo 'it does not compile' >"$results/sum.failed"; exit 1; }

case $what in
    all)
        ct "$@"
        if [ $# -eq 0 ]; then
            slixmpp
            demo
        fi
        ;;
    smoke)
        ct publish_SUITE push_SUITE read_SUITE rights_SUITE intruder_SUITE persistence_SUITE commands_SUITE \
            admin_SUITE
        demo
        ;;
    interop)
        EJABBERD=$(echo "$PWD"/_build/sources/*) "$here/interop.sh" "$results/interop"
        count "$results/interop"
        ;;
    install)
        "$here/install_test.sh" "$results/install"
        count "$results/install"
        ;;
esac
echo "$passed $failed" >"$results/sum"
[ $failed -eq 0 ]
