#!/bin/sh
# bundle.sh [OUTPUT.tar.gz [BUILD]]: makes one archive that runs on any machine with glibc 2.36 or newer and, for GPUs,
# a Vulkan driver. It holds the binary, the libraries that the binary needs (all but libc's and the Vulkan loader, which
# belongs to the driver), models, a start script and gpu_suite.sh. BUILD: the build folder in which the binary is
# linked; without it the release preset is built. Unpacked the bundle takes at most 20 MB: only the archive formats that
# are read are linked, and libraries that are loaded on demand (libheif with its codecs, OpenBLAS) are not included but
# used where the system has them.
set -eu
cd "$(dirname "$0")/.."
newest_glibc=2.36
most_bytes=20000000
version=$(sed -n 's/^#define ADATOM_VERSION "\(.*\)"/\1/p' include/adatom/adatom.h)
name=adatom-$version-linux-$(uname -m)
output=${1:-$name.tar.gz}
build=${2-}
if [ -z "$build" ]; then
    build=build-release
    cmake --preset release >/dev/null
fi
grep -q '^ARCHIVE_STATIC:.*libarchive\.a$' "$build/CMakeCache.txt" || {
    echo "bundle: libarchive.a is missing (Debian's package libarchive-dev has it)" >&2
    exit 1
}
cmake --build "$build" --target adatom_bundled >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/$name
mkdir -p "$root/libexec" "$root/lib" "$root/fallback" "$root/models"
strip -o "$root/libexec/adatom" "$build/adatom_bundled"

# GPU drivers run in the same process and may need newer versions of some of the same libraries: these libraries are
# taken from the system where it has them, and else from `fallback`.
ldd "$build/adatom_bundled" >"$work/needed"
sh tools/licences.sh "$build" "$build/adatom_bundled" "$root/licences"
awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' "$work/needed" | while read -r soname path; do
    case $soname in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux*) continue ;;
    libjansson.* | libnettle.* | libgomp.*) to=$root/lib ;;
    *) to=$root/fallback/$soname && mkdir "$to" ;;
    esac
    file=$(readlink -f "$path")
    cp "$file" "$to/$soname"
done
for model in models/*.safetensors; do
    if [ -f "$model" ]; then cp "$model" "$root/models/"; fi
done
cp -r LICENSE README.md docs "$root/"
cp tools/gpu_suite.sh "$root/"
cat >"$root/adatom" <<'END'
#!/bin/sh
# Starts Adatom with the libraries beside it. Libraries that drivers may share are the system's where it has them.
here=$(dirname "$(readlink -f "$0")")
path=$here/lib
for folder in "$here"/fallback/*; do
    found=
    for system in /lib /usr/lib /lib64 /usr/lib64 /lib/*-linux-gnu /usr/lib/*-linux-gnu; do
        if [ -e "$system/${folder##*/}" ]; then found=yes; fi
    done
    [ -n "$found" ] || path=$path:$folder
done
LD_LIBRARY_PATH=$path${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec "$here/libexec/adatom" "$@"
END
chmod +x "$root/adatom" "$root/gpu_suite.sh"

find "$root" -type f \( -name '*.so*' -o -path '*/libexec/*' \) -exec objdump -T {} + >"$work/symbols"
needs=$(grep -oE 'GLIBC_[0-9.]+' "$work/symbols" | cut -d_ -f2 | sort -Vu | tail -n 1)
if [ "$(printf '%s\n' "$needs" "$newest_glibc" | sort -V | tail -n 1)" != "$newest_glibc" ]; then
    echo "bundle: it would need glibc $needs; build it on a system with glibc $newest_glibc or older" >&2
    exit 1
fi
"$root/adatom" --version >/dev/null
bytes=$(find "$root" -type f -printf '%s\n' | awk '{sum += $1} END {print sum}')
if [ "$bytes" -gt $most_bytes ]; then
    echo "bundle: unpacked it takes $bytes bytes, more than $most_bytes:" >&2
    find "$root" -type f -printf '%s %P\n' | sort -rn | head -n 5 >&2
    exit 1
fi
made=$(git log -1 --format=%ct 2>/dev/null || echo 0)
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$made" -C "$work" -czf "$output.tmp" "$name"
mv "$output.tmp" "$output"
echo "$output: $(du -h "$output" | cut -f1), unpacked $((bytes / 1000000)) MB, needs glibc $needs"
