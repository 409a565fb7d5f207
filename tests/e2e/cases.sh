# Runs situations from public bug reports, which lie beside the checkout (../shared/cases/README.md): each must have the
# right outcome.
. "$LIB"
cases=$SOURCE/../shared/cases model=$SOURCE/models/conv4-shapes.safetensors
[ -r "$cases/README.md" ] || exit 77
hash_of() { "$ADATOM" data info "$@" 2>/dev/null | sed -n 's/^hash *//p'; }
unpack() { mkdir -p "$1" && tar xf "$cases/${2:-$1/unpack.tar}" -C "$1"; }
classify="$ADATOM classify --device cpu --model $model"

# A picture, what it should be, what it was taken for, and others: classified as what it should be, or (pnm, cmyk)
# refused by name.
for judge in "$cases"/*/judge "$cases"/*/*/judge; do
    [ -d "$judge" ] || continue
    name=$(basename "$(dirname "$judge")")
    "$ADATOM" adapt --device cpu --model "$model" --images "$judge" --output "judge-$name" --adapt centroid --estimate none >out 2>err ||
        complain "$name: adapt: $(tail -n 1 err)"
    for picture in "$(dirname "$judge")"/picture/*; do
        expect 0 ' right ' $classify "$picture" --adapter "judge-$name"
    done
done

# Damaged, in other formats or encodings.
expect 4 'problems? in' "$ADATOM" data verify "$cases/png-damage/pictures" --least 1 --no-cache
expect 4 'CRC|checksum|damaged' "$ADATOM" data info "$cases/png-damage/pictures" --no-cache
unpack other-formats
"$ADATOM" data verify other-formats/data --least 1 >out 2>err # pictures that this build reads need not decode, but are named
for name in IMG_1.heif p.jxl; do grep -q "$name" out || complain "other-formats: verify does not name $name"; done
unpack other-encodings
expect 0 '%94L +2' "$ADATOM" data info other-encodings/data
"$ADATOM" data info other-encodings/data --format json >json 2>err
same "$(get json classes.0.class)" %94L "class in JSON"
expect 0 '%94L' "$ADATOM" adapt --device cpu --model "$model" --images other-encodings/data --output encodings --adapt centroid --estimate none
expect 0 '%94L/0.png .*%94L' $classify other-encodings/data --adapter encodings
for picture in "$cases"/picture-names/*; do expect 0 '100|9[0-9]\.|inu|%94L' $classify "$picture" --adapter encodings; done
expect 4 '1 picture could not be read.*cut.jpg' $classify "$cases/one-bad-picture/pictures" --adapter encodings
same "$(grep -c '/[0-3].png ' out)" 4 "good pictures beside the bad one"

# Archives, links, lists, folders.
same "$(hash_of "$cases/zip-names/pictures.zip")" "$(hash_of "$cases/zip-names/same-as-folder.tar")" "hash of a zip and of a tar"
[ -n "$(hash_of "$cases/zip-names/pictures.zip")" ] || complain "zip-names has no hash"
unpack tar-links tar-links/pictures.tar
same "$(hash_of "$cases/tar-links/pictures.tar")" "$(hash_of tar-links)" "hash of an archive with links and of its folder"
for k in 1 2; do unpack project$k cache-stale/project$k.tar; done
for k in 1 2; do same "$(hash_of project$k)" "$(hash_of project$k --no-cache)" "hash of project$k with and without cache"; done
[ "$(hash_of project1)" != "$(hash_of project2)" ] || complain "project1 and project2 are not the same"
unpack split-name
expect 0 'images +6 ' "$ADATOM" data info split-name/data --split test
unpack splits-inside
expect 0 'warning: .*splits inside.*--split' "$ADATOM" data info splits-inside/data
expect 4 'splits inside.*--split' "$ADATOM" data verify splits-inside/data --least 1
unpack nas-thumbs
expect 0 'images +4 ' "$ADATOM" data info nas-thumbs/data
unpack dangling-links
expect 4 '2 problems' "$ADATOM" data verify dangling-links/data --least 1
expect 0 'warning: .*2 links' "$ADATOM" data info dangling-links/data
unpack csv
for list in paths spaces; do expect 0 'classes +2$' "$ADATOM" data info csv/data/$list.csv; done
unpack unicode-forms
expect 4 'NFC' "$ADATOM" data verify unicode-forms/data --least 1
unpack control-names
expect 0 'two.*lines +2$' "$ADATOM" data info control-names/data
expect 4 'RAR' "$ADATOM" data info "$cases/messages/pictures.rar"
expect 4 'encrypted' "$ADATOM" data info "$cases/messages/locked.zip"
"$ADATOM" classify --device cpu --model "$model" --adapter encodings "$cases/messages/scan.jpg" >out 2>err
grep -q 'inu\|%94L\|TIFF' out err || complain "scan.jpg is neither read nor called a TIFF picture: $(tail -n 1 err)"

# Ctrl-C, an end signal or a hang-up in the first epoch: a checkpoint at the last whole step, from which the same file
# comes.
train="$ADATOM pretrain --device cpu --data builtin:shapes --split base --per-class 20 --image-size 28 --width 16 --no-cache --verbose"
for signal in INT TERM HUP; do
    # A shell gives what it starts in the background SIGINT ignored; env takes that back.
    : >err # what an earlier command said there doesn't count
    env --default-signal=INT,TERM,HUP $train --epochs 60 --checkpoint-seconds 600 --output $signal.safetensors >out 2>err &
    child=$! tries=0
    until grep -q '^info: training: ' err || [ $tries -gt 600 ]; do sleep 0.05; tries=$((tries + 1)); done
    sleep 0.4
    kill -$signal $child
    wait $child
    same $? 130 "exit code after SIG$signal"
    [ -s $signal.safetensors.checkpoint ] || complain "no checkpoint after SIG$signal: $(tail -n 1 err)"
    grep -q -e '--resume' err || complain "SIG$signal: not said how to go on: $(tail -n 1 err)"
done
# A forgotten --resume, the same bytes, an output that is a link.
short="$train --epochs 2"
expect 2 'resume' $train --epochs 60 --checkpoint-seconds 600 --output INT.safetensors
$short --output once.safetensors >out 2>err || complain "pretrain: $(tail -n 1 err)"
sleep 1.1
mkdir store
ln -s store/again.safetensors again.safetensors
echo old >store/again.safetensors
$short --output again.safetensors >out 2>err || complain "pretrain: $(tail -n 1 err)"
[ -L again.safetensors ] || complain "the link is replaced"
cmp -s once.safetensors store/again.safetensors || complain "two equal runs gave different files"
ln -s store/report.json report.json
"$ADATOM" data info project1 --format json --output report.json || complain "data info to a link"
[ -L report.json ] && [ -s store/report.json ] || complain "--output-file replaced the link"
# A comma in a name: usable, or refused when it is made.
if "$ADATOM" adapt --device cpu --model "$model" --images nas-thumbs/data --output 'red, green' --adapt centroid --estimate none >out 2>err; then
    expect 0 'oak|birch' $classify nas-thumbs/data/oak/0.png --adapter 'red, green'
else
    grep -q ',' err || complain "the comma is not named: $(tail -n 1 err)"
fi
finish
