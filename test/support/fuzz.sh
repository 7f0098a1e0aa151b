#!/bin/bash
# Fuzzes each target of native/fuzz for so many seconds, beginning with its seeds and with what was found
# before (_build/fuzz/corpus). An input that breaks a target is left in _build/fuzz/TARGET-* and shown.
# Needs cargo-fuzz (`cargo install cargo-fuzz`) and a C++ compiler. Started by `make fuzz`.
# usage: fuzz.sh SECONDS [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=$1
shift
[ $# -gt 0 ] || set -- path cursor payload roster
if ! cargo fuzz --version >/dev/null 2>&1 || ! command -v c++ >/dev/null; then
    echo 'make fuzz needs cargo-fuzz (cargo install cargo-fuzz) and a C++ compiler' >&2
    exit 1
fi
work=$PWD/_build/fuzz
# Any toolchain will do: the sanitizer asks for an unstable option.
export RUSTC_BOOTSTRAP=1
failed=0
for target; do
    corpus=$work/corpus/$target
    mkdir -p "$corpus"
    options=(-max_total_time="$seconds" -timeout=10 -artifact_prefix="$work/$target-" -print_final_stats=1)
    [ ! -f "native/fuzz/$target.dict" ] || options+=(-dict="native/fuzz/$target.dict")
    cargo fuzz run --fuzz-dir native/fuzz --target-dir "$work/target" --features run \
        "$target" "$corpus" "native/fuzz/seeds/$target" -- "${options[@]}" || failed=1
done
exit $failed
