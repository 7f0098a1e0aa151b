#!/bin/sh
# version.sh: the plugin's version, as its .app.src has it; VERSION overrides.
set -eu
cd "$(dirname "$0")/.."
echo "${VERSION:-$(sed -n 's/.*{vsn, "\(.*\)"}.*/\1/p' erlang_src/ejabberd_twitter.app.src)}"
