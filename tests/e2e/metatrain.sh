# Meta-training from outside: Ctrl-C and --resume give the same bytes, so do other numbers of tasks at once, and both
# engines the same numbers; what it makes is a model like others, and a classifier that it learned is one to start from.
. "$LIB"
train="$ADATOM metatrain --data builtin:shapes/base --per-class 20 --image-size 16 --width 8 --atoms 4 --no-cache"
small="--way 3 --shot 2 --query 4 --epochs 1"

# Ctrl-C within the first epoch.
run="$train $small --epoch-tasks 4000 --checkpoint-seconds 600 --device cpu --verbose"
$run --output whole.safetensors >/dev/null 2>err || complain "whole run: $(tail -n 1 err)"
: >err
$run --output parts.safetensors >out 2>err &
child=$! tries=0
until grep -q '^info: training: 1 epochs of 1000 steps' err || [ $tries -gt 600 ]; do sleep 0.05; tries=$((tries + 1)); done
sleep 0.4
kill -INT $child
wait $child
same $? 130 "exit code of the interrupted run"
same "$(grep -c '^epoch' err)" 0 "epochs that ended before the interrupt"
tail -n 1 err | grep -q "^adatom: interrupted at step [1-9][0-9]* of 1000; continue with --resume (checkpoint 'parts.safetensors.checkpoint')" ||
    complain "no sentence with --resume: $(tail -n 1 err)"
[ ! -e parts.safetensors ] || complain "the interrupted run left a model"
expect 2 "parts.safetensors.checkpoint'.*--resume.*--restart" $run --output parts.safetensors
expect 4 'checkpoint.*other settings' $run --output parts.safetensors --resume --lr 0.002
expect 4 'checkpoint.*other settings' "$ADATOM" pretrain --data builtin:shapes/base --per-class 20 --image-size 16 --width 8 --atoms 4 \
    --no-cache --device cpu --output parts.safetensors --resume
expect 0 '^info: resuming at step' $run --output parts.safetensors --resume --tasks-at-once 1 --threads 1
cmp whole.safetensors parts.safetensors || complain "the resumed run gives another file"
[ ! -e parts.safetensors.checkpoint ] || complain "the checkpoint is left at the end"

# What was typed is in no file, so that equal runs give equal bytes; what decides the model is in its notes.
"$ADATOM" inspect whole.safetensors --format json >whole.json || complain "inspect"
for note in 'meta protonet' 'distance euclidean' 'norms task' 'way 3' 'shot 2' 'query 4' 'meta_batch 4' 'epoch_tasks 4000' 'steps 1000'; do
    same "$(get whole.json "model.notes.${note% *}")" "${note#* }" "note ${note% *}"
done
expect 0 'centroid' "$ADATOM" episodes --model whole.safetensors --data builtin:shapes/novel --per-class 8 --way 3 --query 4 --tasks 5 \
    --adapt centroid,simpleshot --device cpu --no-cache

# Both engines, with one and with eight tasks at once. On one device all numbers of tasks give the same bytes. The devices
# differ by the rounding of float32, 1e-7 of a loss in its sums; where a gradient is nearly zero Adam makes a whole step
# of what rounding left of it, which may be the wrong way: of few of the 644 numbers, by at most twice the rate a step.
# So losses are within 1e-3, and of 3750 queries of the validation one in a hundred may be answered otherwise.
devices=cpu
"$ADATOM" devices --format csv | grep -q ',vulkan,' && devices='cpu vulkan'
few="$train $small --meta-batch 8 --epoch-tasks 32 --lr 0.005 --val builtin:shapes/val --val-tasks 50"
learned='--meta maml --inner full --head linear --head-init model --inner-steps 2 --inner-lr 0.05'
number=0
for kind in '--distance cosine' "$learned" '--meta reptile --inner atoms+norm --inner-steps 2' '--distance cosine --fast'; do
    number=$((number + 1))
    for device in $devices; do
        for tasks in 1 8; do
            $few $kind --device $device --tasks-at-once $tasks --output $number.$device.$tasks.safetensors --format json >$number.$device.$tasks.json 2>err ||
                complain "$device, $tasks at once, $kind: $(tail -n 1 err)"
        done
        cmp $number.$device.1.safetensors $number.$device.8.safetensors || complain "$device, $kind: other bytes with 8 tasks at once"
    done
    [ "$devices" = cpu ] && continue
    for member in 'loss 0.001' 'validation 0.01' 'accuracy 0.01'; do
        a=$(get $number.cpu.8.json "epochs.0.${member% *}") b=$(get $number.vulkan.8.json "epochs.0.${member% *}")
        echo "$a $b ${member#* }" | awk '{d = $1 - $2; exit !(NF == 3 && $1 > 0 && d <= $3 && -d <= $3)}' ||
            complain "$kind: ${member% *} is $a on the CPU and $b on Vulkan"
    done
done

