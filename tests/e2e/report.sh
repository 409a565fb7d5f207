# --report: one HTML page of what a command found. What a browser makes of it is tested in test_report.py.
. "$LIB"
model=$FIXTURE/model.safetensors
# page FILE: a whole document that needs nothing else and runs nothing.
page() {
    [ -s "$1" ] || { complain "$1 is missing" && return; }
    same "$(head -n 1 "$1")" '<!DOCTYPE html>' "$1's first line"
    same "$(tail -n 1 "$1")" '</html>' "$1's last line"
    for part in '<html lang="en">' '<meta charset="utf-8">' "default-src 'none'" '<h1>' 'class="lead"' '<h2>To repeat it</h2>'; do
        grep -qF -e "$part" "$1" || complain "no $part in $1"
    done
    grep -qiE '<script|<link|@import|url\(|href=' "$1" && complain "$1 needs or runs something"
    grep -oE 'src="[^"]{0,24}' "$1" | grep -v '^src="data:image/png;base64,' && complain "$1 has a picture from elsewhere"
    grep -qE '[>" ]-?(nan|inf)[%<" ]' "$1" && complain "$1 has what is no number"
    command -v tidy >/dev/null || return 0
    tidy -e -q "$1" 2>problems
    [ ! -s problems ] || complain "$1 is not valid: $(head -n 3 problems)"
}
# told FILE TEXT: the page has the text.
told() { grep -qF -e "$2" "$1" || complain "$1 does not tell: $2"; }
count() { grep -oF -e "$2" "$1" | wc -l | tr -d ' '; }

# The option stands in the help of the commands that have it.
for command in episodes adapt classify pretrain metatrain reproduce; do
    same "$("$ADATOM" $command --help | grep -c -e '--report FILE.html')" 1 "lines of --report in the help of $command"
done

# Episodes: the numbers are those of the result, and paired differences stand beside them.
episodes="$ADATOM episodes --device cpu --model $model --data builtin:shapes/novel --per-class 12 --way 3 --query 5 --tasks 8"
$episodes --shot 1,5 --adapt centroid,cosine --report episodes.html --format json >episodes.json 2>err || complain "episodes: $(tail -n 1 err)"
page episodes.html
told episodes.html "<h2>Accuracy</h2>"
told episodes.html "<h3>Paired differences</h3>"
told episodes.html "<h2>Curves</h2>"
for i in 0 1 2 3; do
    told episodes.html "$(awk "BEGIN { printf \"%.2f ± %.2f\", 100 * $(get episodes.json results.$i.accuracy.mean), 100 * $(get episodes.json results.$i.accuracy.ci95) }")"
done
for i in 1 3; do
    told episodes.html "$(awk "BEGIN { printf \"%+.2f ± %.2f\", 100 * $(get episodes.json results.$i.difference.mean), 100 * $(get episodes.json results.$i.difference.ci95) }")"
done
told episodes.html "$(get episodes.json dataset.hash)"
told episodes.html "$(get episodes.json model.hash)"
same "$(count episodes.html '<svg class="row"')" 6 "rows of the forest plots"
# One episode has no interval, one method no difference.
$episodes --tasks 1 --adapt centroid --report one.html >out 2>err || complain "one episode: $(tail -n 1 err)"
page one.html
grep -q 'Paired' one.html && complain "differences of one result"

# What diverged has no accuracy and no mark in the plot.
wild="--optimizer sgd --lr-full 1000 --steps 60"
expect 5 'have no accuracy' $episodes --tasks 2 --adapt full $wild --report lost.html
page lost.html
told lost.html "No result has an accuracy"
expect 5 'have no accuracy' $episodes --tasks 2 --adapt centroid,full $wild --report half.html
page half.html
told half.html "centroid is right on"

