#!/bin/sh
# deb.sh [FOLDER]: makes the Debian packages adatom, libadatom0 and libadatom-dev of the committed tree in FOLDER (default:
# dist), runs the tests of the packages on the way, and lintian at the end. $DEB_BUILD_OPTIONS=nocheck leaves the tests out.
# What packages it takes to build is installed where this user may.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-dist}
sh tools/setup.sh build-essential debhelper devscripts dpkg-dev fakeroot lintian mandoc python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)
header=$(sed -n 's/^#define ADATOM_VERSION "\(.*\)"/\1/p' include/adatom/adatom.h)
[ "$version" = "$header" ] || {
    echo "deb: packaging/debian/changelog is of $version, include/adatom/adatom.h of $header" >&2
    exit 1
}
tree=$work/adatom-$version
mkdir "$tree"
if git rev-parse --git-dir >/dev/null 2>&1; then
    git archive HEAD | tar -x -C "$tree"
else # a tree that was unpacked from an archive
    tar -c --exclude './build*' --exclude ./dist . | tar -x -C "$tree"
fi
cp -r packaging/debian "$tree/debian"
if ! (cd "$tree" && dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary) >"$work/log" 2>&1; then
    tail -n 60 "$work/log" >&2
    exit 1
fi
grep -E '^[0-9]+% tests passed' "$work/log" >&2 || echo "deb: no test was run" >&2
lintian --fail-on error "$work"/*.changes
mkdir -p "$folder"
mv "$work"/*.deb "$folder/"
ls -l "$folder"/*.deb | awk '{print $NF ": " int($5 / 1000) " kB"}'
