# From one call on, writing, syncing, renaming or closing fails in each run: the command exits with 1 and a sentence,
# the old file stays or a whole new one is there, and no temporary file is left. FAULTS: how many calls of a kind are
# tried with each command (2).
. "$LIB"
tries=${FAULTS:-2}
case $(ldd "$ADATOM" 2>/dev/null) in *libasan*|*libtsan*) exit 77 ;; esac # they want to be loaded first
"$CC" -shared -fPIC -O1 -o failwrite.so "$SOURCE/tests/faults/failwrite.c" -ldl || exit 77
export VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cp "$FIXTURE/model.safetensors" m.safetensors
pictures data 2 2

run() { # MODE AT COMMAND...
    mode=$1 at=$2
    shift 2
    rm -rf count "$output.checkpoint"
    timeout 60 env FW_COUNT="$work/count" FW_MODE=$mode FW_AT=$at LD_PRELOAD="$work/failwrite.so" "$@" >out 2>err
    code=$?
}
unchanged() { diff -r "$1" "$2" >/dev/null 2>&1; }

# sweep NAME OUTPUT COMMAND...: OUTPUT is what the command writes, a file or folder; old/OUTPUT is what stands there
# before. With
# same=no two runs give different bytes (times), and what is new must be JSON.
sweep() {
    name=$1 output=$2 same=${same:-yes}
    shift 2
    rm -rf "$output"
    "$@" >out 2>err || complain "$name without a fault: $(tail -n 1 err)"
    rm -rf new && mkdir new && cp -r "$output" new/
    faults=0
    for mode in short eintr enospc eio zero fsync rename close; do
        run $mode -1 "$@"
        [ "$code" -eq 0 ] && { [ $same = no ] || unchanged "$output" "new/$output"; } || complain "$name, $mode, no fault: $code"
        case $mode in short | eintr) continue ;; esac
        total=$(cat count 2>/dev/null)
        [ "${total:-0}" -gt 0 ] || { complain "$name: no call of the kind $mode"; continue; }
        n=0
        while [ $n -lt "$tries" ] && [ $n -lt "$total" ]; do
            if [ "$total" -le "$tries" ]; then at=$n; else at=$(((total - 1) * n / (tries > 1 ? tries - 1 : 1))); fi
            n=$((n + 1))
            rm -rf "$output"
            cp -rp "old/$output" "$output"
            run $mode $at "$@"
            is="$name, $mode $at of $total"
            if unchanged "$output" "old/$output"; then state=old
            elif [ $same = yes ] && unchanged "$output" "new/$output"; then state=new
            elif [ $same = no ] && "$JSONGET" "$output" command >/dev/null 2>&1; then state=new
            else complain "$is: what stands there is neither old nor new: $code: $(tail -n 1 err)"; fi
            case $code in
            0) [ "$state" = new ] || complain "$is: exit 0 without a result" ;;
            1)
                faults=$((faults + 1))
                tail -n 1 err | grep -q '^adatom: .' || complain "$is: no sentence: $(cat err)"
                [ "$state" = old ] || grep -q "is written, but" err || complain "$is: exit 1 and a new result: $(tail -n 1 err)"
                ;;
            *) complain "$is: exit code $code: $(tail -n 1 err)" ;;
            esac
            find . -name '*.tmp-*' | grep -q . && complain "$is: a temporary file is left: $(find . -name '*.tmp-*')"
        done
    done
    [ $faults -gt 0 ] || complain "$name: no fault had an effect"
}
mkdir old
for file in p.safetensors d.safetensors i.safetensors e.safetensors e.onnx F.safetensors report.json; do echo old >old/$file; done
small="--image-size 16 --width 8 --epochs 1 --device cpu --no-cache"
sweep pretrain p.safetensors "$ADATOM" pretrain --data builtin:shapes/base --per-class 2 $small --output p.safetensors
sweep metatrain p.safetensors "$ADATOM" metatrain --data builtin:shapes/base --per-class 2 $small --way 2 --query 1 --epoch-tasks 8 --output p.safetensors
sweep decompose d.safetensors "$ADATOM" decompose m.safetensors --mode residual --atoms 2 --output d.safetensors
sweep round d.safetensors "$ADATOM" round m.safetensors --output d.safetensors
sweep export e.safetensors "$ADATOM" export m.safetensors --output e.safetensors
cp new/e.safetensors dense.safetensors
sweep export e.onnx "$ADATOM" export m.safetensors --output e.onnx
sweep import i.safetensors "$ADATOM" import dense.safetensors --output i.safetensors --size 16 --resize 16
adapt="$ADATOM adapt --model m.safetensors --images data --estimate none --device cpu --no-cache"
$adapt --output old/adapter --adapt centroid >out 2>err || complain "adapt: $(cat err)"
sweep adapt adapter $adapt --output adapter --adapt head --steps 2
sweep features F.safetensors "$ADATOM" features --model m.safetensors data -o F.safetensors --device cpu --no-cache
same=no
sweep episodes report.json "$ADATOM" episodes --model m.safetensors --data builtin:shapes/novel --per-class 4 --way 3 --query 2 --tasks 2 --steps 2 \
    --adapt centroid --device cpu --no-cache --format json --output report.json
finish
