#!/bin/bash
# Installs, upgrades and removes what `make deb` and `make contrib` make, on the Debian of this chroot, whose
# ejabberd is run by Debian's own ejabberdctl under its own user. Writes "PASSED FAILED" to the file RESULT.
# It changes the system it runs on: matrix.sh starts it in a copy of a chroot (`make install-test`).
# usage: install_test.sh RESULT
set -uo pipefail
cd "$(dirname "$0")/../.."
[ -f /etc/compat-chroot ] || { echo "this is not a chroot for tests"; exit 1; }

result=$1
plugin=_build/default/lib/ejabberd_twitter
packages=/tmp/packages
port=5333
config=/etc/ejabberd/ejabberd.yml
home=/var/lib/ejabberd
passed=0 failed=0
export DEBIAN_FRONTEND=noninteractive
mkdir -p "$(dirname "$result")" "$packages" /run/ejabberd
chown ejabberd: /run/ejabberd

# step WHAT COMMAND...: one thing that must be so.
step() {
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "install $what: ok"
    else
        failed=$((failed + 1))
        echo "install $what: FAILED"
        printf '%s\n' "$said" | tail -n 30 | sed 's/^/    /'
        echo "install $what: $(printf '%s' "$said" | tail -n 1)" >>"$result.failed"
    fi
}

people() { /usr/bin/python3 test/support/install_client.py "$port" "$@"; }

start() {
    rm -f /var/log/ejabberd/ejabberd.log
    ejabberdctl start && timeout 60 ejabberdctl started && ejabberdctl status ||
        { tail -n 20 /var/log/ejabberd/*.log; return 1; }
}
stop() { ejabberdctl stop && timeout 60 ejabberdctl stopped; }
restart() { stop && start; }
log_says() { grep -q "$1" /var/log/ejabberd/ejabberd.log || { cat /var/log/ejabberd/ejabberd.log; return 1; }; }
nothing_left() { local found; found=$(find /usr -name '*twitter_*'); echo "$found"; [ -z "$found" ]; }

# As README says; besides, a port without TLS for the tests.
configure() {
    cp -p "$config" "$config.plain"
    sed -i "/^listen:/a\\  - {port: $port, ip: \"127.0.0.1\", module: ejabberd_c2s}" "$config.plain"
    sed -e '/^  mod_pubsub:/a\    nodetree: twitter' -e '/^modules:/a\  mod_twitter: {}' \
        "$config.plain" >"$config.twitter"
    with plain
}
with() { cat "$config.$1" >"$config"; }

accounts() {
    for name in alice bob carol; do ejabberdctl register $name localhost secret || return 1; done
    people befriend
}

# Another name has another version of the package.
deb() { VERSION=$1 packaging/deb.sh "$plugin" "$packages"; }
apt_install() { apt-get install -y --no-install-recommends "$packages/ejabberd-mod-twitter_$1+"*.deb; }

# As README says; ejabberd compiles it itself.
unpack() {
    local modules=$home/.ejabberd-modules
    rm -rf "$modules/sources/mod_twitter" && mkdir -p "$modules/sources" &&
        tar -xzf "$packages/mod_twitter-$1-$(uname -m).tar.gz" -C "$modules/sources" && chown -R ejabberd: "$modules"
}
contrib() { VERSION=$1 packaging/contrib.sh "$packages"; }
# ejabberdctl ends well whatever module_install says.
module() {
    local said
    said=$(ejabberdctl "$@" 2>&1)
    echo "$said"
    ! grep -qi '^error\|exited\|failed' <<<"$said"
}

configure
step 'builds a package' deb 0.1.0
step 'builds the next package' deb 0.1.1
step 'starts without it' start
step 'has accounts' accounts

step 'package: is installed' apt_install 0.1.0
with twitter
step 'package: ejabberd starts with it' restart
step 'package: it is served' log_says 'Microblogs of localhost are served'
step 'package: a post' people publish one
step 'package: who finds it' people posts one
step 'package: is upgraded while ejabberd runs' apt_install 0.1.1
step 'package: the loaded version goes on' people publish two
step 'package: the next version starts' restart
step 'package: no post was lost' people posts one two
step 'package: is removed while ejabberd runs' apt-get remove -y ejabberd-mod-twitter
step 'package: leaves no file behind' nothing_left
with plain
step 'package: ejabberd starts without it' restart
step 'package: removed, nobody reads the posts' people closed one two
step 'package: is installed again' apt_install 0.1.1
with twitter
step 'package: ejabberd starts with it again' restart
step 'package: the posts are back' people posts one two
step 'package: is purged' apt-get purge -y ejabberd-mod-twitter
with plain
step 'package: purged, ejabberd starts' restart
step 'package: purged, nobody reads the posts' people closed one two

step 'builds an archive' contrib 0.1.0
step 'archive: is unpacked' unpack 0.1.0
step 'archive: is available' bash -c 'ejabberdctl modules_available | grep mod_twitter'
step 'archive: module_install' module module_install mod_twitter
with twitter
step 'archive: ejabberd starts with it' restart
step 'archive: it is served' log_says 'Microblogs of localhost are served'
step 'archive: the posts are back' people posts one two
step 'archive: a post' people publish three
step 'archive: who finds it' people posts one two three
step 'builds the next archive' contrib 0.1.1
step 'archive: the next one is unpacked' unpack 0.1.1
step 'archive: module_upgrade' module module_upgrade mod_twitter
step 'archive: the next version starts' restart
step 'archive: no post was lost' people posts one two three
step "archive: ejabberd's own translations are untouched" dpkg --verify ejabberd
with plain
step 'archive: module_uninstall' module module_uninstall mod_twitter
step 'archive: ejabberd starts without it' restart
step 'archive: removed, nobody reads the posts' people closed one two three
step 'stops' stop

echo "install: $passed passed, $failed failed"
echo "$passed $failed" >"$result"
[ $failed -eq 0 ]
