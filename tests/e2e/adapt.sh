# Adapts a model to a folder of new classes, classifies with the adapter, inspects and merges it; refuses what is wrong
# with any of them.
. "$LIB"
# A trained network, so that accuracy means something: with 5 pictures a class, chance is 20 %.
"$ADATOM" pretrain --data builtin:shapes --split base --per-class 20 --image-size 32 --width 16 --epochs 15 --batch 32 \
    --output trained.safetensors --device cpu --no-cache --quiet >out 2>err || complain "pretrain: $(tail -n 1 err)"
"$SHAPES" support 5 0 5 32 && "$SHAPES" query 5 20 8 32 || complain "no pictures"
expect 0 'accuracy +[0-9.]+ % \([0-9]+ of 25; 95 % interval' "$ADATOM" adapt --model trained.safetensors --device cpu --images support \
    --output good --adapt atoms
"$ADATOM" classify --model trained.safetensors --device cpu --adapter good query --format csv >good.csv 2>err ||
    complain "classify: $(tail -n 1 err)"
grep -q 'pictures/s' err || complain "classify shows no throughput"
same "$(wc -l <good.csv | tr -d ' ')" 41 "rows"
right=$(awk -F, 'NR > 1 {split($1, part, "/"); n += part[2] == $4} END {print n + 0}' good.csv)
[ "$right" -ge 20 ] || complain "$right of 40 right; chance is 8"

# What looks like none of the classes is refused, by what the estimate tells; other classes more often than their own.
# Probabilities by the temperature are those of the same scores.
"$SHAPES" foreign 30 20 8 32 || complain "no foreign pictures"
for class in query/*; do rm -rf "foreign/${class#query/}"; done
asked=$(ls foreign/*/* | wc -l | tr -d ' ')
expect 0 'temperature [0-9.]+ by 25 pictures' "$ADATOM" adapt --model trained.safetensors --device cpu --images support --output known --adapt cosine
for set in query foreign; do
    "$ADATOM" classify --model trained.safetensors --device cpu --adapter known --reject 0.2 $set --format json >$set.json 2>err ||
        complain "classify --reject: $(tail -n 1 err)"
done
own=$(get query.json rejection.refused) others=$(get foreign.json rejection.refused)
[ "$own" -le 14 ] && [ $((others * 40)) -gt $((own * asked * 3 / 2)) ] || complain "$own of 40 of its own classes refused, $others of $asked others"
same "$(grep -c '"refused": true' foreign.json)" "$others" "refused pictures"
"$ADATOM" classify --model trained.safetensors --device cpu --adapter known --reject 0.2 --top 3 foreign --format csv >foreign.csv 2>err
same "$(head -n 1 foreign.csv)" picture,adapter,rank,class,probability,typicality,refused,nearest,error "columns with --reject"
awk -F, -v n="$others" 'NR > 1 && $7 == "true" {if ($4 $5 != "" || $8 == "" || $6 > 0.2) exit 1; m++} END {exit m != n}' foreign.csv ||
    complain "refused pictures have a class, or no nearest one"
expect 0 "^$others of $asked answers are refused" "$ADATOM" classify --model trained.safetensors --device cpu --adapter known --reject 0.2 foreign
"$ADATOM" classify --model trained.safetensors --device cpu --adapter known query --format csv >plain.csv 2>err
"$ADATOM" classify --model trained.safetensors --device cpu --adapter known --calibrated query --format csv >sure.csv 2>err
cut -d, -f1-4 plain.csv >plain.names
cut -d, -f1-4 sure.csv | cmp -s - plain.names || complain "calibrated answers are others"
cmp -s plain.csv sure.csv && complain "calibrated probabilities are the same"
expect 2 'calibrated by 25 pictures, by which no less than a part of 0.0385' "$ADATOM" classify --model trained.safetensors --device cpu \
    --adapter known --reject 0.02 query
expect 2 "own classifier is not calibrated" "$ADATOM" classify --model trained.safetensors --device cpu --reject 0.1 query

# Without an adapter the model's own classifier answers, by the names of what it was trained on.
"$ADATOM" classify --model trained.safetensors --device cpu query --format csv >own.csv 2>err || complain "classify, own: $(tail -n 1 err)"
"$ADATOM" inspect trained.safetensors --format json >trained.json
get trained.json model.notes.classes | tr -d '[]" ' | tr ',' '\n' | sort >names
same "$(wc -l <names | tr -d ' ')" 64 "names of classes"
awk -F, 'NR > 1 {print $4}' own.csv | sort -u | comm -23 - names >strange
[ ! -s strange ] || complain "answers that are no class: $(head -n 3 strange | tr '\n' ' ')"

