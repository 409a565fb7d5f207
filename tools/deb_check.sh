#!/bin/sh
# deb_check.sh [SUITE [MIRROR]]: in a clean system of debootstrap (default: bookworm) builds the packages by tools/deb.sh of
# the committed tree, installs them, uses program, manual and completion as a user would, and removes them again without a
# trace. Needs root. $DEB_BUILD_OPTIONS as in deb.sh; $KEEP: a folder for the packages.
set -eu
cd "$(dirname "$0")/.."
suite=${1:-bookworm} mirror=${2:-http://deb.debian.org/debian}
[ "$(id -u)" -eq 0 ] || { echo "deb_check: debootstrap needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || sh tools/setup.sh debootstrap
root=$(mktemp -d)
chmod 755 "$root" # tests become another user, who has to get in
trap 'umount "$root/dev/pts" "$root/proc" 2>/dev/null; rm -rf "$root"' EXIT
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 || { tail -n 5 "$root.log" >&2; exit 1; }
rm -f "$root.log"
for file in /etc/resolv.conf /etc/apt/sources.list /etc/apt/apt.conf.d/*proxy*; do
    if [ -f "$file" ] && [ "$file" != /etc/apt/sources.list ]; then cp "$file" "$root$file"; fi
done
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/pts"
mount -t devpts devpts "$root/dev/pts"
in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-}" \
    http_proxy="${http_proxy-}" https_proxy="${https_proxy-}" DEBIAN_FRONTEND=noninteractive "$@"; }
mkdir "$root/source"
git archive HEAD | tar -x -C "$root/source"
in_root sh -c 'cd /source && apt-get update -qq && sh tools/deb.sh /packages'
# Another clean system: what is installed now is what the packages ask for.
in_root sh -c 'apt-get install -y -qq --no-install-recommends man-db bash-completion /packages/*.deb >/dev/null'
in_root sh -c 'dpkg -S "$(command -v adatom)"; adatom --version'
in_root sh -c 'man adatom-adapt | grep -q "adatom adapt" || { sed -i "/usr.share.man/d" /etc/dpkg/dpkg.cfg.d/* 2>/dev/null; man adatom-adapt | grep -q "adatom adapt"; }' ||
    { echo "deb_check: man adatom-adapt shows nothing" >&2; exit 1; }
in_root bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader adatom; COMP_WORDS=(adatom adapt --ada); COMP_CWORD=2; _adatom
    [ "${COMPREPLY[*]}" = "--adapt --adapter-scale" ]' || { echo "deb_check: no completion" >&2; exit 1; }
in_root adatom reproduce /usr/share/adatom/episodes/conv4-shapes-5shot.json --device cpu --quiet
in_root sh -c 'apt-get purge -y -qq adatom libadatom0 libadatom-dev >/dev/null; ! find / -xdev -name "*adatom*" -not -path "/proc/*" -not -path "/source*" -not -path "/packages*" \
    -not -path "/root/.cache/*" -not -path "/var/log/*" | grep .' || { echo "deb_check: that is left after removing" >&2; exit 1; }
if [ -n "${KEEP-}" ]; then mkdir -p "$KEEP" && cp "$root"/packages/*.deb "$KEEP/"; fi
echo "deb_check: built, installed, used and removed in $suite"
