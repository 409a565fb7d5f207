# Accuracy over episodes: the result's form, its numbers, and replayed lists.
. "$LIB"
base="$ADATOM episodes --model $FIXTURE/model.safetensors --device cpu --steps 2 --seed 7"
run="$base --data builtin:shapes/novel --query 5 --tasks 6"
expect 0 '^atoms, 2-shot: ' $run --shot 1,2 --adapt centroid,head,atoms,full --format json --predictions --output a.json \
    --save-episodes list.json
grep -q 'MiB of device memory, .* tasks at once' err || complain "the memory needed is not printed"
same "$(get a.json results.#)" 8 "methods x shots"
for i in 0 1 2 3 4 5 6 7; do
    same "$(get a.json results.$i.accuracy.values.#)" 6 "values of result $i"
    same "$(get a.json results.$i.predictions.5.#)" 25 "predictions of result $i"
    mean=$(get a.json results.$i.accuracy.values | tr -d '[]' | tr , '\n' | awk '{s += $1} END {printf "%.9f", s / NR}')
    same "$(get a.json results.$i.accuracy.mean | awk '{d = $1 - '"$mean"'; print (d < 1e-6 && d > -1e-6) ? "equal" : $1}')" equal \
        "mean of result $i"
done
# Class by class, the share of right predictions is the first value: the labels of the queries are 0 0 0 0 0 1 1 ...
right=$(get a.json results.2.predictions.0 | tr -d '[]' | tr , '\n' | awk '{n += ($1 == int((NR - 1) / 5))} END {printf "%.2f", n / NR}')
same "$(get a.json results.2.accuracy.values.0 | awk '{printf "%.2f", $1}')" "$right" "accuracy and predictions"
same "$(get a.json results.0.method)/$(get a.json results.4.episodes.shot)" centroid/2 "order of the results"
same "$(get a.json results.0.adapted)" 0 "centroid adapts nothing"
same "$(get a.json results.3.difference.to)" centroid "paired difference"
for member in device.name dataset.hash model.hash results.0.config.bn results.0.episodes.list_hash results.0.time.episodes_per_s; do
    get a.json $member >/dev/null || complain "$member is missing"
done
# Kept lists, parts of them, and one task at a time give the same numbers.
$base --data builtin:shapes/novel --episodes-file list-1shot.json --episodes-file list-2shot.json --adapt centroid,head,atoms,full \
    --format json >b.json 2>err || complain "replay"
for i in 0 1 2 3 4 5 6 7; do
    same "$(get b.json results.$i.accuracy.values)" "$(get a.json results.$i.accuracy.values)" "replayed result $i"
done
same "$(get b.json results.0.episodes.list_hash)" "$(get a.json results.0.episodes.list_hash)" "hash of the list"
$run --shot 1 --adapt atoms --first 2 --count 3 --tasks-at-once 1 --format json >c.json 2>err || complain "--first --count"
same "$(get c.json results.0.accuracy.values)" "[$(get a.json results.2.accuracy.values | tr -d '[]' | cut -d, -f3-5)]" "part of the list"
expect 2 '--episodes-file decides' $run --episodes-file list-1shot.json
expect 4 'list-1shot.json' $base --data builtin:shapes/val --episodes-file list-1shot.json
head -c 200 list-1shot.json >cut.json
expect 4 'cut.json' $base --data builtin:shapes/novel --episodes-file cut.json
expect 2 'first|episodes' $run --adapt centroid --first 6
# Comma lists: every combination once, steps within one run, the same numbers as alone.
sweep="$ADATOM episodes --model $FIXTURE/model.safetensors --device cpu --seed 7 --data builtin:shapes/novel --query 5 --tasks 6"
$sweep --adapt centroid,head,atoms --lr-atoms 0.01,0.1 --steps=1,3 --format json >s.json 2>err || complain "a sweep"
same "$(get s.json results.#)" 7 "centroid once, head for two numbers of steps, atoms for four settings"
same "$(get s.json results.5.settings)" "lr-atoms=0.1 steps=1" "settings of a row"
$sweep --adapt atoms --lr-atoms 0.1 --steps 3 --format json >t.json 2>err || complain "a setting alone"
same "$(get s.json results.6.accuracy.values)" "$(get t.json results.0.accuracy.values)" "a setting of a sweep and alone"
same "$(get s.json results.6.config)" "$(get t.json results.0.config)" "their configuration"
expect 0 'atoms +lr-atoms=0.1 steps=3' $sweep --adapt centroid,atoms --lr-atoms 0.01,0.1 --steps 1,3
# Some layers only; with all of them named the numbers are those of no choice.
$sweep --adapt atoms --last 1,3 --steps 3 --format json >l.json 2>err || complain "--last"
$sweep --adapt atoms --layers '*' --steps 3 --format json >n.json 2>err || complain "--layers"
$sweep --adapt atoms --steps 3 --format json >t.json 2>err || complain "all layers"
same "$(get l.json results.0.adapted)/$(get l.json results.1.adapted)" "$(($(get t.json results.0.adapted) - 144))/$(get t.json results.0.adapted)" \
    "atoms of one layer and of three"
