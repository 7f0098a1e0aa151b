#!/bin/bash
# All that needs no running server: formats, lints, warnings, types, documentation.
# Runs every check, shows what a failed one said, and ends with how many passed.
# Writes "PASSED FAILED" to the file RESULT. Started by `make check`, which sets ERL_LIBS.
# usage: check.sh RESULT
set -uo pipefail
cd "$(dirname "$0")/../.."

here=test/support
work=_build/check
beams=$work/default/lib/ejabberd_twitter/ebin
result=$1
passed=0 failed=0
mkdir -p "$work" "$(dirname "$result")"

# check NAME COMMAND...: one check; its output is shown when it fails.
check() {
    local name=$1 log=$work/$1.log
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "check $name: ok"
    else
        failed=$((failed + 1))
        echo "check $name: FAILED"
        sed 's/^/    /' "$log"
    fi
}

# The plugin in a build folder of its own, warnings denied.
erlc_plugin() {
    REBAR_BASE_DIR=$work ERL_COMPILER_OPTIONS='[warnings_as_errors]' rebar3 compile
}

erlc_tests() {
    mkdir -p "$work/tests" && erlc -Wall -Werror +warn_export_vars +warn_shadow_vars +warn_unused_import \
        +warn_obsolete_guard -o "$work/tests" test/ct/*.erl test/harness/*.erl bench/*/*.erl
}

python_bench() {
    "${PYTHON:-python3}" -c '
import ast, sys
for file in sys.argv[1:]:
    ast.parse(open(file).read(), file)' bench/*.py
}

xref() {
    REBAR_BASE_DIR=$work rebar3 xref
}

# EDoc says what it does not like, but ends well all the same.
edoc() {
    local said
    said=$(erl -noinput -eval '
        edoc:files(filelib:wildcard("erlang_src/*/*.erl"), [{dir, "'"$work/doc"'"}]),
        halt().' 2>&1) && [ -z "$said" ] || { echo "$said"; return 1; }
}

check rustfmt cargo fmt --all --check
# The fuzz targets too; to link them, which needs C++, is not their compiler's business.
check clippy cargo clippy --workspace --all-targets --features twitter_fuzz/targets --locked -- --deny warnings
check rustdoc env RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps --locked
check erlc erlc_plugin
check erlc-tests erlc_tests
check python python_bench
check xref xref
check dialyzer bash -c "$here/dialyze.escript $beams/*.beam"
check edoc edoc
check words $here/words.escript

echo "checks: $passed passed, $failed failed"
echo "$passed $failed" >"$result"
[ "$failed" -eq 0 ]
