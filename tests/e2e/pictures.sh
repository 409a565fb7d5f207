# How pictures are decoded: kinds are told by content, EXIF's orientation and the background are applied, damaged
# pictures are refused or counted.
. "$LIB"
samples=$SOURCE/tests/fuzz/corpus/image
hash_of() { "$ADATOM" data info "$@" --size 10 --format json 2>/dev/null | grep -o '"hash": "[0-9a-f]*"'; }
# pair FOLDER FILE NAME: the file as the only picture of two classes.
pair() {
    mkdir -p "$1/a" "$1/b"
    cp "$2" "$1/a/$3"
    cp "$2" "$1/b/$3"
}
expect 0 '^reads JPEG, PNG, BMP, GIF, PNM.* pictures$' "$ADATOM" --version

# A PNG with EXIF orientation, under the name of a JPEG, is the upright picture.
pair turned "$samples/png_exif6.png" p.jpg
pair upright "$samples/upright6.ppm" p.ppm
expect 0 'images +2' "$ADATOM" data info turned --size 10
same "$(hash_of turned --no-cache)" "$(hash_of upright --no-cache)" "hash of a picture turned by EXIF"

# The same pixels: 8 and 16 bits, other maxima, BMPs from the top and from the bottom.
printf 'P5 2 2 255\n\000\125\252\377' >eight.pgm
printf 'P5 2 2 65535\n\000\000\125\125\252\252\377\377' >sixteen.pgm
printf 'P5 2 2 3\n\000\001\002\003' >two.pgm
printf 'P2 # plain\n2 2 9\n0 3 6 9\n' >plain.pgm
for name in eight sixteen two plain; do pair $name $name.pgm p.pgm; done
for name in sixteen two plain; do same "$(hash_of $name --no-cache)" "$(hash_of eight --no-cache)" "hash of $name bits"; done
bmp_header() { printf 'BM\106\000\000\000\000\000\000\000\066\000\000\000\050\000\000\000\002\000\000\000'"$1"'\001\000\030\000'"$2"'\000\000\000\020\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000'; }
{ bmp_header '\002\000\000\000' '\000' && printf '\001\002\003\004\005\006\000\000\007\010\011\012\013\014\000\000'; } >bottom.bmp
{ bmp_header '\376\377\377\377' '\000' && printf '\007\010\011\012\013\014\000\000\001\002\003\004\005\006\000\000'; } >top.bmp
{ bmp_header '\002\000\000\000' '\001' && printf '\000\000'; } >runs.bmp
for name in bottom top runs; do pair $name $name.bmp p.bmp; done
same "$(hash_of top --no-cache)" "$(hash_of bottom --no-cache)" "hash of a BMP from the top"
expect 4 'run-length coded.*convert it to PNG' "$ADATOM" data info runs --no-cache

# JPEGs without content, or with more codes than are possible.
pair nothing "$samples/no_scan.jpg" p.jpg
pair codes "$samples/codes257.jpg" p.jpg
expect 4 'is a JPEG picture that cannot be read' "$ADATOM" data info nothing --no-cache
expect 4 'is a JPEG picture that cannot be read' "$ADATOM" data info codes --no-cache

# A damaged checksum names the file.
mkdir -p sum/a sum/b
cp "$samples/png_2_16.png" sum/a
{ head -c 200 "$samples/png_2_16.png" && printf '\001' && tail -c +202 "$samples/png_2_16.png"; } >sum/b/flipped.png
expect 4 'flipped.png.* is damaged' "$ADATOM" data verify sum --least 1
expect 4 'flipped.png.* is damaged' "$ADATOM" data info sum --no-cache

# What shines through transparent pictures.
printf 'P7\nWIDTH 2\nHEIGHT 2\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n\000\000\000\000\000\000\000\000' >clear.pam
printf 'P5 2 2 255\n\377\377\377\377' >white.pgm
printf 'P5 2 2 255\n\060\060\060\060' >dark.pgm
pair clear clear.pam p.pam
pair white white.pgm p.pgm
pair dark dark.pgm p.pgm
same "$(hash_of clear)" "$(hash_of white)" "hash over white"
same "$(hash_of clear --background 303030)" "$(hash_of dark)" "hash over another colour, with the cache of the first"
expect 2 "'reddish' is no background: white, black, grey" "$ADATOM" data info clear --background reddish
"$ADATOM" data info clear --background '#303030' --format json >info.json
same "$(get info.json dataset.background)" 303030 "background of the result"

# Truncated pictures.
pictures cut 2 2
head -c 120 cut/class1/1.ppm >short && mv short cut/class1/1.ppm
expect 4 "'class1/1.ppm' in 'cut' is truncated" "$ADATOM" data info cut
for run in cold warm; do
    expect 0 "^warning: 1 picture is truncated or damaged and taken as far as it goes: 'class1/1.ppm'" "$ADATOM" data info cut --allow-truncated
done
"$ADATOM" data info cut --allow-truncated --format json >info.json 2>err
same "$(get info.json dataset.damaged)" 1 "number of damaged pictures in the result"
expect 4 "'class1/1.ppm' in 'cut' is truncated" "$ADATOM" data info cut
expect 4 "class1/1.ppm.* is truncated" "$ADATOM" data verify cut --least 1 --allow-truncated
expect 4 'is truncated' "$ADATOM" adapt --model "$FIXTURE/model.safetensors" --images cut --output adapter --adapt centroid --device cpu
expect 0 '1 picture is truncated' "$ADATOM" adapt --model "$FIXTURE/model.safetensors" --images cut --output adapter --adapt centroid \
    --device cpu --estimate none --allow-truncated --background black
expect 4 'is truncated' "$ADATOM" classify cut/class1/1.ppm --model "$FIXTURE/model.safetensors" --adapter adapter --device cpu
expect 0 '1 picture is truncated' "$ADATOM" classify cut/class1/1.ppm --model "$FIXTURE/model.safetensors" --adapter adapter --device cpu \
    --allow-truncated
finish