# With mirror images the adapter does not tell a picture from its mirror image; that export leaves this out is said.
expect 0 'accuracy +[0-9.]+ %' "$ADATOM" adapt --model trained.safetensors --device cpu --images support --output mirrored --adapt atoms --mirror
same "$(get mirrored/adapter_config.json method.mirror)/$(get mirrored/adapter_config.json format_version)" true/2 "the adapter's setting"
"$ADATOM" classify --model trained.safetensors --device cpu --adapter good,mirrored query --format csv >both.csv 2>err ||
    complain "classify under both: $(tail -n 1 err)"
same "$(grep -c ',mirrored,' both.csv)" 40 "rows of the second adapter"
grep ',good,' both.csv >good.rows
grep ',good,' good.csv >alone.rows
cmp good.rows alone.rows || complain "the first adapter answers otherwise beside one with mirror images"
expect 0 'warning: the adapter takes the mean over a picture and its mirror image' "$ADATOM" export trained.safetensors --adapter mirrored -o x.safetensors

# The rest does not depend on how good the network is.
model=$FIXTURE/model.safetensors
"$SHAPES" few 5 0 5 16 && "$SHAPES" new 5 20 8 16 || complain "no pictures"
adapt="$ADATOM adapt --model $model --device cpu"
classify="$ADATOM classify --model $model --device cpu"
$adapt --images few --output atoms --adapt atoms --format json >atoms.json 2>err || complain "adapt --format json"
same "$(get atoms.json accuracy.estimate)/$(get atoms.json accuracy.tested)" leave-one-out/25 "estimate"
same "$(get atoms.json adapter.adapted)" 216 "adapted numbers"
# The classifier takes 5 classes x 8 features x 4 bytes of the file.
bytes=$(($(wc -c <atoms/adapter.safetensors) - 5 * 8 * 4))
[ "$bytes" -ge 864 ] && [ "$bytes" -le 4096 ] || complain "the adapter without its classifier takes $bytes bytes"
same "$(get atoms.json adapter.adapted_bytes)" 864 "bytes of the atoms"
same "$(get atoms/adapter_config.json device.precision)" fp32 "precision"
same "$(get atoms/adapter_config.json base_model.hash)" "$("$ADATOM" inspect "$model" --format json >m.json; get m.json model.hash)" \
    "model's hash"
same "$(get atoms/adapter_config.json target_modules)" '["layer2.atoms","layer3.atoms","layer4.atoms"]' "layers"

# The same adapter twice is the same; several adapters in one run give what each gives alone.
$adapt --images few --output again --adapt atoms --quiet >out 2>err || complain "adapt again"
cmp -s atoms/adapter.safetensors again/adapter.safetensors || complain "the same command gave another adapter"
for method in centroid head norm full lora dora bora tsa; do
    expect 0 "^$method, 5 classes, 25 pictures" $adapt --images few --output $method --adapt $method --steps 3 --holdout 0.4
done
expect 0 'folds, optimistic' $adapt --images few --output folded --adapt atoms --estimate folds --steps 4 --batch 10 --augment shift+flip --early-stop
expect 0 'leave-one-out$' $adapt --images few --output means --adapt centroid --early-stop # there is nothing to choose
expect 0 'leave-one-out' $adapt --images few --output supported --adapt norm --bn support --leave-one-out --steps 3
$classify --adapter atoms,head,dora,full,norm,supported,tsa,lora,bora new --format csv >all.csv 2>err || complain "several adapters: $(tail -n 1 err)"
for method in atoms head full norm supported lora dora bora tsa; do
    $classify --adapter $method new --format csv 2>err | tail -n +2 >alone.csv
    grep ",$method,1," all.csv | cmp -s - alone.csv || complain "$method beside others is not $method alone"
done
tar cf new.tar new
same "$($classify --adapter head new.tar --format csv 2>err | cut -d, -f2- | sort)" \
    "$($classify --adapter head new --format csv 2>err | cut -d, -f2- | sort)" "archive and folder"
