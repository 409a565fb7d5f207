# Folders, archives, lists and single pictures as users have them: every picture is found or told, and the cache never
# serves old content.
. "$LIB"
model=$FIXTURE/model.safetensors
info() { "$ADATOM" data info "$@" --size 16; }
hash_of() { info "$@" 2>/dev/null | sed -n 's/^hash *//p'; }

# The cache notices other pixels under equal names, sizes and times, a corrected label, and a replaced archive.
for k in 1 2; do
    mkdir -p set$k/good set$k/bad pack$k
    for p in 0 1 2; do picture set$k/good/$p.ppm $((k * 50)) $((p * 40)) 9; picture set$k/bad/$p.ppm $((k * 60)) $((p * 30)) 99; done
    (cd set$k && touch -d @1700000000 good/* bad/* good bad . && tar cf ../pack$k/set.tar --mtime=@1700000000 good bad)
    touch -d @1700000000 pack$k/set.tar
done
for spec in set pack; do
    for k in 1 2; do
        name=$spec$k
        [ $spec = set ] || name=pack$k/set.tar
        same "$(hash_of $name)" "$(hash_of $name --no-cache)" "hash of $name with and without the cache"
        same "$(hash_of $name)" "$(hash_of $name --no-cache)" "hash of $name a second time"
    done
done
[ "$(hash_of set1)" != "$(hash_of set2)" ] || complain "different pictures have one hash"
mv set1/good/0.ppm aside && mv set1/bad/0.ppm set1/good/0.ppm && mv aside set1/bad/0.ppm
same "$(hash_of set1)" "$(hash_of set1 --no-cache)" "hash after two pictures changed places"

# Links in archives work in any order of the members.
mkdir -p linked/oak linked/birch linked/.store
for p in 0 1; do picture linked/oak/$p.ppm 10 $((p * 90)) 3; picture linked/birch/$p.ppm 200 $((p * 90)) 3; done
ln linked/oak/0.ppm linked/oak/2.ppm
ln -s ../oak/1.ppm linked/birch/2.ppm
ln -s birch linked/alder
(cd linked && tar cf ../linked.tar alder birch oak && tar czf ../again.tar.gz oak alder birch)
expect 0 'images +9 ' "$ADATOM" data info linked.tar --size 16
same "$(hash_of linked.tar)" "$(hash_of linked)" "hash of an archive with links and its folder"
same "$(hash_of again.tar.gz)" "$(hash_of linked)" "hash of the other archive"
ln -s ../gone.ppm linked/oak/9.ppm
ln -s /gone/maple linked/maple
expect 4 'problems in linked' "$ADATOM" data verify linked --least 1 --size 16 --no-cache
grep -q "'maple' is a link" out || complain "verify does not name the link to a folder that is gone"
expect 0 "warning: 'linked': 2 links to something that is not there left out" "$ADATOM" data info linked --size 16
grep -q '^passed over 2 links' out || complain "info does not count the links"

# Splits, a class that is called like one, folders of other systems.
mkdir -p splits/train/test splits/train/exam splits/test/test splits/test/exam
n=0
for f in train/test train/exam test/test test/exam; do n=$((n + 50)); picture splits/$f/0.ppm $n 1 2; done
expect 0 'images +2 ' "$ADATOM" data info splits --split test --size 16
expect 0 'warning: .*2 splits inside' "$ADATOM" data info splits --size 16
expect 4 'splits inside.*--split' "$ADATOM" data verify splits --least 1 --size 16
mkdir -p nas/oak/@eaDir/0.ppm nas/fir nas/#recycle/ash
for f in oak/0 fir/0 oak/@eaDir/0.ppm/SYNO_S '#recycle/ash/0'; do n=$((n - 20)); picture "nas/$f.ppm" $n 1 2; done
expect 0 'images +2 ' "$ADATOM" data info nas --size 16
expect 0 '^0 problems' "$ADATOM" data verify nas --least 1 --size 16

# Names that aren't UTF-8, from the folder to the result; two forms of one name.
latin=$(printf 'for\352t')
mkdir -p "names/$latin" names/dune
for p in 0 1; do picture "names/$latin/$p.ppm" 0 200 $p; picture names/dune/$p.ppm 200 200 $p; done
expect 0 'for%EAt +2' "$ADATOM" data info names --size 16
"$ADATOM" data info names --size 16 --format json >names.json
same "$(get names.json classes.1.class)" for%EAt "class in JSON"
expect 0 'for%EAt' "$ADATOM" adapt --model "$model" --device cpu --images names --output adapter --adapt centroid --estimate none
expect 0 '%EAt/0.ppm.*for%EAt' "$ADATOM" classify --model "$model" --device cpu --adapter adapter names
same "$("$ADATOM" classify --model "$model" --device cpu --adapter adapter names --format jsonl 2>/dev/null | wc -l | tr -d ' ')" 4 "rows"
mkdir -p "forms/caf$(printf '\303\251')" "forms/cafe$(printf '\314\201')"
for f in forms/*; do n=$((n + 9)); picture "$f/0.ppm" $n 77 2; done
expect 4 'two Unicode forms' "$ADATOM" data verify forms --least 1 --size 16
expect 4 'two Unicode forms' "$ADATOM" adapt --model "$model" --device cpu --images forms --output none --adapt centroid --estimate none

# Single pictures by their content; a bad one among good ones, in every form of the result.
cp names/dune/0.ppm 'photo.jpg?w=640'
cp names/dune/0.ppm scan.webp
cp names/dune/0.ppm NONE
classify="$ADATOM classify --model $model --device cpu --adapter adapter"
expect 0 'NONE .*dune' $classify 'photo.jpg?w=640' scan.webp NONE
mkdir mixed
cp names/dune/0.ppm mixed/0.ppm
cp names/dune/1.ppm mixed/2.ppm
echo nothing >mixed/1.ppm
expect 4 '1 picture could not be read.*1.ppm' $classify mixed
grep -q '^mixed/2.ppm .*dune' out || complain "the good pictures are not classified"
for form in csv json jsonl; do
    expect 4 '1.ppm' $classify mixed -o $form
    same "$(grep -c '2.ppm.*dune\|"class": "dune"' out)" "$([ $form = json ] && echo 2 || echo 1)" "rows of good pictures in $form"
    grep -q '1.ppm.*not an image\|"error":.*not an image' out || complain "$form does not say what is wrong"
done
expect 4 'unreadable": 1' $classify mixed/1.ppm --format json

# Lists as people write them; archives that are none, or encrypted.
mkdir -p list/images/photos
cp names/dune/0.ppm list/images/photos/d.ppm
cp "names/$latin/0.ppm" list/images/photos/f.ppm
printf 'filename,label\r\n./images/photos/d.ppm,dune \r\nimages/photos/f.ppm, dune\r\n' >list/list.csv
expect 0 'classes +1$' "$ADATOM" data info list/list.csv --size 16
printf 'Rar!\032\007\001\000....' >pictures.rar
expect 4 'pictures.rar. is a RAR archive, not a' "$ADATOM" data info pictures.rar
printf '7z\274\257\047\034\000\004....' >pictures.7z
expect 4 'pictures.7z. is a 7z archive, not a' "$ADATOM" data info pictures.7z

# The size of the cache is bounded.
"$ADATOM" data info set1 --size 100 --cache-dir small >/dev/null && "$ADATOM" data info set2 --size 100 --cache-dir small >/dev/null
"$ADATOM" data info names --size 100 --cache-dir small --cache-size 200K >/dev/null
same "$(ls small | grep -c '^pictures-')" 2 "blocks in a cache of 200 KiB"
finish
