# Features as files: the same episodes and numbers as from the pictures; adapters and answers; files written by hand; what
# is refused.
. "$LIB"
model=$FIXTURE/model.safetensors
"$SHAPES" few 5 0 5 16 && "$SHAPES" new 5 20 8 16 || complain "no pictures"
features="$ADATOM features --model $model --device cpu"
episodes="$ADATOM episodes --device cpu --way 4 --query 5 --tasks 12 --seed 3 --shot 1,5"

# Episodes drawn from features are those drawn from the pictures, and every number of a head is the same.
expect 0 'F.safetensors +480 +24 +8 +f32 +0 ' $features builtin:shapes/novel --per-class 20 -o F.safetensors
$episodes --model "$model" --data builtin:shapes/novel --per-class 20 --adapt centroid,head,cosine --format json --predictions \
    --save-episodes list.json >pictures.json 2>err || complain "episodes of pictures: $(tail -n 1 err)"
$episodes --features F.safetensors --format json --predictions >features.json 2>err || complain "episodes of features: $(tail -n 1 err)"
same "$(get features.json results.#)" 6 "methods x shots"
for i in 0 1 2 3 4 5; do
    for member in method episodes.list_hash accuracy.values accuracy.mean predictions adapted; do
        same "$(get features.json results.$i.$member)" "$(get pictures.json results.$i.$member)" "result $i, $member"
    done
done
# So is every number of those that are solved on the host; the mean that simpleshot needs is the model's.
solved="$episodes --adapt lda,logistic,knn,bd-cspn,simpleshot --format json --predictions"
$solved --model "$model" --data builtin:shapes/novel --per-class 20 >of_pictures.json 2>err || complain "solved: $(tail -n 1 err)"
$solved --features F.safetensors --model "$model" >of_features.json 2>err || complain "solved of features: $(tail -n 1 err)"
for i in 0 1 2 3 4 5 6 7 8 9; do
    for member in method accuracy.values predictions adapted; do
        same "$(get of_features.json results.$i.$member)" "$(get of_pictures.json results.$i.$member)" "solved $i, $member"
    done
done
same "$(get of_features.json results.0.config.shrinkage)" ledoit-wolf "lda's shrinkage"
expect 0 'shrinkage=0.5 ' $episodes --features F.safetensors --adapt lda --shrinkage 0.1,0.5
expect 0 'neighbours=1 ' $episodes --features F.safetensors --adapt knn --neighbours 1,3
expect 0 'inverse-penalty=10 ' $episodes --features F.safetensors --adapt logistic --inverse-penalty 1,10
expect 2 'this model does not know them' $episodes --features F.safetensors --adapt simpleshot
expect 2 "'lda' is for episodes: no adapter holds it" "$ADATOM" adapt --device cpu --features F.safetensors --adapt lda --output no
expect 2 "must be frozen" $episodes --model "$model" --data builtin:shapes/novel --adapt knn --bn support
same "$(get features.json results.2.difference.mean)" "$(get pictures.json results.2.difference.mean)" "paired difference"
same "$(get features.json dataset.hash)" "$(get pictures.json dataset.hash)" "hash of the data"
same "$(get features.json dataset.model_hash)" "$(get pictures.json model.hash)" "hash of the network"
same "$(get features.json dataset.features)" 8 "numbers of a picture"
# A list kept from one is replayed on the other.
$ADATOM episodes --device cpu --features F.safetensors --episodes-file list-5shot.json --adapt cosine --format json >replayed.json 2>err ||
    complain "replay: $(tail -n 1 err)"
same "$(get replayed.json results.0.accuracy.values)" "$(get pictures.json results.5.accuracy.values)" "replayed"
expect 0 '8 features a picture; 4-way' $episodes --features F.safetensors --adapt centroid
expect 0 'lr=0.1 ' $episodes --features F.safetensors --adapt head --lr 0.01,0.1 --steps 1,3