expect 0 '^new/' $classify --adapter head new/*/20.ppm
$classify --adapter atoms --top 9 new/*/20.ppm --format jsonl 2>err >top.jsonl || complain "--top"
same "$(wc -l <top.jsonl | tr -d ' ')" 25 "five classes a picture"
head -n 1 top.jsonl >line.json
same "$(get line.json rank)" 1 "rank"
expect 0 '^new/.* own ' $classify new/*/20.ppm # the model's own classifier

# Some layers only: their tensors are the adapter, which classify, inspect and export take like any other.
expect 0 'atoms, 5 classes' $adapt --images few --output top --adapt atoms --last 1 --steps 3
same "$(get top/adapter_config.json target_modules)/$(get top/adapter_config.json method.last)" '["layer4.atoms"]/1' "the last layer"
expect 0 'full, 5 classes' $adapt --images few --output some --adapt full --layers 'layer3,*4.norm' --steps 3 --bn support
expect 0 'lora, 5 classes' $adapt --images few --output one --adapt lora --layers layer2 --steps 3
same "$(get one/adapter_config.json target_modules)/$(get one/adapter_config.json method.layers)" '["layer2.conv"]/layer2' "one layer"
$classify --adapter top,some,full,one new --format csv >all.csv 2>err || complain "adapters of some layers: $(tail -n 1 err)"
for method in top some full one; do
    $classify --adapter $method new --format csv 2>err | tail -n +2 >alone.csv
    grep ",$method,1," all.csv | cmp -s - alone.csv || complain "$method beside others is not $method alone"
done
expect 0 '^full, layers layer3,\*4.norm, 5 classes' "$ADATOM" inspect "$model" --adapter some
expect 0 '^atoms, the last 1, 5 classes' "$ADATOM" inspect "$model" --adapter top
expect 0 'is written' "$ADATOM" export "$model" --adapter some --output some.safetensors
expect 2 "no layer 'layr2'" $adapt --images few --output no --layers 'layer3,layr2'
expect 2 "'layer1' have no numbers that 'atoms' adapts" $adapt --images few --output no --layers layer1
expect 2 'only 3 have numbers' $adapt --images few --output no --adapt atoms --last 4
[ ! -e no ] || complain "an adapter of no layers was written"

# inspect tells how far the atoms moved, and draws them.
expect 0 'layer2.atoms +72' "$ADATOM" inspect "$model" --adapter atoms --png atoms.png
same "$(od -A n -t x1 -N 8 atoms.png | tr -d ' ')" 89504e470d0a1a0a "a PNG"
mkdir drawn && cp atoms.png drawn && expect 0 'drawn/atoms.png' $classify drawn # our own decoder checks its data
expect 1 'no atoms' "$ADATOM" inspect "$model" --adapter head --png none.png
expect 2 '--adapter' "$ADATOM" inspect "$model" --png none.png
[ ! -e none.png ] || complain "a picture of nothing was written"

# Low-rank adapters change kernels; export tells that a merged classifier was a cosine one.
expect 0 'layer1.conv +216' "$ADATOM" inspect "$model" --adapter bora
expect 1 'no atoms' "$ADATOM" inspect "$model" --adapter lora --png none.png
same "$(get dora/adapter_config.json peft_type)/$(get dora/adapter_config.json r)/$(get dora/adapter_config.json use_dora)" LORA/4/true \
    "PEFT's members"
same "$(get dora/adapter_config.json target_modules)" '["layer1.conv","layer2.conv","layer3.conv","layer4.conv"]' "layers"
expect 0 'cosine one' "$ADATOM" export "$model" --adapter lora --output lora.safetensors
expect 0 'is written' "$ADATOM" export "$model" --adapter centroid --output centroid.safetensors
! grep -q 'cosine' err || complain "a linear classifier is called a cosine one"
same "$(get tsa/adapter_config.json peft_type)/$(get tsa/adapter_config.json target_modules)" \
    'TSA/["layer1.conv","layer2.conv","layer3.conv","layer4.conv","head.alignment"]' "convolutions beside kernels"
expect 0 'head.alignment +64' "$ADATOM" inspect "$model" --adapter tsa
expect 0 'cosine one' "$ADATOM" export "$model" --adapter tsa --output tsa.safetensors
rm -rf cut && cp -r tsa cut && sed -i 's/"TSA"/"LORA"/' cut/adapter_config.json
expect 4 "'cut': its low-rank adapter lacks a member" $classify --adapter cut new
rm -rf cut && cp -r tsa cut && sed -i '/"peft_type"/d' cut/adapter_config.json
expect 4 "lacks the tensor 'layer1.conv'" $classify --adapter cut new
rm -rf cut && cp -r tsa cut && sed -i 's/\[8,3,1,1\]/[3,8,1,1]/' cut/adapter.safetensors
expect 4 "layer1.conv.tsa.weight' does not have the shape that the model's kernel asks for$" $classify --adapter cut new
expect 2 'composed ones' $adapt --images few --output no --adapt lora --conv atoms-first
expect 2 '257' $adapt --images few --output no --adapt lora --rank 257
for wrong in 's/"r": 4/"r": 0/' 's/"use_dora": true/"use_dora": 1/' 's/"LORA"/"LOHA"/' 's/"use_bora": false/"use_bora": true/' \
    's/"lora_alpha": 4.0,//'; do
    rm -rf cut && cp -r dora cut && sed -i "$wrong" cut/adapter_config.json
    ! cmp -s cut/adapter_config.json dora/adapter_config.json || complain "$wrong changed nothing"
    expect 4 "'cut': its low-rank adapter" $classify --adapter cut new
done
rm -rf cut && cp -r dora cut && sed -i 's/"r": 4/"r": 5/' cut/adapter_config.json
expect 4 "layer1.conv.lora_A.weight' does not have the shape that the model's kernel and rank 5 ask for" $classify --adapter cut new
rm -rf cut && cp -r lora cut && sed -i 's/"use_dora": false/"use_dora": true/' cut/adapter_config.json
expect 4 "lacks the tensor 'layer1.conv.lora_magnitude_vector'" $classify --adapter cut new

# Another model's adapter, damaged files and bad folders are refused in one sentence, and nothing is written.
"$ADATOM" pretrain --data builtin:shapes --split base --per-class 4 --image-size 16 --width 8 --epochs 1 --seed 9 \
    --output other.safetensors --device cpu --no-cache >out 2>err || complain "pretrain"
expect 4 'another model' "$ADATOM" classify --model other.safetensors --device cpu --adapter atoms new
expect 4 'another model' "$ADATOM" inspect other.safetensors --adapter atoms
expect 4 'another model' "$ADATOM" export other.safetensors --adapter atoms --output no
expect 4 'adapter_config.json' $classify --adapter few new
for keep in 7 100 1000; do
    rm -rf cut && cp -r atoms cut && head -c $keep atoms/adapter.safetensors >cut/adapter.safetensors
    expect 4 "'cut'" $classify --adapter cut new
    cp atoms/adapter.safetensors cut && head -c $keep atoms/adapter_config.json >cut/adapter_config.json
    expect 4 "'cut'" $classify --adapter cut new
done
rm -rf mixed && cp -r atoms mixed && cp head/adapter_config.json mixed
expect 4 "'mixed'" $classify --adapter mixed new
cp folded/adapter_config.json mixed
expect 4 'do not belong together' $classify --adapter mixed new
expect 4 "'cut'" "$ADATOM" export "$model" --adapter cut --output no
head -c 3000 "$model" >cut.safetensors
expect 4 'cut.safetensors' "$ADATOM" adapt --model cut.safetensors --device cpu --images few --output no
bad() { # bad PATTERN: adapting to the folder 'bad' is refused
    expect 4 "$1" $adapt --images bad --output bad_out
    [ ! -e bad_out ] || complain "an adapter of bad pictures was written"
    rm -rf bad
}
cp -r few bad && mkdir bad/nothing && bad "'nothing'"
cp -r few bad && echo hello >bad/note.ppm && mkdir bad/text && mv bad/note.ppm bad/text && bad 'note.ppm'
cp -r few bad && first=$(ls bad | head -n 1) && cp -r "bad/$first" "bad/$(echo "$first" | tr a-z A-Z)" && bad 'only in case'
mkdir bad && cp -r "few/$first" bad && bad 'one class'
cp -r few warned && cp "warned/$first/0.ppm" "warned/$(ls few | tail -n 1)/copy.ppm"
expect 0 'preflight: .*copy.ppm.*in different classes' $adapt --images warned --output warned_out --adapt head --steps 2
for class in few/*; do mkdir -p "one/${class#few/}" && cp "$class/0.ppm" "one/${class#few/}"; done
expect 0 'accuracy +not estimated' $adapt --images one --output one_out --adapt centroid
expect 2 'transductive' $adapt --images few --output no --adapt atoms --bn transductive
expect 2 'contradict' $adapt --images few --output no --adapt atoms --holdout 0.2 --leave-one-out
expect 2 'IMAGES is missing' $classify --adapter atoms
expect 4 "cannot open 'nowhere.ppm'" $classify --adapter atoms nowhere.ppm
echo hello >broken.ppm
expect 4 'broken.ppm' $classify --adapter atoms new broken.ppm
expect 1 'cannot make the folder' $adapt --images few --output nowhere/deep --adapt centroid --estimate none
[ ! -e no ] || complain "a refused command wrote something"
# A comma in the name of an adapter's folder, alone and in a list.
pictures comma 2 2
for folder in 'red, green' 'red' ' green'; do
    "$ADATOM" adapt --model "$FIXTURE/model.safetensors" --images comma --adapt centroid --estimate none --device cpu --no-cache \
        --output "$folder" >out 2>err || complain "adapt to '$folder': $(tail -n 1 err)"
done
"$ADATOM" classify comma --model "$FIXTURE/model.safetensors" --device cpu --adapter 'red, green' --format json >out 2>err || complain "$(tail -n 1 err)"
same "$(get out predictions.0.adapter)/$(get out predictions.#)" 'red, green/4' "an adapter whose name has a comma"
"$ADATOM" classify comma --model "$FIXTURE/model.safetensors" --device cpu --adapter 'red,red, green, green' --format json >out 2>err || complain "$(tail -n 1 err)"
same "$(get out predictions.0.adapter)/$(get out predictions.1.adapter)/$(get out predictions.2.adapter)/$(get out predictions.#)" \
    'red/red, green/ green/12' "a list with such a name"
finish
