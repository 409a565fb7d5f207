# Accuracy against steps, label noise and shots: the start of a run, wrong labels, pictures of curves.
. "$LIB"
model=$FIXTURE/model.safetensors
episodes="$ADATOM episodes --device cpu --model $model --data builtin:shapes/novel --per-class 20 --way 3 --query 5 --tasks 12 --seed 3"

# well_formed FILE CURVES: an XML document with so many curves that have points.
well_formed() {
    [ -s "$1" ] || { complain "$1 is missing" && return; }
    case $(head -c 4 "$1") in '<svg') ;; *) complain "$1 is no picture" ;; esac
    ! grep -q 'nan\|inf' "$1" || complain "$1 has what is no number"
    same "$(grep -c "fill-opacity" "$1")" "$2" "curves in $1"
    command -v xmllint >/dev/null || return 0
    xmllint --noout "$1" || complain "$1 is not well-formed"
}

# Steps, the start among them, which is the class means for the classifier; what takes no steps is a level line.
$episodes --shot 5 --adapt atoms,cosine,lda --steps 0,1,5 --plot steps.svg --format json >steps.json 2>err || complain "steps: $(tail -n 1 err)"
well_formed steps.svg 2
same "$(grep -c dasharray steps.svg)" 1 "level lines"
same "$(grep -c '<circle' steps.svg)" 6 "points"
same "$(get steps.json results.0.config.steps)/$(get steps.json results.0.settings)" "0/steps=0" "the start"
same "$(get steps.json results.6.method)/$(get steps.json results.6.settings)" "lda/" "what takes no steps"
same "$(get steps.json results.#)" 7 "results"
same "$(get steps.json results.0.accuracy.values)" "$(get steps.json results.3.accuracy.values)" "the start of atoms and of cosine"
# The default's number of steps in a list is no sign that there are none.
$episodes --shot 1 --adapt atoms --steps 5,10 --format json >default.json 2>err || complain "the default among others: $(tail -n 1 err)"
same "$(get default.json results.#)" 2 "results with the default among them"

# Label noise: fewer right, on the device and on the host.
$episodes --shot 5 --adapt cosine,lda --label-noise 0,0.2,0.6 --plot noise.svg --format json >noise.json 2>err || complain "noise: $(tail -n 1 err)"
well_formed noise.svg 2
for i in 0 3; do
    awk "BEGIN { exit !($(get noise.json results.$((i + 2)).accuracy.mean) < $(get noise.json results.$i.accuracy.mean)) }" ||
        complain "result $i: as good with most labels wrong"
done
case $(get noise.json results.1.config.label_noise) in 0.2*) ;; *) complain "no noise in the config" ;; esac
"$SHAPES" few 3 0 4 16 || complain "no pictures"
expect 2 'label noise is for episodes' "$ADATOM" adapt --device cpu --model "$model" --images few --adapt cosine --label-noise 0.2 --output no

# Shots, with another setting as curves of their own.
$episodes --shot 1,2,5 --adapt knn --neighbours 1,3 --plot shots.svg -q >out 2>err || complain "shots: $(tail -n 1 err)"
well_formed shots.svg 2
grep -q '>knn, neighbours=3<' shots.svg || complain "no label of the other setting"

# Refused; a list that cannot be drawn before anything runs.
expect 2 'nothing has several values' $episodes --adapt cosine --plot no.svg
expect 2 'ascending' $episodes --adapt cosine --steps 5,1 --plot no.svg
expect 2 'one episode has no interval' $episodes --adapt cosine --steps 1,2 --tasks 1 --plot no.svg
[ ! -e no.svg ] || complain "a picture of nothing"

# Trainings: loss, accuracy and validation against epochs; a place that cannot be written to before the first step.
train="--data builtin:shapes/base --per-class 20 --image-size 16 --width 8 --atoms 4 --device cpu --no-cache --output trained.safetensors"
"$ADATOM" pretrain $train --epochs 3 --val builtin:shapes/val --val-tasks 2 --plot trained.svg >out 2>err || complain "pretrain: $(tail -n 1 err)"
same "$(grep -c '<circle' trained.svg)" 9 "epochs of three curves"
same "$(grep -c '>validation: ' trained.svg)" 1 "a curve of validation"
"$ADATOM" metatrain $train --way 3 --epochs 1 --epoch-tasks 4 --plot meta.svg -q >out 2>err || complain "metatrain: $(tail -n 1 err)"
same "$(grep -c '<circle' meta.svg)" 2 "the only epoch of two curves"
for file in trained.svg meta.svg; do
    ! grep -q 'nan\|inf' $file || complain "$file has what is no number"
    command -v xmllint >/dev/null && { xmllint --noout $file || complain "$file is not well-formed"; }
done
rm -f trained.safetensors
expect 1 "no/curve.svg" "$ADATOM" pretrain $train --epochs 1 --plot no/curve.svg
[ ! -e trained.safetensors ] || complain "trained although the curve could not be drawn"
finish