# The same from an array with its list, in half precision (rounded), and from folders, archives and lists of pictures.
expect 0 'F.npy ' $features builtin:shapes/novel --per-class 20 -o F.npy
same "$(head -n 2 F.labels.csv | tail -n 1)" '"aitch-blotches/00000","aitch-blotches"' "the list beside"
$episodes --features F.npy --format json >array.json 2>err || complain "episodes of an array: $(tail -n 1 err)"
for i in 0 1 2 3 4 5; do
    same "$(get array.json results.$i.accuracy.values)" "$(get pictures.json results.$i.accuracy.values)" "result $i of the array"
done
same "$(get array.json dataset.model_hash)" null "an array does not tell its network"
expect 0 'H.safetensors .* f16 ' $features builtin:shapes/novel --per-class 20 -o H.safetensors --dtype f16
[ "$(wc -c <H.safetensors)" -lt "$(($(wc -c <F.safetensors) - 7000))" ] || complain "half precision takes as much room"
expect 0 'centroid' $episodes --features H.safetensors
tar cf few.tar few
for class in few/*; do for file in "$class"/*; do echo "${file#few/},${class#few/}"; done; done | sort -r >rows
{ echo filename,label; cat rows; } >few/list.csv
for spec in few few.tar few/list.csv; do
    $features $spec -o one.safetensors --format json >one.json 2>err || complain "$spec: $(tail -n 1 err)"
    same "$(get one.json results.0.classes)/$(get one.json results.0.images)" 5/25 "$spec"
    hash=${hash:-$(get one.json dataset.hash)}
    same "$(get one.json dataset.hash)" "$hash" "hash of $spec"
done
"$ADATOM" data info few --size 16 --format json >info.json 2>err
same "$(get info.json dataset.hash)" "$hash" "hash by data info"
rm few/list.csv
# Classes from elsewhere make other data of pictures that had none.
$features few --no-classes -o bare.safetensors --format json >bare.json 2>err || complain "features without classes: $(tail -n 1 err)"
{ echo filename,label; for class in few/*; do for file in "$class"/*; do echo "$file,${class#few/}"; done; done; } >bare.csv
"$ADATOM" episodes --device cpu --features bare.safetensors --labels bare.csv --way 4 --query 2 --tasks 2 --format json >labelled.json 2>err ||
    complain "labels beside: $(tail -n 1 err)"
same "$(get labelled.json dataset.model_hash)" "$(get bare.json dataset.model_hash)" "network of labelled features"
[ "$(get labelled.json dataset.hash)" != "$(get bare.json dataset.hash)" ] || complain "data with classes have the hash of data without"
mkdir loose
i=0; for class in new/*; do cp "$class/20.ppm" loose/$i.ppm; i=$((i + 1)); done
for spec in loose 'new/*/20.ppm' '--no-classes new'; do
    $features $spec -o L.safetensors --format json >L.json 2>err || complain "$spec: $(tail -n 1 err)"
    same "$(get L.json results.0.classes)" 0 "$spec has no classes"
done
$features loose -o L.safetensors --quiet >out 2>err || complain "loose"
[ ! -s err ] || complain "--quiet prints on stderr: $(cat err)"
expect 4 "'L.safetensors' has no classes; 5-way" "$ADATOM" episodes --device cpu --features L.safetensors

