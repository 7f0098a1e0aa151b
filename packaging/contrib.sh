#!/bin/sh
# contrib.sh FOLDER: makes FOLDER/mod_twitter, in the layout of ejabberd-contrib, and an archive of it, for
# `ejabberdctl module_install mod_twitter`. Started by `make contrib`.
#
# ejabberd compiles the sources itself, against its own headers, so one archive is for all its versions; only
# the native library is made for a kind of machine.
set -eu
cd "$(dirname "$0")/.."
out=$1
version=$(packaging/version.sh)
module=$out/mod_twitter

rm -rf "$module"
mkdir -p "$module/src" "$module/priv"
# Debian calls the folders of ejabberd's libraries otherwise, and module_install knows no library by the name
# of its folder; but it has all their folders of headers on its path. It compiles what lies in src, and nothing below.
for source in erlang_src/*/*.erl; do
    sed 's,^-include_lib("\(ejabberd\|xmpp\)/include/,-include(",' "$source" >"$module/src/${source##*/}"
done
install -m 644 "${CARGO_TARGET_DIR:-target}/release/libtwitter_nif.so" "$module/priv/twitter_nif.so"
cp -r erlang_src/msgs "$module/priv/twitter_msgs"
cp packaging/mod_twitter.spec COPYING README.md CHANGELOG.md "$module/"
# Where module_check of older versions looks for it.
cp README.md "$module/README.txt"
cp packaging/mod_twitter.yml "$module/mod_twitter.yml.example"
archive=$out/mod_twitter-$version-$(uname -m).tar.gz
tar -c --owner=0 --group=0 --numeric-owner --sort=name -C "$out" mod_twitter | gzip -9n >"$archive"
echo "the archive is $archive"
