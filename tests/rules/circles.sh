#!/bin/sh
# What objects call, whatever their sources include: circles.sh SOURCE BUILD [ROOM...]. What a room's objects take from another
# room must come from one that its row in src/rooms.txt names, or be public (adatom_...) and from a row above its own, a lower
# room. Between the objects of each ROOM there is no circle. Prints each breach with its files; exit 1 if any.
set -u
export LC_ALL=C
source=$1
build=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
named() { sed -n "s/^$1 *|//p" "$source/src/rooms.txt" | cut -d'|' -f1; }
lower() { sed -n "/^$1 /q; s/^\([a-z]*\) *|.*/\1/p" "$source/src/rooms.txt" | tr '\n' ' '; }

# Objects of sources that are gone stay in a build folder. cli is no part of the library, whose rooms are room_NAME.
find "$build"/CMakeFiles/room_*.dir "$build"/CMakeFiles/adatom_cli.dir -name '*.o' 2>/dev/null | sort | while read -r object; do
    name=${object#"$build"/CMakeFiles/*_*.dir/}
    [ -e "$source/${name%.o}" ] && echo "$object"
done >"$work/objects"
[ -s "$work/objects" ] || { echo "no objects in $build/CMakeFiles/room_*.dir"; exit 2; }

# A line a symbol: room, file, symbol, whether it is defined or used.
xargs nm -A -P <"$work/objects" | awk '{
    file = $1
    sub(/\.o:$/, "", file)
    match(file, /CMakeFiles\/[a-z]*_[a-z]*\.dir\//)
    room = substr(file, RSTART, RLENGTH - 5)
    sub(/^.*_/, "", room)
    file = substr(file, RSTART + RLENGTH)
    if ($2 ~ /^__/) next
    if ($3 == "U") print room, file, $2, "used"
    if ($3 ~ /^[ABCDGRSTVWi]$/) print room, file, $2, "defined"
}' >"$work/symbols"

# A line a use: room and file of the user, room and file of the used, the symbol.
awk 'FNR == NR {if ($4 == "defined") {room[$3] = $1; file[$3] = $2}; next}
    $4 == "used" && $3 in room {print $1, $2, room[$3], file[$3], $3}' "$work/symbols" "$work/symbols" >"$work/uses"

for room in $(cut -d' ' -f1 "$work/symbols" | sort -u); do
    awk -v room="$room" -v named=" $(named "$room") $room " -v lower=" $(lower "$room")" '
        $1 == room && !index(named, " " $3 " ") && !($5 ~ /^adatom_/ && index(lower, " " $3 " ")) {
            print "against the arrows: " $2 " uses " $5 " of " $4
        }' "$work/uses"
done >"$work/breaches"
for room in "$@"; do
    grep -q "^$room " "$work/symbols" || echo "circles: no objects of room $room"
    awk -v room="$room" '$1 == room && $3 == room && $2 != $4 {print $2, $4}' "$work/uses" | sort -u >"$work/calls"
    tsort "$work/calls" 2>&1 >/dev/null |
        sed "s|^tsort: .*contains a loop:\$|circle of files in room $room:|; s|^tsort: |    |"
done >>"$work/breaches"
cat "$work/breaches"
[ ! -s "$work/breaches" ]
