#!/bin/sh
# bundle.sh [OUTPUT.tar.gz [BUILD]]: one archive that runs on any machine with glibc 2.36 or newer and, for GPUs, a Vulkan driver:
# the binary, the libraries it needs (all but libc's and the Vulkan loader, which belongs to the driver), models, a start script and
# gpu_suite.sh. BUILD: a build folder with the binary; without it the release preset is built.
set -eu
cd "$(dirname "$0")/.."
newest_glibc=2.36
version=$(sed -n 's/^#define ADATOM_VERSION "\(.*\)"/\1/p' include/adatom/adatom.h)
name=adatom-$version-linux-$(uname -m)
output=${1:-$name.tar.gz}
build=${2-}
if [ -z "$build" ]; then
    build=build-release
    cmake --preset release >/dev/null
    cmake --build --preset release --target adatom >&2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/$name
mkdir -p "$root/libexec" "$root/lib" "$root/fallback" "$root/models" "$root/licences"
strip -o "$root/libexec/adatom" "$build/adatom"

# GPU drivers run in the same process and use some of the same libraries, maybe newer ones: those are taken from the system where
# it has them, from `fallback` where it has not.
ldd "$build/adatom" >"$work/needed"
awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' "$work/needed" | while read -r soname path; do
    case $soname in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux*) continue ;;
    libjansson.* | libarchive.* | libopenblas.* | libgomp.* | libgfortran.* | libquadmath.*) to=$root/lib ;;
    *) to=$root/fallback/$soname && mkdir "$to" ;;
    esac
    file=$(readlink -f "$path")
    cp "$file" "$to/$soname"
    # Packages older than the merging of /lib and /usr/lib list the file without /usr.
    package=$({ dpkg-query -S "$file" || dpkg-query -S "${file#/usr}"; } 2>/dev/null | head -n 1 | cut -d: -f1)
    if [ -f "/usr/share/doc/${package:-none}/copyright" ]; then cp "/usr/share/doc/$package/copyright" "$root/licences/$package"; fi
done
for model in models/*.safetensors; do
    if [ -f "$model" ]; then cp "$model" "$root/models/"; fi
done
cp LICENSE README.md "$root/"
cp tools/gpu_suite.sh "$root/"
cat >"$root/adatom" <<'END'
#!/bin/sh
# Starts Adatom with the libraries beside it. What the system has and drivers may share with it is the system's.
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
made=$(git log -1 --format=%ct 2>/dev/null || echo 0)
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$made" -C "$work" -czf "$output.tmp" "$name"
mv "$output.tmp" "$output"
echo "$output: $(du -h "$output" | cut -f1), needs glibc $needs"
