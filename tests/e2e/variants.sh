# Archives, lists, folders and splits as other systems and programs make them are read, or named in the refusal.
. "$LIB"
hash_of() { "$ADATOM" data info "$1" --size 8 --no-cache --format json 2>/dev/null | grep -o '"hash": "[0-9a-f]*"'; }

# What other packers make is named, not called a text file or damaged.
named() {
    printf "$2" >"$1" && head -c 600 /dev/zero >>"$1"
    expect 4 "'$1' is (a|an) $3 archive, not a folder.*: unpack it first" "$ADATOM" data info "$1"
}
named a.lzh '\045\022-lh5-...' LZH
named a.cab 'MSCF....' cabinet
named a.tar.Z '\037\235\220...' 'compress \(.Z\)'
named a.tar.lz 'LZIP\001' lzip
named a.tar.lz4 '\004\042\115\030...' LZ4
named a.arj '\140\352...' ARJ
named a.cpio '070701....' cpio
named a.xar 'xar!....' xar
head -c 32769 /dev/zero >a.iso && printf 'CD001\001' >>a.iso && head -c 9000 /dev/zero >>a.iso
expect 4 "'a.iso' is an ISO 9660 archive" "$ADATOM" data info a.iso
printf 'PK\005\006\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000' >empty.zip
expect 4 'is an empty zip archive, not a folder, zip or tar archive of pictures$' "$ADATOM" data info empty.zip

# zip FILE FLAGS METHOD NAME: a zip with one member of one byte, as it comes.
le2() { printf "\\$(printf %03o $(($1 % 256)))\\$(printf %03o $(($1 / 256)))"; }
le4() { le2 $(($1 % 65536)) && le2 $(($1 / 65536)); }
zip() {
    fields() { le2 $2 && le2 $3 && le4 0 && printf "$5" && le4 $7 && le4 $7 && le2 ${#6} && le2 0; }
    {
        printf 'PK\003\004' && le2 20 && fields "$1" "$2" "$3" "$4" "$5" "$4" "$6" && printf "$4" && cat content
        printf 'PK\001\002' && le2 20 && le2 20 && fields "$1" "$2" "$3" "$4" "$5" "$4" "$6" && le2 0 && le2 0 && le2 0 && le4 0 && le4 0 && printf "$4"
        printf 'PK\005\006' && le4 0 && le2 1 && le2 1 && le4 $((46 + ${#4})) && le4 $((30 + ${#4} + $6)) && le2 0
    } >"$1"
}
printf xxxx >content
zip deflate64.zip 0 9 cat/0.png '\000\000\000\000' 4
expect 4 'packed in a way that is not read.*deflation-64' "$ADATOM" data info deflate64.zip
zip locked.zip 1 99 cat/0.png '\000\000\000\000' 4
expect 4 'is encrypted' "$ADATOM" data info locked.zip

# Lists: the line ends of an old Mac, spaces of Unicode around labels.
pictures list 2 2
printf 'filename,label\rclass0/0.ppm,oak\rclass1/0.ppm,fir\r' >list/mac.csv
expect 0 'classes +2$' "$ADATOM" data info list/mac.csv --size 8 --no-cache
printf 'filename,label\nclass0/0.ppm,\343\200\200oak\nclass0/1.ppm,oak\342\200\213 \302\240\nclass1/0.ppm,fir\357\273\277\nclass1/1.ppm,fir\342\200\203\n' >list/wide.csv
expect 0 'classes +2$' "$ADATOM" data info list/wide.csv --size 8 --no-cache
printf 'filename,label\nclass0/0.ppm,\343\200\200\nclass0/1.ppm,oak\n' >list/none.csv
expect 4 'line 2: .class0/0.ppm. has no label' "$ADATOM" data info list/none.csv --size 8 --no-cache

# A class twice, once with a space that can't be seen.
mkdir -p wide/oak "wide/oak$(printf '\342\200\213')"
picture wide/oak/0.ppm 1 2 3
picture "wide/oak$(printf '\342\200\213')/0.ppm" 90 2 3
expect 4 'differ only in spaces' "$ADATOM" data verify wide --least 1 --size 8

# Folders that other systems and disks leave, in any case.
pictures plain 2 1
same_as_plain=$(hash_of plain)
for name in '~snapshot' FOUND.000 found.017 TheVolumeSettingsFolder '@Recently-Snapshot' '$Recycle.Bin' '@EADIR' .Trash-1000 __macosx; do
    rm -rf other && cp -r plain other && mkdir -p "other/$name" "other/class0/$name"
    cp plain/class1/0.ppm "other/$name/x.ppm"
    cp plain/class0/0.ppm "other/class0/$name/y.ppm"
    same "$(hash_of other)" "$same_as_plain" "hash beside $name"
done

# Splits inside, by the names that people give them.
for pair in 'fold1 fold_2' 'meta-train meta-test' 'trainval test' '1_train 02-val' 'mini_train mini_val' 'seen unseen' 'labeled unlabeled'; do
    rm -rf splits
    for part in $pair; do
        mkdir -p splits && cp -r plain "splits/$part"
        picture "splits/$part/class0/1.ppm" ${#part} 1 2
    done
    expect 0 'warning: .*2 splits inside.*--split' "$ADATOM" data info splits --size 8 --no-cache
done
rm -rf splits && mkdir splits && cp -r plain splits/red && cp -r plain splits/station
"$ADATOM" data info splits --size 8 --no-cache 2>&1 | grep -q 'splits inside' && complain "classes are called splits"

# Paths that aren't UTF-8: of models, adapters, data sets and pictures, in every result.
raw=$(printf 'b\344d')
mkdir "$raw" && cp "$FIXTURE/model.safetensors" "$raw/m.safetensors" && cp -r plain "$raw/plain"
picture "$raw/plain/class0/1.ppm" 3 1 2
picture "$raw/plain/class1/1.ppm" 63 1 2
model=$raw/m.safetensors
expect 0 'written|adapter' "$ADATOM" adapt --model "$model" --images "$raw/plain" --output "$raw/adapter" --adapt centroid --estimate none --device cpu
for form in table csv jsonl; do
    expect 0 'b%E4d/plain/class0/0.ppm.*b%E4d/adapter.*class' "$ADATOM" classify "$raw/plain" --model "$model" --adapter "$raw/adapter" --device cpu -o $form
done
"$ADATOM" classify "$raw/plain" "$raw/gone.ppm" --model "$model" --adapter "$raw/adapter" --device cpu --format json >result.json 2>err
same "$(get result.json model.file)" b%E4d/m.safetensors "the model in the result of classify"
same "$(get result.json predictions.0.adapter)" b%E4d/adapter "the adapter in the result of classify"
same "$(get result.json predictions.4.picture)" b%E4d/gone.ppm "the picture that is not there"
"$ADATOM" episodes --model "$model" --data "$raw/plain" --way 2 --query 1 --tasks 2 --device cpu --adapt centroid --format json >result.json 2>err
same "$(get result.json model.file)" b%E4d/m.safetensors "the model in the result of episodes"
ln -s nowhere "$raw/plain/class0/$(printf 'x\344.ppm')"
"$ADATOM" data verify "$raw/plain" --least 1 --format json >result.json 2>err
grep -q "x%E4.ppm' is a link to something that is not there" result.json || complain "verify's result lacks a problem whose name is not UTF-8"
finish
