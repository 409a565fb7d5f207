#!/bin/sh
# licences.sh BUILD FILE FOLDER: copies the licences of what FILE, linked in the build folder BUILD, is made of and needs
# (all but libc's) into FOLDER: those of the Debian packages that the libraries belong to.
set -eu
build=$1 file=$2 folder=$3
mkdir -p "$folder"
# Packages older than the merging of /lib and /usr/lib list a file without /usr.
keep() {
    package=$({ dpkg-query -S "$1" || dpkg-query -S "${1#/usr}"; } 2>/dev/null | head -n 1 | cut -d: -f1)
    if [ -f "/usr/share/doc/${package:-none}/copyright" ]; then cp "/usr/share/doc/$package/copyright" "$folder/$package"; fi
}
keep "$(readlink -f "$(sed -n 's/^ARCHIVE_STATIC:[A-Z]*=//p' "$build/CMakeCache.txt")")"
ldd "$file" | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' | while read -r soname path; do
    case $soname in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux*) ;;
    *) keep "$(readlink -f "$path")" ;;
    esac
done