# Adapt: each wrong answer of the estimate has its picture; names are texts, whatever they hold.
"$SHAPES" few 5 0 6 16 || complain "no pictures"
turn=$(printf '\342\200\256')
long=$(awk 'BEGIN { for (i = 0; i < 60; i++) printf "long" }')
set -- '<b onclick=alert(1)>&"' "it's" 'قطة' '小猫' "$long$turn"
for folder in few/*; do
    mv "$folder" "few/$1"
    shift
done
adapt="$ADATOM adapt --device cpu --model $model --images few"
$adapt --adapt atoms --output atoms --report adapt.html --format json >adapt.json 2>err || complain "adapt: $(tail -n 1 err)"
page adapt.html
wrong=$(($(get adapt.json accuracy.tested) - $(get adapt.json accuracy.right)))
same "$(count adapt.html '<img width="96"')" "$wrong" "pictures that were wrong"
told adapt.html "$(get adapt.json accuracy.right) of $(get adapt.json accuracy.tested)"
told adapt.html '&lt;b onclick=alert(1)&gt;&amp;&quot;'
told adapt.html 'it&#39;s'
told adapt.html '<bdi>قطة</bdi>'
told adapt.html '<bdi>小猫</bdi>'
told adapt.html 'long\u{202e}'
grep -q "$turn" adapt.html && complain "a mark that turns the direction of writing"
same "$(count adapt.html 'before and after" src=')" 3 "layers' atoms"
# How far its probabilities can be trusted, as they are and by the temperature, of all pictures that were left out.
same "$(count adapt.html '<svg viewBox="')" 2 "reliability diagrams of adapt"
same "$(count adapt.html 'of 30 answers; the expected calibration error')" 2 "pictures of the diagrams"
told adapt.html "$(awk "BEGIN { printf \"the temperature %.3g, found by the 30 pictures\", $(get adapt.json calibration.temperature) }")"
grep -q familiarity adapt.html && complain "the list of familiarities is on the page"
grep -q familiarity adapt.json && complain "the list of familiarities is in the result"
same "$(count adapt.html '<table class="matrix">')" 1 "matrices"
# What was tried, and which was taken.
$adapt --try centroid,cosine --output chosen --report "a b.html" -q >out 2>err || complain "adapt auto: $(tail -n 1 err)"
page "a b.html"
told "a b.html" "<h2>What was tried</h2>"
told "a b.html" "(taken)"
told "a b.html" "--report &#39;a b.html&#39;"
told "a b.html" "The network stays as it is"
# Without an estimate nothing is known of answers.
$adapt --adapt centroid --estimate none --output blind --report blind.html -q >out 2>err || complain "no estimate: $(tail -n 1 err)"
page blind.html
grep -q 'By class' blind.html && complain "answers without an estimate"
grep -q 'can be trusted' blind.html && complain "calibration without an estimate"

# Classify: folders that are classes tell what is right; others do not.
"$ADATOM" classify few --device cpu --model "$model" --adapter atoms --report known.html --format csv >known.csv 2>err || complain "classify: $(tail -n 1 err)"
page known.html
grep -qE 'class="lead">[0-9]+ of 30 pictures' known.html || complain "no number of right pictures"
told known.html "expected calibration error"
same "$(count known.html '<svg viewBox=')" 1 "reliability diagrams"
# Refused pictures are shown by themselves, with what they come nearest to, and are no wrong answers.
"$ADATOM" classify few --device cpu --model "$model" --adapter atoms --reject 0.3 --calibrated --report refused.html --format json >refused.json 2>err ||
    complain "classify --reject: $(tail -n 1 err)"
page refused.html
refused=$(get refused.json rejection.refused)
[ "$refused" -gt 0 ] || complain "no picture is refused"
told refused.html "<h2>Refused as none of the classes</h2>"
told refused.html "$refused of 30 pictures look less familiar than 30 %"
told refused.html "<h3>Calibrated</h3>"
grep -qE "class=\"lead\">[0-9]+ of $((30 - refused)) pictures.* $refused more" refused.html || complain "the first sentence does not tell of $refused refused pictures"
cp few/it*/0.ppm alone.ppm
"$ADATOM" classify alone.ppm --device cpu --model "$model" --adapter atoms,chosen --report unknown.html >out 2>err || complain "classify one: $(tail -n 1 err)"
page unknown.html
told unknown.html "whether answers are right is not known"
grep -q 'calibration error' unknown.html && complain "calibration without true classes"
"$ADATOM" classify alone.ppm --device cpu --model "$model" --report own.html >out 2>err || complain "classify, own: $(tail -n 1 err)"
page own.html
echo no >broken.ppm
expect 4 'could not be read|cannot be read' "$ADATOM" classify alone.ppm broken.ppm --device cpu --model "$model" --report broken.html
page broken.html
told broken.html "<h2>Pictures that could not be read</h2>"
expect 4 'adatom: ' "$ADATOM" classify broken.ppm --device cpu --model "$model" --report none.html
page none.html
told none.html "No picture could be read."

