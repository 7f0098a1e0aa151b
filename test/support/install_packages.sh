#!/bin/sh
# Installs the Debian packages that building, testing and the demo need, where some
# are missing, and says so first. Does nothing when all are there. Packages that are
# given as arguments are needed as well; --without-rust is for where the native library
# comes from elsewhere.
# usage: install_packages.sh [--without-rust] [PACKAGE...]
set -eu
say() { echo "${0##*/}: $*"; }
die() { say "$*" >&2; exit 1; }

if [ "${1:-}" = --without-rust ]; then
    shift
elif ! command -v cargo >/dev/null; then
    die "cargo was not found: install Rust 1.91 or later, then try again"
fi

packages="
    gcc libc6-dev dpkg-dev procps
    ejabberd erlang-base erlang-dev rebar3
    erlang-common-test erlang-dialyzer erlang-edoc erlang-eunit erlang-tools
    python3 python3-slixmpp
    erlang-p1-sqlite3 erlang-p1-pgsql postgresql
    $*
"
if ! command -v dpkg-query >/dev/null; then
    say "no Debian here: please see to it that the likes of these are installed:" $packages
    exit 0
fi

missing=
for package in $packages; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || die "please install as root: apt-get install$missing"
fi
say "installing these Debian packages${sudo:+ with sudo}:$missing"
case "$missing " in
    *" ejabberd "*) say "note: Debian starts the service of its ejabberd package, which this project does not use" ;;
esac

# The tests start a PostgreSQL of their own: one of the system is not needed, and would be made and started. The
# setting is for this installation only; whoever wants a cluster later has pg_createcluster.
no_cluster=/etc/postgresql-common/createcluster.d/ejabberd_twitter.conf
case "$missing " in
    *" postgresql "*)
        trap '$sudo rm -f "$no_cluster"' EXIT
        $sudo mkdir -p "${no_cluster%/*}"
        echo 'create_main_cluster = false' | $sudo tee "$no_cluster" >/dev/null
        ;;
esac

install() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; }
# The package lists may be missing, or too old for what the mirror has.
if ! apt-cache show $missing >/dev/null 2>&1 || ! install; then
    $sudo apt-get update
    install
fi
