#!/bin/sh
# install_native.sh DIR: puts the NIF library and the translations where the plugin looks
# for them.
#
# rebar3 links an application's priv to a folder of the source tree; ours is made from
# two, so it is a real folder. The library is renamed into place: a server that has the
# old one loaded goes on with it.
set -eu
priv=$1
[ ! -L "$priv" ] || rm "$priv"
mkdir -p "$priv"
cp "${CARGO_TARGET_DIR:-target}/release/libtwitter_nif.so" "$priv/twitter_nif.so.new"
mv "$priv/twitter_nif.so.new" "$priv/twitter_nif.so"
rm -rf "$priv/twitter_msgs"
cp -r erlang_src/msgs "$priv/twitter_msgs"
# rebar3 also leaves links to the source tree, which would dangle wherever the plugin is copied.
for link in "$(dirname "$priv")"/*; do
    [ ! -L "$link" ] || rm "$link"
done
