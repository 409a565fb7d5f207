#!/bin/sh
# icon_set.sh FOLDER: makes a few-shot data set of Debian's icon themes: a folder per icon name, in it a picture per theme
# (8 to 13 of 14 drawings of the same thing by different hands, 96x96 or as they are). docs/accuracy.md reports on it.
# The packages are downloaded with apt-get (about 200 MB) and unpacked beside FOLDER, not installed; their licences are
# free (GPL, LGPL, CC-BY-SA, public domain), each in its usr/share/doc. Needs rsvg-convert (librsvg2-bin).
set -eu
[ $# -eq 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ ! -e "$1" ] || { echo "icon_set: '$1' is there already; take another folder, or remove it" >&2; exit 1; }
sh "$(dirname "$0")/setup.sh" librsvg2-bin
mkdir -p "$1.part/packages" "$1.part/set"
part=$(cd "$1.part" && pwd)
trap 'rm -rf "$part"' EXIT

# PACKAGE THEME: one of each family of drawings.
themes='tango-icon-theme Tango
gnome-icon-theme gnome
oxygen-icon-theme oxygen
breeze-icon-theme breeze
papirus-icon-theme Papirus
yaru-theme-icon Yaru
deepin-icon-theme bloom
elementary-icon-theme elementary
lxde-icon-theme nuoveXT2
obsidian-icon-theme Obsidian
suru-icon-theme suru
moka-icon-theme Moka
numix-icon-theme Numix
mate-themes ContrastHigh'

cd "$part/packages"
echo "$themes" | while read -r package theme; do
    apt-get download -qq "$package"
    mkdir "$theme"
    dpkg -x "$package"_*.deb "$theme"
    [ -d "$theme/usr/share/icons/$theme" ] || { echo "icon_set: $package has no theme $theme" >&2; exit 1; }
done
echo "$themes" | while read -r _ theme; do
    # Of each name the file whose size is nearest to 64, bitmaps first: "NAME THEME DISTANCE FILE".
    find "$theme/usr/share/icons/$theme" \( -name '*.png' -o -name '*.svg' \) ! -path '*symbolic*' ! -path '*@*' |
        awk -v theme="$theme" '{
            name = $0
            sub(/.*\//, "", name)
            svg = name ~ /\.svg$/
            sub(/\.[a-z]*$/, "", name)
            size = $0 ~ /scalable/ ? 64 : 0
            if (match($0, /\/[0-9]+(x[0-9]+)?\//)) size = substr($0, RSTART + 1) + 0
            if (size < 32 || name ~ / /) next
            away = (size > 64 ? size - 64 : 64 - size) + svg
            if (!(name in best) || away < best[name]) {best[name] = away; file[name] = $0}
        }
        END {for (name in file) print name, theme, file[name]}'
done | while read -r name theme file; do
    file=$(readlink -f "$file") && [ -f "$file" ] && echo "$name $theme $file"
done | sort >files

# A drawing counts for the first of its names, and a name with drawings of eight themes makes a class.
awk '{names[NR] = $1; themes[NR] = $2; files[NR] = $3}
    function flush(   i) {
        if (count >= 8) for (i = 1; i <= count; i++) {used[of[i]] = 1; print name, by[i], of[i]}
        count = 0
    }
    END {
        for (r = 1; r <= NR; r++) {
            if (names[r] != name) {flush(); name = names[r]}
            if (!(files[r] in used)) {count++; by[count] = themes[r]; of[count] = files[r]}
        }
        flush()
    }' files >classes
while read -r name theme file; do
    mkdir -p "$part/set/$name"
    case $file in
    *.svg) rsvg-convert -w 96 -h 96 -o "$part/set/$name/$theme.png" "$file" || echo "icon_set: $file cannot be drawn" >&2 ;;
    *) cp "$file" "$part/set/$name/$theme.png" ;;
    esac
done <classes
cd - >/dev/null
mv "$part/set" "$1"
echo "icon_set: $(find "$1" -type f | wc -l) pictures of $(find "$1" -mindepth 1 -type d | wc -l) classes in $1"