# The JSON has what the table has, and what is told on the way.
$few --device cpu --output t.safetensors >table 2>err || complain "table: $(tail -n 1 err)"
$few --device cpu --output j.safetensors --format json --output-file t.json >/dev/null 2>err || complain "JSON: $(tail -n 1 err)"
cmp t.safetensors j.safetensors || complain "the form of the result changes the model"
same "$(get t.json command)" metatrain "command"
same "$(get t.json epochs.#)" 1 "epochs of the JSON"
set -- $(sed -n 2p table)
same "$# $1" "5 1" "columns of the table"
printf '%.2f %.2f\n' "$(get t.json epochs.0.loss)" "$(echo "$(get t.json epochs.0.accuracy)" | awk '{print 100 * $1}')" >said
same "$(cat said)" "$2 $3" "loss and accuracy of JSON and table"
same "$(sed -n 's/^epoch 1\/1: loss \([0-9.]*\),.*/\1/p' err)" "$(printf %.4f "$(get t.json epochs.0.loss)")" "loss of the epoch's line"
for member in validation images_per_s; do get t.json epochs.0.$member >/dev/null || complain "no epochs.0.$member"; done
grep -q "^t.safetensors: conv4, sharing net, 4 atoms, $(get t.json model.parameters) parameters, hash $(get t.json model.hash)" table ||
    complain "the line below the table: $(tail -n 1 table)"
get t.json training_command | grep -q '^adatom metatrain --data' || complain "no training_command"
get t.json memory.arena_bytes >/dev/null || complain "no memory.arena_bytes"

# The classifier that the second kind learned has three classes, and episodes of three start from it.
episodes="$ADATOM episodes --data builtin:shapes/novel --per-class 8 --query 4 --tasks 5 --steps 2 --adapt full --head linear --head-init model --device cpu --no-cache"
expect 0 'full' $episodes --model 2.cpu.8.safetensors --way 3
expect 2 "the model's classifier, from which to start, has 3 classes; there are 5" $episodes --model 2.cpu.8.safetensors --way 5
expect 2 'the model has no classifier to start from' $episodes --model whole.safetensors --way 3
expect 0 '3 classes|classes +3' "$ADATOM" inspect 2.cpu.8.safetensors

# --from takes the network of the model; its norms keep their statistics.
go_on="$ADATOM metatrain --data builtin:shapes/base --per-class 20 $small --epoch-tasks 8 --device cpu --no-cache"
expect 0 'start: whole.safetensors without its classifier' $go_on --from whole.safetensors --meta anil --output from.safetensors
"$ADATOM" inspect from.safetensors --format json >from.json
"$ADATOM" inspect from.safetensors | grep -q 'conv4' || complain "the network of --from"
expect 0 'start: 2.cpu.8.safetensors with its classifier of 3 classes' $go_on --from 2.cpu.8.safetensors --meta maml --head linear \
    --head-init model --output learned.safetensors
expect 0 'start: whole.safetensors with a new classifier of 3 classes: it has none' $go_on --from whole.safetensors --meta maml --head linear \
    --head-init model --output learned.safetensors
same "$(get from.json model.notes.norms) $(get from.json model.notes.from)" "running $(get whole.json model.hash)" "notes with --from"

# What it is told in vain is refused, before anything is read.
for option in '--inner atoms' '--inner-steps 3' '--inner-lr 0.1' '--inner-optimizer adam' '--head linear' '--head-init model' '--layers layer4' \
    '--last 1'; do
    expect 2 'with --meta protonet nothing adapts to a task' $train $small --output no.safetensors $option
done
expect 2 'distance to class means is chosen with protonet only' $train $small --meta maml --distance cosine --output no.safetensors
expect 2 'a scale of cosines is of use with the distance cosine only' $train $small --cosine-scale 5 --output no.safetensors
expect 2 'with anil only the classifier adapts' $train $small --meta anil --inner atoms --output no.safetensors
expect 2 'an epoch of 1000 tasks cannot be divided into steps of 7' $train $small --meta-batch 7 --output no.safetensors
expect 2 'cannot be validated with 5' $train $small --meta maml --head-init model --val builtin:shapes/val --val-way 5 --output no.safetensors
expect 2 "--inner: unknown value 'lora'" $train $small --meta maml --inner lora --output no.safetensors
expect 4 'need 21' $train --epoch-tasks 8 --epochs 1 --shot 6 --output no.safetensors --device cpu
[ ! -e no.safetensors ] || complain "a refused run left a model"
expect 0 '^ *--head-init' "$ADATOM" metatrain --help
for option in meta distance inner inner-steps way shot query meta-batch epoch-tasks norms tasks-at-once from resume val; do
    "$ADATOM" metatrain --help | grep -qE -e "^ *--(\[no-\])?$option( |$)" || complain "--help lacks --$option"
done
expect 0 'metatrain' "$ADATOM" --help
finish
