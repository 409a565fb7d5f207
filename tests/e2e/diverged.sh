# What diverges is counted and named and never has an accuracy: in episodes, sweeps, recipes, adapters and training, on
# every device.
. "$LIB"
devices=cpu
"$ADATOM" devices --format csv | grep -q ',vulkan,' && devices="cpu vulkan"
wild="--optimizer sgd --lr-full 1000 --steps 60"
for device in $devices; do
    run="$ADATOM episodes --model $FIXTURE/model.safetensors --data builtin:shapes/novel --tasks 4 --query 3 --device $device"
    # If all episodes diverge there is no accuracy, and the exit code is 5.
    $run --adapt full $wild --format json --predictions >a.json 2>err
    same $? 5 "$device: exit code where every episode diverged"
    grep -q '^warning: full, 1-shot, 60 steps: 4 of 4 episodes diverged' err || complain "$device: no warning"
    tail -n 1 err | grep -q '^adatom: 1 of 1 results have no accuracy' || complain "$device: no sentence"
    same "$(get a.json results.0.accuracy.mean)/$(get a.json results.0.accuracy.ci95)" null/null "$device: mean"
    same "$(get a.json results.0.accuracy.values)" "[null,null,null,null]" "$device: values"
    same "$(get a.json results.0.diverged)/$(get a.json results.0.status)" 4/diverged "$device: count"
    same "$(get a.json results.0.diverged_episodes)" "[0,1,2,3]" "$device: which ones"
    same "$(get a.json results.0.predictions.1.2)" -1 "$device: a prediction"
    expect 5 '^full +1 +- ' $run --adapt full $wild
    grep -q '^method.*diverged' out || complain "$device: the table does not count them"
    $run --adapt full $wild --format csv 2>err | head -n 2 | tail -n 1 >row
    same "$(cut -d, -f3,4 row)" "," "$device: accuracy in CSV"
    grep -q ',4,diverged$' row || complain "$device: CSV does not count them: $(cat row)"
    # If one setting of a sweep diverges, the others are reported and compared.
    $run --adapt centroid,full --optimizer sgd --lr-full 0.001,1000 --steps 60 --format json >s.json 2>err
    same $? 5 "$device: exit code of a sweep with a diverged part"
    same "$(get s.json results.#)/$(get s.json results.0.status)/$(get s.json results.1.status)/$(get s.json results.2.status)" \
        3/ok/ok/diverged "$device: the sweep"
    same "$(get s.json results.2.difference.mean)/$(get s.json results.1.diverged)" null/0 "$device: differences"
    # An adapter's estimate, and the adapter itself.
    expect 1 'diverged in .* tasks of the estimate' "$ADATOM" adapt --model "$FIXTURE/model.safetensors" --images builtin:shapes \
        --output "a-$device" --adapt full $wild --estimate holdout --device $device
    [ ! -e "a-$device/adapter.safetensors" ] || complain "$device: an adapter that diverged is written"
    expect 1 'adapting diverged' "$ADATOM" adapt --model "$FIXTURE/model.safetensors" --images builtin:shapes --output "a-$device" \
        --adapt full $wild --estimate none --device $device
    # Training ends with a sentence, without a model, and without a checkpoint that is not finite.
    expect 1 'training diverged .*learning rate' "$ADATOM" pretrain --data builtin:shapes/base --per-class 8 --image-size 16 --width 8 \
        --epochs 4 --lr 1000 --weight-decay 100 --device $device --output "m-$device.safetensors"
    [ ! -e "m-$device.safetensors" ] || complain "$device: a model that diverged is written"
    # A recipe whose episodes diverge does not hold.
    cat >recipe.json <<END
{"format_version": 1, "name": "a wild rate", "model": "$FIXTURE/model.safetensors", "data": {"spec": "builtin:shapes", "split": "novel"},
 "episodes": {"way": 5, "shot": 1, "query": 3, "tasks": 4, "seed": 1},
 "results": [{"method": {"adapt": "full", "optimizer": "sgd", "lr_full": 1000, "steps": 60},
              "expected": {"accuracy": 0.2, "ci95": 0.5}}]}
END
    "$ADATOM" reproduce recipe.json --device $device --format json >r.json 2>err
    same $? 5 "$device: exit code of a recipe whose episodes diverge: $(tail -n 1 err)"
    same "$(get r.json results.0.verdict)/$(get r.json results.0.measured.accuracy)" diverged/null "$device: its verdict"
done
# Settings that can only diverge are refused.
for option in "--momentum 1" "--momentum nan" "--dampening 1" "--weight-decay nan" "--cosine-scale inf" "--label-smoothing 1" "--lr nan"; do
    expect 2 'adatom: ' $run --adapt atoms $option
done
# Seeds of 64 bits are told exactly, and every bit counts.
$run --adapt centroid --seed 18446744073709551615 --format json >seed.json 2>err || complain "a large seed"
same "$(get seed.json results.0.episodes.seed)" 18446744073709551615 "a large seed in JSON"
train="$ADATOM pretrain --data builtin:shapes/base --per-class 8 --image-size 16 --width 8 --epochs 1 --device cpu"
$train --seed 18446744073709551615 --output seed.safetensors >out 2>err || complain "training with a large seed"
"$ADATOM" inspect seed.safetensors --format json >seed.json
same "$(get seed.json model.notes.seed)" 18446744073709551615 "a large seed in the model's notes"
expect 2 'tasks' $run --tasks 2000000
finish
