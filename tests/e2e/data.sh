# adatom data and episodes with folders, archives and lists of pictures, good and bad ones.
. "$LIB"
episodes="$ADATOM episodes --model $FIXTURE/model.safetensors --device cpu --adapt centroid --tasks 3"
pictures good 5 6
expect 0 'images +30 \(6 to 6 a class\)' "$ADATOM" data info good --size 16
"$ADATOM" data info good --size 16 --format json >info.json
same "$(get info.json dataset.classes)" 5 "classes"
same "$(get info.json classes.2.class)" class2 "name"
expect 0 '^0 problems' "$ADATOM" data verify good --least 6
expect 0 'centroid' $episodes --data good --way 5 --shot 1 --query 5
tar cf good.tar good && expect 0 'images +30' "$ADATOM" data info good.tar --size 16
same "$("$ADATOM" data info good.tar --size 16 --format json | grep -o '"hash": "[0-9a-f]*"')" "$(grep -o '"hash": "[0-9a-f]*"' info.json)" \
    "hash of folder and archive"

expect 4 "cannot open 'nowhere'" "$ADATOM" data info nowhere
echo '<!DOCTYPE html><html><body>not found</body></html>' >page.zip
expect 4 'page.zip.*HTML' "$ADATOM" data info page.zip
mkdir empty
expect 4 'empty' "$ADATOM" data info empty
head -c 3000 good.tar >cut.tar
expect 4 'cut.tar' "$ADATOM" data info cut.tar
# A class with too few pictures is named.
rm good/class3/5.ppm
expect 4 'class3' $episodes --data good --way 5 --shot 1 --query 5
expect 4 '1 problems? in good' "$ADATOM" data verify good --least 6
grep -q class3 out || complain "verify does not name class3"
expect 4 '(way|classes)' $episodes --data good --way 6 --shot 1 --query 2
# verify finds a file that is no picture and a picture that occurs twice.
echo 'hello' >good/class1/note.ppm
cp good/class0/0.ppm good/class2/copy.ppm
expect 4 'problems in good' "$ADATOM" data verify good --least 5
grep -q note.ppm out || complain "verify does not name note.ppm"
grep -q copy.ppm out || complain "verify does not name copy.ppm"
# A row of a list whose file is missing is refused.
mkdir listed
printf 'filename,label\n0.ppm,a\nmissing.ppm,a\n' >listed/list.csv
cp good/class0/0.ppm listed
expect 4 'missing.ppm' "$ADATOM" data info listed/list.csv
expect 4 'split' "$ADATOM" data info builtin:shapes --split nosuch
finish