# Adapters: of features and of pictures they are the same, and classify both.
adapt="$ADATOM adapt --device cpu --adapt head --steps 4"
$features few -o few.safetensors --quiet >out 2>err && $features new -o new.safetensors --quiet >out 2>err || complain "features"
$adapt --features few.safetensors --output by_features --format json >a.json 2>err || complain "adapt: $(tail -n 1 err)"
$adapt --model "$model" --images few --output by_pictures --format json >b.json 2>err || complain "adapt: $(tail -n 1 err)"
cmp -s by_features/adapter.safetensors by_pictures/adapter.safetensors || complain "the adapter of features is another one"
same "$(get a.json accuracy.right)/$(get a.json accuracy.tested)" "$(get b.json accuracy.right)/25" "estimate"
same "$(get by_features/adapter_config.json preprocessing)" "$(get by_pictures/adapter_config.json preprocessing)" "preprocessing"
same "$(get by_features/adapter_config.json base_model.hash)" "$(get pictures.json model.hash)" "model"
expect 0 'adapts the network, and there are only its features' "$ADATOM" adapt --device cpu --features few.safetensors --output by_default
"$ADATOM" classify --model "$model" --device cpu --adapter by_features new --format csv 2>err | cut -d, -f2- >by_pictures.csv
"$ADATOM" classify --device cpu --adapter by_features --features new.safetensors --format csv 2>err | cut -d, -f2- >by_features.csv
same "$(wc -l <by_features.csv | tr -d ' ')" 41 "rows"
cmp -s by_pictures.csv by_features.csv || complain "features are classified otherwise than pictures"
cp -r by_features odd && sed -i 's/"method": {/&"layers": 5, "last": "x",/' odd/adapter_config.json
expect 0 'head, 5 classes' "$ADATOM" inspect "$model" --adapter odd
expect 0 ' own ' "$ADATOM" classify --device cpu --model "$model" --features new.safetensors
expect 2 'no classifier of its own' "$ADATOM" classify --device cpu --features new.safetensors
"$ADATOM" adapt --model "$model" --images few --output normed --adapt norm --steps 3 --device cpu --quiet >out 2>err || complain "adapt"
expect 0 'N.safetensors' $features new -o N.safetensors --adapter normed
cmp -s N.safetensors new.safetensors && complain "the adapter left no trace in the features"
expect 4 'it classifies pictures, not features' "$ADATOM" classify --device cpu --features new.safetensors --adapter normed
expect 4 'another network' "$ADATOM" classify --device cpu --features N.safetensors --adapter by_features
expect 4 'another network' "$ADATOM" episodes --device cpu --model "$model" --features N.safetensors --query 3

# Files written by hand: little-endian floats 1.0 (00 00 80 3f) and 2.0, labels as bytes, no network known.
one='\000\000\200\077' two='\000\000\000\100' zero='\000\000\000\000'
array() { # array SHAPE-TEXT BYTES: a .npy file
    header=$(printf "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" "$1")
    printf '\223NUMPY\001\000\166\000%-117s\n' "$header"
    printf "$2"
}
rows="$one$zero$one$two$one$zero$one$two$one$zero$one$two$one$zero$one$two"
array '(8, 2)' "$rows" >hand.npy
expect 4 "'hand.npy' has no classes" "$ADATOM" episodes --device cpu --features hand.npy
printf 'filename,label\n' >hand.csv
for i in 1 2 3 4; do printf 'low%s,low\nhigh%s,high\n' $i $i >>hand.csv; done
expect 0 'centroid +1 +100.00 ' "$ADATOM" episodes --device cpu --features hand.npy --labels hand.csv --way 2 --query 2 --tasks 5
"$ADATOM" adapt --device cpu --features hand.npy --labels hand.csv --output hand --adapt centroid >out 2>err || complain "adapt by hand"
same "$(get hand/adapter_config.json base_model.hash)" 0000000000000000 "an unknown network"
"$ADATOM" classify --device cpu --features hand.npy --adapter hand --format csv 2>err >hand_rows.csv || complain "classify by hand: $(tail -n 1 err)"
same "$(cut -d, -f1,4 hand_rows.csv | sed -n 2,3p | tr '\n' ' ')" 'row 0,low row 1,high ' "answers by hand"
expect 4 'of a network that is not known: it classifies features' "$ADATOM" classify --model "$model" --device cpu --adapter hand new
header='{"labels":{"dtype":"I32","shape":[4],"data_offsets":[32,48]},"features":{"dtype":"F32","shape":[4,2],"data_offsets":[0,32]}}'
{
    printf "\\$(printf %03o ${#header})\000\000\000\000\000\000\000%s" "$header"
    printf "$one$zero$one$two$one$zero$one$two\003\000\000\000\011\000\000\000\003\000\000\000\011\000\000\000"
} >hand.safetensors
expect 0 'centroid +1 +100.00 ' "$ADATOM" episodes --device cpu --features hand.safetensors --way 2 --query 1 --tasks 5
expect 2 'has labels of its own' "$ADATOM" episodes --device cpu --features hand.safetensors --labels hand.csv
head -c 100 hand.safetensors >cut.safetensors
expect 4 "'cut.safetensors'" "$ADATOM" episodes --device cpu --features cut.safetensors
head -c 150 hand.npy >cut.npy
expect 4 "'cut.npy' has 22 bytes of numbers, and its shape needs more" "$ADATOM" episodes --device cpu --features cut.npy
array '(4, 2)' "$one$zero$one$two\000\000\300\177$zero$one$two" >nan.npy
expect 4 "1 of 4 rows hold numbers that are not finite as float32; the first is row 2" "$ADATOM" episodes --device cpu --features nan.npy
expect 4 "'few.tar' is neither safetensors nor .npy" "$ADATOM" episodes --device cpu --features few.tar
expect 4 "has no tensor 'features'.*is a model" "$ADATOM" episodes --device cpu --features "$model"
expect 4 "cannot open 'nowhere.npy'" "$ADATOM" episodes --device cpu --features nowhere.npy

