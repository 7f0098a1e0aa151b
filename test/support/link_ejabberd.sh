#!/bin/sh
# link_ejabberd.sh DIR: makes DIR a folder for ERL_LIBS, with ejabberd's libraries
# under the names its own sources use (ejabberd, xmpp, fast_xml).
#
# Debian calls two of them p1_xmpp and p1_xml, and keeps ejabberd in a folder of
# its own outside Erlang's.  With these links, one
#     -include_lib("xmpp/include/xmpp.hrl").
# compiles everywhere.  EJABBERD_DIR names the folder that has ejabberd's ebin when
# it comes from no Debian package.
set -eu
die() { echo "${0##*/}: $*" >&2; exit 1; }

[ $# -eq 1 ] || die "usage: ${0##*/} DIR"
dir=$1

ejabberd=${EJABBERD_DIR:-$(dpkg -L ejabberd 2>/dev/null | sed -n 's,/ebin/ejabberd\.beam$,,p')}
[ -e "$ejabberd/ebin/ejabberd.beam" ] || die "no ejabberd found: install it (make deps) or set EJABBERD_DIR"
beside=$(dirname "$ejabberd")
otp=$(env -u ERL_LIBS erl -noinput -eval 'io:put_chars(code:lib_dir()), halt().')

# One library of ejabberd: beside it, or among Erlang's own; by either name.
find_library() {
    for folder in "$beside" "$otp"; do
        for name in "$@"; do
            for found in "$folder/$name" "$folder/$name"-[0-9]*; do
                if [ -d "$found/ebin" ]; then echo "$found"; return; fi
            done
        done
    done
    die "ejabberd's library $1 was not found in $beside or $otp"
}

xmpp=$(find_library xmpp p1_xmpp)
fast_xml=$(find_library fast_xml p1_xml)
mkdir -p "$dir"
# Links that are right stay: a server that runs may be about to load a module from there.
link() { [ "$(readlink "$dir/$2" || true)" = "$1" ] || ln -sfn "$1" "$dir/$2"; }
# What was linked from another installation goes.
for old in "$dir"/*; do
    [ -d "$old/ebin" ] || rm -f "$old"
done
# What an ejabberd with a folder of its own brings along.
for library in "$beside"/*-[0-9]*/ebin; do
    library=${library%/ebin}
    case ${library##*/} in
        ejabberd-*) ;;
        *) [ ! -d "$library/ebin" ] || link "$library" "${library##*/}" ;;
    esac
done
link "$ejabberd" ejabberd
link "$xmpp" xmpp
link "$fast_xml" fast_xml