same "$(get n.json results.0.accuracy.values)/$(get l.json results.1.accuracy.values)" \
    "$(get t.json results.0.accuracy.values)/$(get t.json results.0.accuracy.values)" "all layers by name and by number"
same "$(get n.json results.0.config.layers)/$(get l.json results.0.config.last)" '*/1' "what chose the layers"
! get t.json results.0.config.layers >/dev/null 2>&1 || complain "layers that nobody chose"
expect 2 "no layer 'stage1'" $sweep --adapt centroid,atoms --layers stage1
# A 0 that is typed is a 0 and not the default.
$sweep --adapt atoms --lr-atoms 0,0.25 --momentum 0 --dampening 0 --steps 1 --format json >z.json 2>err || complain "rates of 0"
same "$(get z.json results.0.settings)/$(get z.json results.0.config.lr_atoms)" lr-atoms=0/0.0 "a rate of 0"
same "$(get z.json results.1.config.lr_atoms)/$(get z.json results.1.config.beta1)/$(get z.json results.1.config.beta2)" 0.25/0.0/0.0 "decays of 0"
$sweep --adapt head --optimizer sgd --momentum 0 --steps 1 --format json >z.json 2>err || complain "a momentum of 0"
same "$(get z.json results.0.config.momentum)" 0.0 "momentum of sgd"
expect 2 'lr-atoms.*number' $sweep --lr-atoms 0.1,x
expect 2 'ascending' $sweep --adapt atoms --steps 3,1
expect 2 'twice' $sweep --lr 0.1,0.2 --lr 0.3,0.4
# After Ctrl-C the finished methods are reported.
interrupt 'full: .* of pictures' $sweep --adapt centroid,full --tasks 2000 --steps 20000 --verbose --format json
same "$(get out results.#)/$(get out results.0.method)/$(get out unfinished)" 1/centroid/interrupted "finished methods"
# The other forms of the result.
$run --adapt centroid,head --format csv >a.csv 2>err || complain "csv"
same "$(wc -l <a.csv | tr -d ' ')" 3 "lines of CSV"
same "$(head -n 1 a.csv | tr , '\n' | wc -l)" "$(tail -n 1 a.csv | tr , '\n' | wc -l)" "columns of CSV"
$run --adapt centroid,head --format jsonl 2>err | tail -n 1 >line.json
same "$(get line.json method)/$(get line.json device.backend)" head/cpu "a complete record a line"
expect 0 'head +1 +[0-9.]+ ± [0-9.]+ +[+-][0-9.]+ ± [0-9.]+' $run --adapt centroid,head
grep -q 'Episodes share pictures' out || complain "the table does not say what the interval means"
expect 0 'centroid' $run --adapt centroid --quiet
[ ! -s err ] || complain "--quiet prints on stderr"
LC_ALL=de_DE.UTF-8 $run --adapt centroid --format csv 2>err | cut -d, -f3 | grep -q '^0\.[0-9]*$' || complain "numbers depend on the locale"
finish