# Methods that need the network, and options that contradict each other.
expect 2 "'atoms' adapts the network, and 'F.safetensors' holds features" $episodes --features F.safetensors --adapt centroid,atoms
expect 2 "'lora' adapts the network" "$ADATOM" adapt --device cpu --features few.safetensors --output no --adapt lora
expect 2 'batch norm need pictures' $episodes --features F.safetensors --adapt head --bn support
expect 2 'leave the augmentation out' "$ADATOM" adapt --device cpu --features few.safetensors --output no --augment flip
expect 2 'features take the place of --data' $episodes --features F.safetensors --data few
expect 2 'features take the place of --images' "$ADATOM" adapt --device cpu --features F.safetensors --images few --output no
expect 2 'features take the place of IMAGES' "$ADATOM" classify --device cpu --features F.safetensors --adapter by_features new
expect 2 '--labels are the classes of --features' $episodes --model "$model" --data few --labels hand.csv
expect 2 '--model FILE is missing' $episodes --data few
expect 2 '--output DIR is missing' "$ADATOM" adapt --features few.safetensors
[ ! -e no ] || complain "a refused command wrote something"

# Pictures that cannot be read: of classes they are a failure, of others they are left out and told.
cp -r few bad && echo hello >"bad/$(ls bad | head -n 1)/text.ppm"
expect 4 'text.ppm' $features bad -o bad.safetensors
[ ! -e bad.safetensors ] || complain "features of broken data were written"
expect 4 'adatom: 1 picture could not be read: .*text.ppm' $features --no-classes bad new/*/20.ppm -o bad.safetensors
grep -q '^left out: .*text.ppm' err || complain "what is left out is not told"
grep -qE 'bad.safetensors +30 +0 +8 +f32 +1 ' out || complain "the others are missing"
expect 4 'none of the pictures can be read' $features bad/*/text.ppm -o none.npy
[ ! -e none.npy ] || complain "features of nothing were written"
expect 2 'ends in neither .safetensors nor .npy' $features few -o F.npz
expect 1 'cannot create' $features few -o nowhere/F.npy
expect 2 'a split or list chooses from one data set' $features --split val few/*/0.ppm -o no.npy
expect 4 'of a network that is not known' $features --adapter hand few -o no.npy
# Ctrl-C writes nothing.
interrupt 'device:' $features builtin:shapes --per-class 2000 -o long.safetensors
[ ! -e long.safetensors ] || complain "an interrupted run wrote a file"
ls | grep -q 'tmp-' && complain "a temporary file is left"
finish
