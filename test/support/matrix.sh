#!/bin/bash
# The same tests with the ejabberd of several Debian releases, each in a chroot of its own: `make matrix`
# runs all of them, `make smoke` a few, `make interop RELEASES=...` ejabberd's own, `make install-test`
# installs the packages. The native library is the one that was built here, on the oldest of them; what is
# Erlang is compiled inside, against the headers of each. The last lines sum up; the exit status is 0 if
# all passed, and 75 if nothing failed but some release could not be tried. Started by `make`.
# usage: matrix.sh all|smoke|interop|install [SUITE...]
#
#   COMPAT        the folder of make-chroot.sh and in-chroot.sh, which is beside the project
#   COMPAT_ROOTS  where the chroots are, or are made: 1.1 GB and two minutes each
#   RELEASES      which releases of Debian
#   EJABBERD      folders with the sources of their ejabberds, for interop
set -uo pipefail
cd "$(dirname "$0")/../.."

what=$1
shift
compat=$(realpath -m "${COMPAT:-../shared/compat}")
roots=${COMPAT_ROOTS:-/var/tmp}
releases=${RELEASES:-bookworm trixie forky}
target=$(realpath "${CARGO_TARGET_DIR:-target}")
failed=0 untried=0
summary=()

say() { echo "matrix: $*"; }

# The end of a log, indented.
end_of() { tail -n 5 "$1" | sed 's/^/    /'; }

# Whether there is a chroot of a release, made now if need be; says why not.
have_chroot() {
    local release=$1 root=$roots/$1 log=_build/matrix/$1-chroot.log script rc=0
    for script in make-chroot.sh in-chroot.sh; do
        [ ! -x "$compat/$script" ] || continue
        say "$release: there is no $compat/$script: COMPAT names its folder"
        return 1
    done
    [ ! -f "$root/etc/compat-chroot" ] || return 0
    say "$release: making $root, which takes some minutes"
    : >"$log"
    # If it cannot be installed, make-chroot.sh says that it is not there.
    command -v debootstrap >/dev/null || test/support/install_packages.sh --without-rust debootstrap >>"$log" 2>&1
    timeout 900 "$compat/make-chroot.sh" "$release" "$root" >>"$log" 2>&1 || rc=$?
    [ $rc -ne 0 ] || return 0
    [ $rc -ne 124 ] || echo 'it was not done after 15 minutes' >>"$log"
    say "$release: the chroot could not be made, says $log:"
    end_of "$log"
    return 1
}

# inside RELEASE COMMAND...: runs it at the copy of the sources.
inside() {
    local release=$1
    shift
    SRC=_build/matrix/$release "$compat/in-chroot.sh" "$roots/$release" "$@"
}

# The same where what changes in the chroot is thrown away at the end.
inside_copy() {
    local release=$1 layers=$PWD/_build/matrix/$1-layers rc=0
    shift
    rm -rf "$layers"
    mkdir -p "$layers"/{changed,work,root}
    # The mount is gone with the namespace.
    SRC=$PWD/_build/matrix/$release unshare --mount --propagation private bash -c '
        mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/changed,workdir=$2/work" "$2/root" || exit 1
        in_chroot=$3 root=$2/root
        shift 3
        "$in_chroot" "$root" "$@"' - "$(realpath "$roots/$release")" "$layers" "$compat/in-chroot.sh" "$@" ||
        rc=$?
    rm -rf "$layers"
    return $rc
}

# Sources without anything that was built from them, but for what is built by Rust.
copy_sources() {
    local copy=_build/matrix/$1
    rm -rf "$copy"
    mkdir -p "$copy/target/release"
    tar -c --exclude=./_build --exclude=./target --exclude=./.git . | tar -x -C "$copy"
    cp "$target"/release/{libtwitter_nif.so,twitter_walk} "$copy/target/release/"
    [ "$what" = interop ] || return 0
    local folder
    for folder in ${EJABBERD:-}; do
        mkdir -p "$copy/_build/sources/${folder##*/}"
        cp -r "$folder"/{CHANGELOG.md,test,sql} "$copy/_build/sources/${folder##*/}"
    done
}

try() {
    local release=$1 result=_build/matrix/$1/_build/results/sum
    shift
    if ! have_chroot "$release"; then
        untried=$((untried + 1))
        summary+=("$(printf '%-9s NOT TRIED: there is no chroot, or no way into it' "$release")")
        return
    fi
    copy_sources "$release"
    if ! COMPAT_NET=host inside "$release" test/support/install_packages.sh --without-rust \
        >"_build/matrix/$release-packages.log" 2>&1; then
        say "$release: packages could not be installed, says _build/matrix/$release-packages.log:"
        end_of "_build/matrix/$release-packages.log"
        untried=$((untried + 1))
        summary+=("$(printf '%-9s NOT TRIED: packages are missing' "$release")")
        return
    fi
    local versions
    versions=$(inside "$release" dpkg-query -W -f '${Package} ${Version}  ' ejabberd erlang-base)
    say "$release: $versions"
    local where=inside
    [ "$what" != install ] || where=inside_copy
    $where "$release" test/support/in_release.sh "$what" "$@" 2>&1 | sed -u "s/^/$release: /"
    local p f
    read -r p f < <(cat "$result" 2>/dev/null || echo 0 1)
    [ "$f" -eq 0 ] || failed=$((failed + 1))
    summary+=("$(printf '%-9s %4d passed, %d failed  %s' "$release" "$p" "$f" "$versions")")
    if [ -s "$result.failed" ]; then summary+=("$(sed 's/^/    /' "$result.failed")"); fi
}

mkdir -p _build/matrix
# Another run would delete the copies of this one.
exec 9>_build/matrix/lock
flock --nonblock 9 || { say 'another run is under way, and is waited for'; flock 9; }
if [ "$(id -u)" -ne 0 ]; then
    say "chroots need root: $what was NOT TRIED with $releases"
    exit 75
fi
for release in $releases; do try "$release" "$@"; done
echo
printf '%s\n' "${summary[@]}"
[ $failed -eq 0 ] || exit 1
[ $untried -eq 0 ] || exit 75
