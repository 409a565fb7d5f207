# Where results go: complete files or none.
. "$LIB"
"$ADATOM" devices --output-file result.csv -o csv >out 2>err || complain "--output-file: $(cat err)"
[ ! -s out ] || complain "a result in a file is printed too"
[ "$(head -c 5 result.csv)" = index ] || complain "result.csv"
expect 1 "cannot create 'no/such/folder/x'" "$ADATOM" devices --output-file no/such/folder/x
mkdir taken
expect 1 'taken' "$ADATOM" devices --output-file taken
same "$(ls | tr '\n' ' ')" "err out result.csv taken " "files left behind"
# The commands whose --output is a model or an adapter.
cp "$FIXTURE/model.safetensors" m.safetensors
"$ADATOM" pretrain --data builtin:shapes/base --per-class 4 --image-size 16 --width 8 --epochs 1 --device cpu --no-cache --output p.safetensors \
    --format json --output-file p.json >out 2>err || complain "pretrain: $(tail -n 1 err)"
[ ! -s out ] && same "$(get p.json command)/$(get p.json epochs.#)" pretrain/1 "result of pretraining in a file"
"$ADATOM" decompose m.safetensors --mode residual --atoms 2 --output d.safetensors --format json --output-file d.json >out 2>err || complain "decompose: $(tail -n 1 err)"
[ ! -s out ] && same "$(get d.json command)" decompose "result of decomposing in a file"
if [ -c /dev/full ]; then
    expect 1 'No space left' "$ADATOM" devices --output-file /dev/full
    [ -c /dev/full ] || complain "/dev/full was replaced"
    "$ADATOM" devices >/dev/full 2>err
    same $? 1 "exit code with standard output full"
    grep -q 'cannot write the result to standard output' err || complain "no message with standard output full"
    expect 1 'No space left' "$ADATOM" episodes --model "$FIXTURE/model.safetensors" --data builtin:shapes/novel --tasks 2 --device cpu \
        --save-episodes /dev/full
fi
# A really full disk, where this user may mount one.
mkdir small
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=16k none small 2>/dev/null; then
    trap 'umount "$work/small"; rm -rf "$work"' EXIT
    expect 1 'No space left' "$ADATOM" episodes --model "$FIXTURE/model.safetensors" --data builtin:shapes/novel --tasks 2000 --device cpu \
        --save-episodes small/list.json
    same "$(ls small)" "" "files left on the full disk"
    cat /dev/zero >small/full 2>/dev/null
    expect 1 'No space left' "$ADATOM" pretrain --data builtin:shapes/base --per-class 2 --image-size 16 --width 8 --epochs 1 --device cpu \
        --output small/m.safetensors
    [ ! -e small/m.safetensors ] || complain "a partial model"
fi
finish
