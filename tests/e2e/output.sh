# Where results are written: files are complete or not there, also when the disk is full; pipes and links work.
. "$LIB"
"$ADATOM" devices --output result.csv --format csv >out 2>err || complain "--output: $(cat err)"
[ ! -s out ] || complain "a result in a file is printed too"
[ "$(head -c 5 result.csv)" = index ] || complain "result.csv"
expect 1 "cannot create 'no/such/folder/x'" "$ADATOM" devices --output no/such/folder/x
mkdir taken
expect 1 'taken' "$ADATOM" devices --output taken
same "$(ls | tr '\n' ' ')" "err out result.csv taken " "files left behind"
# Commands whose --output is a model or an adapter write results to --output-file.
cp "$FIXTURE/model.safetensors" m.safetensors
"$ADATOM" pretrain --data builtin:shapes/base --per-class 4 --image-size 16 --width 8 --epochs 1 --device cpu --no-cache --output p.safetensors \
    --format json --output-file p.json >out 2>err || complain "pretrain: $(tail -n 1 err)"
[ ! -s out ] && same "$(get p.json command)/$(get p.json epochs.#)" pretrain/1 "result of pretraining in a file"
"$ADATOM" decompose m.safetensors --mode residual --atoms 2 --output d.safetensors --format json --output-file d.json >out 2>err || complain "decompose: $(tail -n 1 err)"
[ ! -s out ] && same "$(get d.json command)" decompose "result of decomposing in a file"
"$ADATOM" round m.safetensors --output h.safetensors --format json --output-file h.json >out 2>err || complain "round: $(tail -n 1 err)"
[ ! -s out ] && same "$(get h.json command)" round "result of rounding in a file"
# The spellings of the version before this one still do, and that is said; nothing lists them.
"$ADATOM" devices --format csv >now.csv
"$ADATOM" devices -o csv >was.csv 2>err || complain "-o csv: $(cat err)"
cmp -s now.csv was.csv || complain "-o csv is not --format csv"
same "$(cat err)" "'-o csv' is now '--format csv'; this version takes both (a file of that name: ./csv)" "what is said of -o csv"
"$ADATOM" devices --format csv --output-file was.csv 2>err || complain "--output-file: $(cat err)"
cmp -s now.csv was.csv || complain "--output-file is not --output"
same "$(cat err)" "'--output-file' is now '--output'; this version takes both" "what is said of --output-file"
same "$("$ADATOM" devices -o csv --quiet 2>&1 >out)" "" "what is said of it with --quiet"
"$ADATOM" pretrain --data builtin:shapes/base --per-class 4 --image-size 16 --width 8 --epochs 1 --device cpu --no-cache --output q.safetensors \
    -o json >q.json 2>err || complain "pretrain -o json: $(tail -n 1 err)"
same "$(get q.json command)" pretrain "result of pretrain -o json"
"$ADATOM" devices --help | grep -e '--output-file' && complain "--output-file of devices is listed"
expect 2 "did you mean '--output'" "$ADATOM" devices --outpt x
# -o is what a command makes.
"$ADATOM" pretrain --data builtin:shapes/base --per-class 4 --image-size 16 --width 8 --epochs 1 --device cpu --no-cache -o r.safetensors >out 2>err ||
    complain "pretrain -o: $(tail -n 1 err)"
cmp -s q.safetensors r.safetensors || complain "-o of pretrain"
# As Markdown: a table whose names are shown as they are, whatever they hold.
pictures named 2 2
mv named/class0 'named/a|b_c*<i>`'
mv named/class1 'named/[x](y) & \z'
"$ADATOM" adapt --model m.safetensors --images named --adapt centroid --estimate none --output a --device cpu --no-cache --format md >out 2>err ||
    complain "a result as Markdown: $(tail -n 1 err)"
grep -qxF '| class | pictures | tested | right |' out && grep -qxF '|---|---:|---:|---:|' out || complain "the head of a table in Markdown: $(cat out)"
grep -qxF '| a\|b\_c\*&lt;i>\` | 2 | 0 | 0 |' out || complain "a name in Markdown: $(cat out)"
grep -qxF '| \[x\](y) &amp; \\z | 2 | 0 | 0 |' out || complain "another name in Markdown: $(cat out)"
same "$(grep -c '^```$' out)" 4 "fences around what is above and below"
"$ADATOM" devices --format md | grep '^| ' | tail -n 1 | grep -q '^| .* | cpu | ' || complain "devices in Markdown"
if [ -c /dev/full ]; then
    expect 1 'No space left' "$ADATOM" devices --output /dev/full
    [ -c /dev/full ] || complain "/dev/full was replaced"
    "$ADATOM" devices >/dev/full 2>err
    same $? 1 "exit code with standard output full"
    grep -q 'cannot write the result to standard output' err || complain "no message with standard output full"
    expect 1 'No space left' "$ADATOM" episodes --model "$FIXTURE/model.safetensors" --data builtin:shapes/novel --tasks 2 --device cpu \
        --save-episodes /dev/full
fi
# A full disk, if this user may mount one.
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
# A link to the result is followed, the file behind it keeps its permissions, and a read-only file its contents.
mkdir store
echo old >store/r.csv
chmod 600 store/r.csv
ln -s store/r.csv r.csv
ln -s store/late.csv late.csv
"$ADATOM" devices --output r.csv --format csv || complain "a result behind a link"
"$ADATOM" devices --output late.csv --format csv || complain "a result behind a link to nothing yet"
[ -L r.csv ] && [ -L late.csv ] || complain "a link was replaced by a file"
same "$(head -c 5 store/r.csv)/$(head -c 5 store/late.csv)" index/index "the files behind links"
same "$(stat -c %a store/r.csv)" 600 "permissions of a result that is replaced"
cp m.safetensors store/m.safetensors
ln -s store/m.safetensors linked.safetensors
"$ADATOM" decompose m.safetensors --mode residual --atoms 2 --output linked.safetensors >out 2>err || complain "a model behind a link"
[ -L linked.safetensors ] && cmp -s store/m.safetensors d.safetensors || complain "the model behind a link"
chmod 400 store/r.csv
cp -p store/r.csv before
expect 1 'read-only' "$ADATOM" devices --output r.csv --format csv
cmp -s before store/r.csv || complain "a read-only file was replaced"
same "$(ls store | tr '\n' ' ')" "late.csv m.safetensors r.csv " "files left behind links"
# Open files and pipes get the result as they are.
echo before >log
"$ADATOM" devices --output /dev/stdout --format csv >>log 2>err || complain "/dev/stdout: $(cat err)"
same "$(head -n 1 log)/$(sed -n 2p log | head -c 5)" before/index "a result on /dev/stdout"
mkfifo pipe
cat pipe >piped &
"$ADATOM" devices --output pipe --format csv || complain "a result to a pipe"
wait $!
same "$(head -c 5 piped)" index "a result through a pipe"
finish
