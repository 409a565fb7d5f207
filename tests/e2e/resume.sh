# Resuming: a checkpoint is never ignored, overwritten or used without a message; equal runs give equal files.
. "$LIB"
train="$ADATOM pretrain --data builtin:shapes/base --per-class 8 --image-size 16 --width 8 --epochs 60 --device cpu"
interrupt "^epoch 1/60" $train --output other.safetensors
cp other.safetensors.checkpoint kept.checkpoint
# A checkpoint belongs to one run: other settings are refused.
expect 4 'checkpoint.*other settings' $train --batch 32 --output other.safetensors --resume
expect 4 'checkpoint.*other settings' $train --precision fp16 --output other.safetensors --resume
expect 4 'checkpoint' $train --width 16 --output other.safetensors --resume
# Forgotten --resume: refused, and the checkpoint is as it was.
expect 2 "other.safetensors.checkpoint'.*--resume.*--restart" $train --output other.safetensors
expect 2 'contradict' $train --output other.safetensors --resume --restart
cmp other.safetensors.checkpoint kept.checkpoint || complain "a refused run changed the checkpoint"
# A step number that no run reaches, a flipped byte, and another program's file are refused.
for change in 's/\\"step\\":[0-9]*/\\"step\\":-7/' 's/\\"seen\\":[0-9]/\\"seen\\":7/' 's/F32/F33/'; do
    LC_ALL=C sed "1s/.*/&/;$change" kept.checkpoint >bad.checkpoint
    ! cmp -s bad.checkpoint kept.checkpoint || complain "the edit $change changes nothing"
    expect 4 "'bad.checkpoint' is damaged" $train --output other.safetensors --checkpoint bad.checkpoint --resume
done
size=$(wc -c <kept.checkpoint)
head -c $((size - 9)) kept.checkpoint >bad.checkpoint
expect 4 "'bad.checkpoint' is damaged" $train --output other.safetensors --checkpoint bad.checkpoint --resume
printf x >>bad.checkpoint && tail -c 8 kept.checkpoint >>bad.checkpoint
expect 4 "'bad.checkpoint' is damaged" $train --output other.safetensors --checkpoint bad.checkpoint --resume
expect 4 "'.*model.safetensors' is not a checkpoint" $train --output other.safetensors --checkpoint "$FIXTURE/model.safetensors" --resume
# --resume without a checkpoint warns and starts the run; a checkpoint named by --checkpoint must be there.
short="$ADATOM pretrain --data builtin:shapes/base --per-class 8 --image-size 16 --width 8 --epochs 2 --device cpu"
expect 0 "^warning: there is no checkpoint 'first.safetensors.checkpoint' to resume" $short --output first.safetensors --resume
expect 4 "there is no checkpoint 'misspelt'" $short --output no.safetensors --checkpoint misspelt --resume
[ ! -e no.safetensors ] || complain "a model from a checkpoint that is not there"
# The same bytes, whatever the output and the checkpoint are called and however many threads there are; --restart begins
# anew.
cp kept.checkpoint again.checkpoint
expect 0 'again.safetensors: ' $short --output again.safetensors --checkpoint again.checkpoint --restart --threads 1
cmp first.safetensors again.safetensors || complain "equal runs give other files"
[ ! -e again.checkpoint ] || complain "--restart leaves the old checkpoint"
mkdir folder
expect 0 'device: cpu' $short --output folder/model --format json --output-file out.json --threads 2 --checkpoint-seconds 1
cmp first.safetensors folder/model || complain "equal runs with other names give other files"
get out.json seconds >/dev/null || complain "the result does not tell the seconds"
# What a killed run leaves is removed: the next run ends with the same bytes and no other files.
for turn in 1 2 3 4; do
    $short --epochs 40 --output killed.safetensors --checkpoint-seconds 1 --resume >/dev/null 2>err &
    child=$!
    sleep 0.4
    kill -KILL $child 2>/dev/null
    wait $child
done
: >"killed.safetensors.checkpoint.tmp-99999999"
$short --epochs 40 --output killed.safetensors --resume >/dev/null 2>err || complain "after kills: $(tail -n 1 err)"
$short --epochs 40 --output unkilled.safetensors >/dev/null 2>err
cmp killed.safetensors unkilled.safetensors || complain "a killed and resumed run gives another file"

