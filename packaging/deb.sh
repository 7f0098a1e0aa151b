#!/bin/bash
# deb.sh PLUGIN FOLDER: makes the Debian package ejabberd-mod-twitter in FOLDER, from the plugin as it was
# built against the ejabberd that is installed here. Started by `make deb`. VERSION overrides the version.
#
# The plugin has a folder of its own beside ejabberd's: Debian's ejabberdctl has all of those on the code path.
set -euo pipefail
cd "$(dirname "$0")/.."
plugin=$1 out=$2
die() { echo "${0##*/}: $*" >&2; exit 1; }

beam=$(dpkg -L ejabberd 2>/dev/null | sed -n "/\/ebin\/ejabberd\.beam$/p")
[ -n "$beam" ] || die "Debian's ejabberd is not installed"
beside=${beam%/*/ebin/ejabberd.beam}
# Headers, and with them records, change from one version of ejabberd to the next.
installed=$(dpkg-query -W -f '${Version}' ejabberd)
ejabberd=${installed%%-*}
year=${ejabberd%%.*} month=${ejabberd#*.} month=${month%%.*}
next=$year.$(printf '%02d' $((10#$month + 1)))
# Beams of one Erlang load in the next ones, not in those before.
erlang=$(dpkg-query -W -f '${Version}' erlang-base)
erlang=${erlang%%.*}
abi=$(dpkg-query -W -f '${Provides}' erlang-base | grep -o 'erlang-abi (= [0-9.]*)')
architecture=$(dpkg --print-architecture)
version=$(packaging/version.sh)+ejabberd$ejabberd
# Who builds it answers for it.
maintainer="${DEBFULLNAME:-ejabberd_twitter} <${DEBEMAIL:-ejabberd-twitter@example.org}>"
name=ejabberd-mod-twitter
package=$out/$name

rm -rf "$package"
doc=$package/usr/share/doc/$name
lib=$package$beside/ejabberd_twitter
mkdir -p "$package/DEBIAN" "$doc/examples" "$lib/ebin" "$lib/priv"
install -m 644 "$plugin"/ebin/*.beam "$plugin"/ebin/*.app "$lib/ebin/"
install -m 644 "$plugin/priv/twitter_nif.so" "$lib/priv/"
strip --strip-unneeded "$lib/priv/twitter_nif.so"
cp -r "$plugin/priv/twitter_msgs" "$lib/priv/"

install -m 644 packaging/mod_twitter.yml "$doc/examples/"
install -m 644 README.md docs/operations.md packaging/debian/copyright "$doc/"
install -d "$package/usr/share/lintian/overrides"
sed "s,@LIB@,${lib#"$package"/},g" packaging/debian/lintian-overrides >"$package/usr/share/lintian/overrides/$name"
date=$(date -R -u -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y CHANGELOG.md)}")
printf '%s (%s) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' "$name" "$version" \
    "$maintainer" "$date" >"$doc/changelog.Debian"
cp CHANGELOG.md "$doc/changelog"
gzip -9n "$doc/changelog" "$doc/changelog.Debian" "$doc/README.md" "$doc/operations.md"

# What the native library needs of the C library: dpkg-shlibdeps wants to see a source package.
mkdir -p "$out/shlibs/debian"
printf 'Source: %s\n\nPackage: %s\nArchitecture: any\n' "$name" "$name" >"$out/shlibs/debian/control"
so=$(realpath "$lib/priv/twitter_nif.so")
shlibs=$(cd "$out/shlibs" && dpkg-shlibdeps -O --ignore-missing-info "$so" | sed -n 's/^shlibs:Depends=//p')

chmod -R u=rwX,go=rX "$package"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
    -e "s/@MAINTAINER@/$maintainer/" \
    -e "s/@SIZE@/$(du -sk --apparent-size "$package/usr" | cut -f1)/" \
    -e "s/@DEPENDS@/ejabberd (>= $ejabberd), ejabberd (<< $next~), erlang-base (>= $erlang), $abi, $shlibs/" \
    packaging/debian/control >"$package/DEBIAN/control"
for script in postinst prerm; do install -m 755 "packaging/debian/$script" "$package/DEBIAN/"; done
(cd "$package" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
chmod 644 "$package/DEBIAN/control" "$package/DEBIAN/md5sums"
dpkg-deb --root-owner-group -Zxz --build "$package" "$out/${name}_${version}_$architecture.deb" >/dev/null
rm -rf "$package" "$out/shlibs"
echo "the package is $out/${name}_${version}_$architecture.deb"
