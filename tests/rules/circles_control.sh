#!/bin/sh
# circles_control.sh CIRCLES COMPILER: plants a circle of files and uses against the arrows and expects circles.sh to name them.
set -u
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/src"
printf 'low  |     | |\nmid  | low | |\nhigh | mid | |\ncli  |     | |\n' >"$tree/src/rooms.txt"
object() { # ROOM FILE TEXT: the object as CMake lays it
    folder=$tree/build/CMakeFiles/room_$1.dir/src/$1
    [ "$1" = cli ] && folder=$tree/build/CMakeFiles/adatom_cli.dir/src/cli
    mkdir -p "$folder" "$tree/src/$1"
    echo "$3" >"$tree/src/$1/$2.c"
    "$compiler" -c -o "$folder/$2.c.o" "$tree/src/$1/$2.c" || exit 2
}
circles=$1
compiler=$2
missing=0
expect() { echo "$out" | grep -q "$1" || { echo "not reported: $1"; missing=1; }; }

object low one 'void ad_one(void) {}'
object mid two 'void ad_one(void); void ad_two(void) { ad_one(); }'
object mid three 'void ad_two(void); void ad_three(void) { ad_two(); }'
object high four 'void ad_two(void); void adatom_four(void) { ad_two(); }'
object low public 'void adatom_public(void) {}'
object high caller 'void adatom_public(void); void ad_caller(void) { adatom_public(); }'
object cli command 'void adatom_public(void); void command(void) { adatom_public(); }'
out=$(sh "$circles" "$tree" "$tree/build" low mid high) || { echo "a clean tree is refused: $out"; missing=1; }

# A declaration by hand instead of an include: a room that the row does not name, and one above, be it of a public function.
object high five 'void ad_one(void); void ad_five(void) { ad_one(); }'
object low six 'void ad_three(void); void ad_six(void) { ad_three(); }'
object low upward 'void adatom_four(void); void ad_upward(void) { adatom_four(); }'
object high plain 'void helper(void); void ad_plain(void) { helper(); }'
object low helper 'void helper(void) {}'
object cli inside 'void ad_one(void); void inside(void) { ad_one(); }'
object mid seven 'int ad_eight; void ad_nine(void); void ad_seven(void) { ad_nine(); }'
object mid eight 'extern int ad_eight; void ad_nine(void) { ad_eight = 1; }'
out=$(sh "$circles" "$tree" "$tree/build" low mid) && { echo "a broken tree is passed"; missing=1; }
expect 'against the arrows: src/high/five.c uses ad_one of src/low/one.c'
expect 'against the arrows: src/low/six.c uses ad_three of src/mid/three.c'
expect 'against the arrows: src/low/upward.c uses adatom_four of src/high/four.c'
expect 'against the arrows: src/high/plain.c uses helper of src/low/helper.c'
expect 'against the arrows: src/cli/inside.c uses ad_one of src/low/one.c'
expect '^circle of files in room mid:$'
expect '^    src/mid/seven.c$'
expect '^    src/mid/eight.c$'
[ "$(echo "$out" | wc -l)" -eq 8 ] || { echo "reported besides: $out"; missing=1; }

# Objects that lie there without their sources do not count; a room without objects is no clean room.
rm "$tree/src/cli/inside.c" "$tree/src/high/five.c" "$tree/src/high/plain.c" "$tree/src/low/six.c" "$tree/src/low/upward.c" "$tree/src/mid/eight.c"
out=$(sh "$circles" "$tree" "$tree/build" low mid) || { echo "an object of no source counts: $out"; missing=1; }
out=$(sh "$circles" "$tree" "$tree/build" attic) && { echo "a room that is not there is passed"; missing=1; }
out=$(sh "$circles" "$tree" "$tree/nowhere") && { echo "a build without objects is passed"; missing=1; }
[ "$missing" -eq 0 ]