# Features have no pictures, but classes of their own.
"$ADATOM" features few --device cpu --model "$model" --no-cache -o few.safetensors >out 2>err || complain "features: $(tail -n 1 err)"
"$ADATOM" adapt --features few.safetensors --device cpu --try centroid,cosine --output plain --report plain.html -q >out 2>err ||
    complain "adapt to features: $(tail -n 1 err)"
page plain.html
told plain.html "there are names of pictures only"
"$ADATOM" classify --features few.safetensors --device cpu --adapter plain --report labels.html >out 2>err || complain "classify features: $(tail -n 1 err)"
page labels.html
told labels.html "of 30 pictures"
told labels.html "their label names"

# Trainings and recipes.
train="--data builtin:shapes/base --per-class 4 --image-size 16 --width 8 --atoms 4 --device cpu --no-cache --output trained.safetensors"
"$ADATOM" pretrain $train --epochs 2 --report pretrain.html >out 2>err || complain "pretrain: $(tail -n 1 err)"
page pretrain.html
told pretrain.html "After 2 of 2 epochs"
same "$(count pretrain.html '<svg viewBox=')" 2 "curves"
"$ADATOM" metatrain $train --way 3 --query 2 --epochs 1 --epoch-tasks 4 --report metatrain.html -q >out 2>err || complain "metatrain: $(tail -n 1 err)"
page metatrain.html
cat >recipe.json <<END
{"format_version": 1, "name": "a <small> thing", "model": "$model", "data": {"spec": "builtin:shapes/novel", "per_class": 12},
 "episodes": {"way": 3, "shot": 2, "query": 5, "tasks": 6, "seed": 3},
 "results": [{"method": {"adapt": "centroid"}, "expected": {"accuracy": 0.5, "ci95": 0.5}},
             {"method": {"adapt": "cosine"}, "expected": {"accuracy": 0.0, "ci95": 0.01}}]}
END
expect 5 'of 2 results' "$ADATOM" reproduce recipe.json --device cpu --report reproduce.html
page reproduce.html
told reproduce.html "a &lt;small&gt; thing: 1 of 2 results came out as expected"
told reproduce.html "<h3>Paired differences</h3>"

# A page that cannot be written: one sentence, and the results are there.
expect 1 "cannot write '/dev/full'" $episodes --adapt centroid --report /dev/full
grep -q '^centroid' out || complain "the result is lost"
same "$(grep -c '^adatom: ' err)" 1 "sentences"

# Ended early: the page says so.
interrupt 'info: cosine, rate' $adapt --budget 1000000 --output partial --verbose --report partial.html
page partial.html
told partial.html "<strong>Unfinished.</strong>"
[ ! -e partial ] || complain "an adapter after an interrupt"
interrupt '^epoch 1/500' "$ADATOM" pretrain $train --restart --epochs 500 --report stopped.html
page stopped.html
told stopped.html "<strong>Unfinished.</strong>"
told stopped.html "of 500 epochs"
interrupt '^atoms, 1-shot.*%' $episodes --tasks 3000 --adapt centroid,atoms --steps 200 --report early.html
page early.html
told early.html "<strong>Unfinished.</strong>"
finish
