#!/bin/sh
# setup.sh [--only] [PACKAGE...]: installs the Debian or Ubuntu packages that are missing, and those named; with --only, these
# alone. Does nothing if all are there.
set -eu
packages="gcc g++ cmake ninja-build pkg-config git glslang-tools libvulkan-dev libvulkan-volk-dev libstb-dev libjansson-dev
    libarchive-dev libxxhash-dev libutf8proc-dev zlib1g-dev libjpeg-dev libpng-dev libwebp-dev libtiff-dev libheif-dev libopenblas0 nettle-dev
    liblzma-dev libzstd-dev libbz2-dev bzip2 xz-utils zstd check locales mesa-vulkan-drivers vulkan-validationlayers"
if [ "${1-}" = --only ]; then
    shift
    packages=
fi
packages="$packages $*"

if ! command -v dpkg-query >/dev/null; then
    echo "setup: not a Debian or Ubuntu system; what is needed, under Debian's names:" $packages >&2
    exit 0
fi
missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=sudo
else
    echo "setup: these packages are missing and neither root nor sudo is at hand. Please have them installed:" >&2
    echo "    apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "setup: installing$missing" >&2
$as_root apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >&2
