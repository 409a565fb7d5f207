# Resuming: with other settings, after failures, with validation.
. "$LIB"
train="$ADATOM pretrain --data builtin:shapes/base --per-class 8 --image-size 16 --width 8 --epochs 60 --device cpu"
interrupt "^epoch 1/60" $train --output other.safetensors
expect 4 'checkpoint' $train --batch 32 --output other.safetensors --resume
expect 4 'checkpoint' $train --precision fp16 --output other.safetensors --resume

# What fails after an epoch, its validation or the model's file, costs nothing: the checkpoint is there, and the resumed run validates it.
train="$ADATOM pretrain --data builtin:shapes/base --val builtin:shapes/val --val-tasks 20 --per-class 20 --image-size 16 --width 8 --epochs 2 --device cpu"
$train --output whole.safetensors >/dev/null 2>err || complain "whole run with validation: $(tail -n 1 err)"
expect 1 'later' $train --output later/parts.safetensors --checkpoint kept
[ -e kept ] || complain "no checkpoint of the epoch whose model could not be written"
mkdir later
$train --output later/parts.safetensors --checkpoint kept --resume >/dev/null 2>err || complain "resume: $(tail -n 1 err)"
same "$(grep -c '^epoch .*validation' err)" 2 "epochs that the resumed run validates"
"$ADATOM" inspect whole.safetensors -o json >a.json && "$ADATOM" inspect later/parts.safetensors -o json >b.json
same "$(get b.json model.hash)/$(get b.json model.notes.validation_accuracy)" "$(get a.json model.hash)/$(get a.json model.notes.validation_accuracy)" "resumed and whole training with validation"
# Data that validation can't use are refused before the first step.
pictures few 3 20
expect 4 'class' $train --val few --output none.safetensors
! grep -q '^epoch' err || complain "an epoch before the validation's data are looked at"
finish
