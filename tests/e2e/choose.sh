# adapt --adapt auto: what is tried and taken, what is said of it, and that it is honest.
. "$LIB"
model=$FIXTURE/model.safetensors
"$SHAPES" few 5 0 6 16 || complain "no pictures"
adapt="$ADATOM adapt --model $model --device cpu --no-cache --images few"

# The default chooses; the report, the adapter and a second run agree. 1 thread or 3: the same bytes.
$adapt --output a --budget 1 --threads 1 --format json >a.json 2>err || complain "adapt: $(tail -n 1 err)"
expect 0 '^chosen  ' $adapt --output b --budget 1 --threads 3
cmp a/adapter.safetensors b/adapter.safetensors && cmp a/adapter_config.json b/adapter_config.json || complain "threads change the choice"
grep -qE '^accuracy .* by folds, the choice made anew without each' out || complain "the estimate is not said to be nested"
grep -qE '^\*' out || complain "the table does not mark what was chosen"
for kind in centroid cosine atoms atoms.norm norm; do
    grep -qE "^[* ] $kind[ ,].*%" out || complain "the table does not tell of $kind"
done
same "$(get a.json accuracy.tested)/$(get a.json choice.tested)" 30/30 "pictures that are tested"
same "$(get a.json config.choice.chosen)" "$(get a.json choice.chosen)" "the choice that the adapter records"
same "$(get a.json config.choice.candidates.#)" "$(get a.json choice.candidates.#)" "candidates that the adapter records"
same "$(get a.json config.choice.chosen_without_fold.#)" "$(get a.json choice.folds)" "choices without a fold"
get a.json choice.ahead.error >/dev/null && get a.json choice.seconds >/dev/null || complain "no lead or no time"
expect 0 '^few/' "$ADATOM" classify --model "$model" --device cpu --adapter a few

# What was chosen can be made again by its name.
c=choice.candidates.$(get a.json choice.chosen)
options=
for pair in lr-atoms:lr_atoms lr-norm:lr_norm lr:lr; do
    value=$(get a.json "$c.method.${pair#*:}" 2>/dev/null) && options="$options --${pair%:*} $value"
done
$adapt --output c --adapt "$(get a.json $c.adapt)" --steps "$(get a.json $c.method.steps)" --batch "$(get a.json $c.batch)" $options \
    --estimate none --quiet >out 2>err || complain "again by name: $(tail -n 1 err)"
[ "$(get a.json $c.adapt)" = centroid ] || cmp a/adapter.safetensors c/adapter.safetensors || complain "the chosen adapter is not that of its settings"

# A budget that allows no step through the network, and one that allows some of it: said.
expect 0 'atoms .*not tried: .*more multiply-adds than the budget' $adapt --output d --budget 0.000001
expect 0 '^  (centroid|cosine).*%' $adapt --output d --try cosine,centroid --estimate none --folds 4
grep -q 'accuracy    not estimated' out || complain "--estimate none is estimated"
# A model without atoms; classes of one picture; classes of one and of many.
"$ADATOM" export "$model" -o dense.safetensors >out 2>err && "$ADATOM" import dense.safetensors -o dense16.safetensors --size 16 --resize 16 \
    >out 2>err || complain "no dense model: $(tail -n 1 err)"
expect 0 'atoms .*not tried: the model has no atoms; .*decompose --mode residual' "$ADATOM" adapt --model dense16.safetensors --device cpu \
    --no-cache --images few --output d --budget 0.3
grep -qE 'norm, rate .*%' out || complain "a dense model's norms are not tried"
for class in few/*; do mkdir -p "one/${class#few/}" && cp "$class/0.ppm" "one/${class#few/}"; done
expect 0 '^no choice   only 0 of the pictures.*centroid' "$ADATOM" adapt --model "$model" --device cpu --no-cache --images one --output d
grep -q 'accuracy    not estimated' out || complain "single pictures are tested"
cp -r one uneven && cp few/*/[1-5].ppm "uneven/$(ls few | head -n 1)" 2>/dev/null
expect 0 '\(. of 6; .*by folds' "$ADATOM" adapt --model "$model" --device cpu --no-cache --images uneven --output d --budget 1 --try centroid,norm
# What contradicts a choice.
expect 2 'early stop' $adapt --output no --early-stop
expect 2 'by folds or not at all' $adapt --output no --leave-one-out
expect 2 'frozen' $adapt --output no --bn support
expect 2 'belong to --adapt auto' $adapt --output no --adapt atoms --try norm
expect 2 '3 or more folds' $adapt --output no --folds 2
expect 2 "unknown value 'default'" $adapt --output no --adapt default
[ ! -e no ] || complain "a refused command wrote something"

# Ctrl-C while the network is tried: what is known is reported, and the adapter that was there stays.
cp -r a old
interrupt 'info: atoms, rate' $adapt --output old --budget 1000000 --verbose --format json
same "$(get out status)/$(get out tried.0.name)" interrupted/centroid "the report of an interrupted search"
grep -q '"unfinished"' out || complain "the report does not say why it ends"
cmp -s a/adapter.safetensors old/adapter.safetensors && cmp -s a/adapter_config.json old/adapter_config.json || complain "an interrupt changed an adapter"

# Labels drawn at random: the best of many candidates looks better than chance, the printed estimate does not.
"$SHAPES" any 1 0 24 16 || complain "no pictures"
right=0 best=0 seed=0
while [ $seed -lt 5 ]; do
    rm -rf random
    ls any/*/* | awk -v seed=$seed 'BEGIN {srand(seed)} {print rand(), $0}' | sort | awk '{print NR % 3, $2}' |
        while read -r label file; do mkdir -p "random/c$label" && cp "$file" "random/c$label"; done
    "$ADATOM" adapt --model "$model" --device cpu --no-cache --images random --output r --budget 4 --folds 4 \
        --try centroid,cosine,head,norm,atoms,atoms+norm,full --format json >r.json 2>err || complain "random labels: $(tail -n 1 err)"
    right=$((right + $(get r.json accuracy.right)))
    best=$(awk -v best="$best" -v more="$(get r.json choice.candidates.$(get r.json choice.best).accuracy.mean)" 'BEGIN {print best + more}')
    seed=$((seed + 1))
done
# Chance is a third: 40 of 120 answers, with a standard deviation of 5.2.
echo "random labels: $right of 120 by the estimate, $best of 5 by the best candidates"
[ "$right" -le 52 ] || complain "$right of 120 right: the estimate is flattered"
awk -v best="$best" 'BEGIN {exit best / 5 < 0.40}' || complain "the best candidates have $best / 5: nothing to be flattered by"
finish
