# Ctrl-C, SIGTERM and a hang-up end pretraining with exit code 130, no result and a checkpoint of the last whole step;
# resumed, it ends with the same bytes.
. "$LIB"
vulkan=no
"$ADATOM" devices --format csv | grep -q ',vulkan,' && vulkan=yes
train="$ADATOM pretrain --data builtin:shapes/base --image-size 16 --width 8 --epochs 1 --checkpoint-seconds 600 --verbose"
step_of() { grep -ao '\\"step\\":-\{0,1\}[0-9]*' "$1" | grep -o -e '-\{0,1\}[0-9]*$'; }

# stop SIGNAL FILE ARGUMENTS...: starts training to FILE and sends the signal in the middle of the first epoch.
stop() {
    signal=$1 output=$2
    shift 2
    : >err
    "$@" --output "$output" >out 2>err &
    child=$! tries=0
    until grep -q '^info: training: ' err || [ $tries -gt 600 ]; do sleep 0.05; tries=$((tries + 1)); done
    sleep 0.4
    kill -"$signal" $child
    wait $child
    same $? 130 "exit code after $signal of $*"
    same "$(grep -c '^epoch' err)" 0 "epochs that ended before $signal"
    tail -n 1 err | grep -q "^adatom: interrupted at step [0-9]* of [0-9]*; .*--resume.*'$output.checkpoint'" ||
        complain "no sentence with --resume after $signal: $(tail -n 1 err)"
    [ ! -e "$output" ] || complain "a model is left by the run that $signal interrupted"
    if [ -e "$output.checkpoint" ]; then
        step=$(step_of "$output.checkpoint")
        [ "$step" -gt 0 ] || complain "$signal: the checkpoint is of step $step, though steps were done"
        same "$step" "$(tail -n 1 err | sed 's/.*at step \([0-9]*\) of.*/\1/')" "step of the checkpoint and of the sentence"
    else
        complain "$signal: no checkpoint"
    fi
}
# resume FILE WHOLE ARGUMENTS...: resumes the training of FILE, which must end with the bytes of WHOLE.
resume() {
    output=$1 whole=$2
    shift 2
    "$@" --output "$output" --resume >out 2>err || complain "resume: $(tail -n 1 err)"
    grep -q "^info: resuming at step" err || complain "nothing is resumed"
    [ ! -e "$output.checkpoint" ] || complain "the checkpoint is left at the end"
    cmp "$output" "$whole" || complain "resumed and whole training differ: $*"
}

run="$train --per-class 600 --device cpu"
$run --output whole.safetensors >/dev/null 2>err || complain "whole run: $(tail -n 1 err)"
for signal in INT TERM HUP; do
    stop $signal $signal.safetensors $run
    resume $signal.safetensors whole.safetensors $run
done
# If the same signal ends the program that reads the output, the checkpoint is written all the same.
mkfifo pipe
cat <pipe >said &
reader=$!
$run --output piped.safetensors >out 2>pipe &
child=$! tries=0
until grep -q '^info: training: ' said || [ $tries -gt 600 ]; do sleep 0.05; tries=$((tries + 1)); done
sleep 0.4
kill -KILL $reader
kill -INT $child
wait $child
same $? 130 "exit code where nobody reads what is said"
[ -e piped.safetensors.checkpoint ] || complain "no checkpoint where nobody reads what is said"
# Under nohup a hang-up is ignored.
(trap '' HUP; exec $run --output nohup.safetensors >out 2>err) &
child=$!
sleep 0.5
kill -HUP $child
wait $child
same $? 0 "exit code of a run that hang-ups are kept from"
cmp nohup.safetensors whole.safetensors || complain "the run that hang-ups are kept from differs"
if [ $vulkan = yes ]; then
    run="$train --per-class 150 --device vulkan"
    $run --output vulkan.safetensors >/dev/null 2>err || complain "whole run on Vulkan: $(tail -n 1 err)"
    stop INT v.safetensors $run
    resume v.safetensors vulkan.safetensors $run
fi
finish