# A resumed run's result has the epochs before it too, with the same numbers as those of a run in one go.
interrupt '^epoch 3/12' $short --epochs 12 --output told.safetensors
$short --epochs 12 --output told.safetensors --resume --format json >told.json 2>err || complain "resume: $(tail -n 1 err)"
$short --epochs 12 --output at-once.safetensors --format json >at-once.json 2>/dev/null
same "$(get told.json 'epochs.#')" 12 "epochs that a resumed run tells"
same "$(grep -c '^epoch [123]/12' err)" 0 "notes of epochs before the resumed run"
for number in 0 2 11; do
    same "$(get told.json epochs.$number.loss)" "$(get at-once.json epochs.$number.loss)" "loss of epoch $number"
done

# If validation or writing the model fails after an epoch, the checkpoint is kept, and the resumed run validates that
# epoch.
train="$ADATOM pretrain --data builtin:shapes/base --val builtin:shapes/val --val-tasks 20 --per-class 20 --image-size 16 --width 8 --epochs 2 --device cpu"
$train --output whole.safetensors >/dev/null 2>err || complain "whole run with validation: $(tail -n 1 err)"
expect 1 'later' $train --output later/parts.safetensors --checkpoint kept
[ -e kept ] || complain "no checkpoint of the epoch whose model could not be written"
mkdir later
$train --output later/parts.safetensors --checkpoint kept --resume >/dev/null 2>err || complain "resume: $(tail -n 1 err)"
same "$(grep -c '^epoch .*validation' err)" 2 "epochs that the resumed run validates"
"$ADATOM" inspect whole.safetensors --format json >a.json && "$ADATOM" inspect later/parts.safetensors --format json >b.json
same "$(get b.json model.hash)/$(get b.json model.notes.validation_accuracy)" "$(get a.json model.hash)/$(get a.json model.notes.validation_accuracy)" "resumed and whole training with validation"
cmp whole.safetensors later/parts.safetensors || complain "resumed and whole training with validation give other files"
# The model of the best epoch belongs to the run: another file in its place is not used.
interrupt '^epoch 1/8.*validation' $train --epochs 8 --output best.safetensors
cp best.safetensors kept.safetensors
cp "$FIXTURE/model.safetensors" best.safetensors
expect 4 "best.safetensors' is not the model of this run" $train --epochs 8 --output best.safetensors --resume
cp kept.safetensors best.safetensors
expect 4 'checkpoint.*other settings' $train --epochs 8 --val-tasks 21 --output best.safetensors --resume
expect 0 'best.safetensors: ' $train --epochs 8 --output best.safetensors --resume
# Data that validation can't use are refused before the first step.
pictures few 3 20
expect 4 'class' $train --val few --output none.safetensors
! grep -q '^epoch' err || complain "an epoch before the validation's data are looked at"

# What keeps a training from fitting its pictures too closely: all of it at once, the same file after an interrupt, and
# what contradicts is refused. The notes tell it.
against="--mixup 0.3 --cutmix 1 --rotation 0.5 --average 0.9 --dropblock 0.1 --dropblock-side 2 --fast"
hard="$short --batch 32 --epochs 6 $against --teacher first.safetensors --teacher-weight 0.4 --temperature 2"
expect 0 'hard.safetensors: ' $hard --output hard.safetensors
interrupt '^epoch 2/6' $hard --output parts.safetensors
expect 0 'parts.safetensors: ' $hard --output parts.safetensors --resume
cmp hard.safetensors parts.safetensors || complain "an interrupted run with a teacher gives another file"
for note in '"teacher' '"mixup' '"cutmix' '"rotation' '"average' '"dropblock' '"fast'; do
    LC_ALL=C tr -d '\\' <hard.safetensors | LC_ALL=C grep -a -q "$note" || complain "the notes do not tell $note"
done
expect 0 'plain.safetensors: ' $short --batch 32 --epochs 6 --output plain.safetensors
! cmp -s hard.safetensors plain.safetensors || complain "the options change nothing"
expect 2 'a batch of 30 cannot be divided' $short --rotation 1 --batch 30 --output none.safetensors
expect 2 'and no teacher' $short --temperature 2 --output none.safetensors
expect 4 "'no.safetensors'" $short --teacher no.safetensors --output none.safetensors
[ ! -e none.safetensors ] || complain "a model from a refused run"
finish
