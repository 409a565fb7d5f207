# Ctrl-C: exit code 130, no result, a checkpoint; resumed training ends with the same bytes.
. "$LIB"
train="$ADATOM pretrain --data builtin:shapes/base --per-class 8 --image-size 16 --width 8 --epochs 60 --device cpu"
$train --output whole.safetensors >/dev/null 2>err || complain "whole run: $(tail -n 1 err)"
$train --output parts.safetensors >out 2>err &
child=$!
# Interrupted after the first epoch that it reports.
tries=0
until grep -q '^epoch 1/60' err || [ $tries -gt 600 ]; do sleep 0.05; tries=$((tries + 1)); done
kill -INT $child
wait $child
same $? 130 "exit code"
grep -q '^adatom: .*interrupted' err || complain "no message"
[ ! -e parts.safetensors ] || complain "a model is left by the interrupted run"
[ -e parts.safetensors.checkpoint ] || complain "no checkpoint"
$train --output parts.safetensors --resume >/dev/null 2>err || complain "resume: $(tail -n 1 err)"
! grep -q '^epoch 1/60' err || complain "the resumed run starts again"
[ ! -e parts.safetensors.checkpoint ] || complain "the checkpoint is left at the end"
"$ADATOM" inspect whole.safetensors -o json >a.json && "$ADATOM" inspect parts.safetensors -o json >b.json
same "$(get b.json model.hash)" "$(get a.json model.hash)" "resumed and whole training"
# Another setting does not go with the checkpoint.
$train --output other.safetensors >out 2>err &
child=$!
tries=0
until grep -q '^epoch 1/60' err || [ $tries -gt 600 ]; do sleep 0.05; tries=$((tries + 1)); done
kill -INT $child
wait $child
expect 4 'checkpoint' $train --batch 32 --output other.safetensors --resume
finish
