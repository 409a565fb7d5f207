#!/bin/sh
# windows.sh [--check] [FOLDER]: cross-builds adatom.exe for Windows 10 and newer (x86-64, a processor with AVX2) with
# mingw-w64 and makes FOLDER/adatom-VERSION-windows-x86_64.zip (default: dist) of it, models, documentation and licences.
# The libraries come from the sources of this system's distribution (tools/windows_libraries.sh); they are kept in
# build-windows/libraries, the program in build-windows/program. --check: then runs tools/windows_check.sh, under Wine.
set -eu
cd "$(dirname "$0")/.."
check=
if [ "${1-}" = --check ]; then
    check=yes
    shift
fi
folder=${1:-dist}
libraries=$PWD/build-windows/libraries build=$PWD/build-windows/program
version=$(sed -n 's/^#define ADATOM_VERSION "\(.*\)"/\1/p' include/adatom/adatom.h)
name=adatom-$version-windows-x86_64
sh tools/setup.sh zip
sh tools/windows_libraries.sh "$libraries"
cmake -S . -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/mingw-w64.cmake" -DADATOM_WINDOWS_LIBRARIES="$libraries" \
    -DCMAKE_BUILD_TYPE=Release -DADATOM_WERROR=ON -DADATOM_WEBP=ON -DADATOM_TIFF=ON -DADATOM_HEIF=OFF >"$build.log" || {
    tail -n 30 "$build.log" >&2
    exit 1
}
grep ' pictures: ' "$build.log" >&2
cmake --build "$build" --target adatom >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/$name
mkdir -p "$root/models" "$root/licences"
x86_64-w64-mingw32-strip -o "$root/adatom.exe" "$build/adatom.exe"
# Nothing but what every Windows has.
needs=$(x86_64-w64-mingw32-objdump -p "$root/adatom.exe" | sed -n 's/.*DLL Name: //p' | tr 'A-Z' 'a-z' |
    grep -vxE '(kernel32|msvcrt|bcrypt|advapi32)\.dll' || true)
if [ -n "$needs" ]; then
    echo "windows: adatom.exe would need" $needs >&2
    exit 1
fi
cp models/*.safetensors "$root/models/"
cp -r LICENSE README.md docs "$root/"
cp "$libraries"/licences/* "$root/licences/"
rm -f "$root/licences/check"
# What GCC and mingw-w64 link into every program, and what comes as headers and source.
for package in gcc-mingw-w64-base mingw-w64-common libvulkan-dev libvulkan-volk-dev libstb-dev; do
    cp "/usr/share/doc/$package/copyright" "$root/licences/$package"
done
made=$(git log -1 --format=%ct 2>/dev/null || echo 0)
find "$root" -exec touch -d "@$made" {} +
mkdir -p "$folder"
rm -f "$folder/$name.zip.tmp"
(cd "$work" && find "$name" | LC_ALL=C sort | TZ=UTC zip -q -X -9 "$name.zip" -@)
cp "$work/$name.zip" "$folder/$name.zip.tmp"
mv "$folder/$name.zip.tmp" "$folder/$name.zip"
echo "$folder/$name.zip: $(du -h "$folder/$name.zip" | cut -f1); without HEIC and AVIF pictures, the library for C programs and OpenBLAS"
[ -z "$check" ] || sh tools/windows_check.sh "$folder/$name.zip" "$build"
