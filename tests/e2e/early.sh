# Commands refuse outputs that cannot be written before they work: here their inputs do not even exist.
. "$LIB"
mkdir taken locked
echo old >locked/file
cp locked/file before
chmod 400 locked/file
# refused COMMAND... OPTION: the option is given each name that cannot be written.
refused() {
    expect 1 "cannot create 'no/folder'" "$@" no/folder
    expect 1 "cannot create 'taken'" "$@" taken
    expect 1 "cannot write 'locked/file': it is read-only" "$@" locked/file
    [ "$(cat locked/file)" = old ] || complain "a read-only file was written: $*"
}
refused "$ADATOM" pretrain --data none --output
refused "$ADATOM" pretrain --data none --output m --output-file
refused "$ADATOM" metatrain --data none --output
refused "$ADATOM" metatrain --data none --output m --output-file
refused "$ADATOM" episodes --model none --data none --output
refused "$ADATOM" decompose none --output
refused "$ADATOM" decompose none --output m --output-file
refused "$ADATOM" round none --output
refused "$ADATOM" round none --output m --output-file
refused "$ADATOM" import none --output
refused "$ADATOM" export none --output
expect 1 "cannot create 'no/folder.onnx'" "$ADATOM" export none --output no/folder.onnx
refused "$ADATOM" classify none --model none --adapter none --output
refused "$ADATOM" bench --compare none --output-file
refused "$ADATOM" reproduce none --data none --output
refused "$ADATOM" data verify none --output
refused "$ADATOM" adapt --model none --images none --output new --output-file
refused "$ADATOM" episodes --model none --data none --report
refused "$ADATOM" adapt --model none --images none --output new --report
refused "$ADATOM" classify none --model none --report
refused "$ADATOM" pretrain --data none --output m --report
refused "$ADATOM" metatrain --data none --output m --report
refused "$ADATOM" reproduce none --data none --report
# An adapter's folder must be one that can be made or written into.
adapt="$ADATOM adapt --model none --images none --output"
expect 1 "cannot make the folder 'no/folder'" $adapt no/folder
expect 1 "cannot create 'before/adapter.safetensors'" $adapt before
cp -p locked/file taken/adapter_config.json
expect 1 "cannot write 'taken/adapter_config.json': it is read-only" $adapt taken
# The check does not make an output that can be written, nor change one that is there; the command then fails for its
# missing input.
rm taken/adapter_config.json
expect 4 "'none'" $adapt new
expect 4 "'none'" $adapt taken/
expect 4 "'none'" "$ADATOM" decompose none --output before
expect 4 "'none'" "$ADATOM" decompose none --output m
cmp -s before locked/file || complain "a file was changed by the look at it"
# The library checks the checkpoint, too.
expect 1 "cannot create 'no/folder'" "$ADATOM" pretrain --data builtin:shapes/base --per-class 4 --image-size 16 --width 8 --epochs 1 \
    --device cpu --no-cache --output m --checkpoint no/folder
grep -q 'epoch' err && complain "training began: $(cat err)"
same "$(ls . taken | tr '\n' ' ')" ".: before err locked out taken  taken: " "files left"
finish
