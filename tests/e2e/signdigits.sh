# Adapts the shipped Conv-4 to photographs of hands, which are unlike its training pictures: 10 sign digits, 5 pictures
# each.
. "$LIB"
archive=$SOURCE/../shared/data/signdigits.tar.xz model=$SOURCE/models/conv4-net8.safetensors
[ -r "$archive" ] || exit 77
tar xf "$archive" || complain "the archive cannot be read"
found=$(find . -type d -name 7 | head -n 1)
for class in 0 1 2 3 4 5 6 7 8 9; do
    mkdir -p support/$class query/$class
    n=0
    for picture in "${found%/7}/$class"/*; do
        [ $n -ge 5 ] || cp "$picture" support/$class
        if [ $n -ge 5 ] && [ $n -lt 15 ]; then cp "$picture" query/$class; fi
        n=$((n + 1))
    done
done
expect 0 'accuracy +not estimated' "$ADATOM" adapt --model "$model" --device cpu --images support --output digits --adapt atoms --estimate none
same "$(get digits/adapter_config.json target_modules)" '["layer2.atoms","layer3.atoms","layer4.atoms"]' "layers"
# Besides the classifier (10 x 1600 numbers) the adapter is less than 4 KiB, its header included.
bytes=$(($(wc -c <digits/adapter.safetensors) - 10 * 1600 * 4))
[ "$bytes" -le 4096 ] || complain "the adapter without its classifier takes $bytes bytes"
"$ADATOM" classify --model "$model" --device cpu --adapter digits query --format csv >rows.csv 2>err || complain "classify"
same "$(wc -l <rows.csv | tr -d ' ')" 101 "rows"
right=$(awk -F, 'NR > 1 {split($1, part, "/"); n += part[2] == $4} END {print n + 0}' rows.csv)
echo "$right of 100 right, $bytes bytes"
[ "$right" -ge 22 ] || complain "$right of 100 right; chance is 10"
finish
