# One allocation fails in each run: the command ends with a documented exit code and no signal, leaves no temporary
# file, and writes a whole result or none.
# FAULTS: how many of them are tried with each command (40); tools that have hours give a larger number.
. "$LIB"
tries=${FAULTS:-40}
case $(ldd "$ADATOM" 2>/dev/null) in *libasan*|*libtsan*) exit 77 ;; esac # their allocators are their own
"$CC" -shared -fPIC -O1 -o failmalloc.so "$SOURCE/tests/faults/failmalloc.c" || exit 77
export VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cp "$FIXTURE/model.safetensors" m.safetensors
pictures data 2 2
"$ADATOM" export m.safetensors -o dense.safetensors >/dev/null 2>&1 || complain "export"

# sweep NAME FIELD OUTPUT COMMAND...: FIELD must be in the JSON of a successful run (-: its file must be a model;
# =: the file that a run without a fault writes);
# OUTPUT (or -) is what it writes besides.
sweep() {
    name=$1 field=$2 output=$3 failed=0 good=0
    shift 3
    rm -rf "$output"
    FM_COUNT=$work/count LD_PRELOAD=$work/failmalloc.so "$@" >out 2>err || complain "$name without a fault: $(tail -n 1 err)"
    count=$(cat count)
    [ "$field" != = ] || cp "$output" whole
    n=0
    while [ $n -lt "$tries" ]; do
        # Half of the faults are spread over the run, half are among its last allocations, where the result is made.
        if [ $((n % 2)) -eq 0 ]; then at=$((count * n / tries)); else at=$((count - 1 - (count / 10) * n / tries)); fi
        rm -rf "$output"
        FM_AT=$at LD_PRELOAD=$work/failmalloc.so timeout 60 "$@" >out 2>err
        code=$?
        n=$((n + 1))
        case $code in
        0)
            good=$((good + 1))
            if [ "$field" = - ]; then
                "$ADATOM" inspect "$output" >value 2>&1 || complain "$name, allocation $at: exit 0 and $output cannot be read"
            elif [ "$field" = = ]; then
                cmp -s "$output" whole || complain "$name, allocation $at: exit 0 and $output is another file"
            else
                "$JSONGET" out "$field" >value 2>/dev/null && [ -s value ] || complain "$name, allocation $at: exit 0 without $field"
            fi
            ;;
        1) failed=$((failed + 1)) ;;
        *) complain "$name, allocation $at: exit code $code: $(tail -n 1 err)" ;;
        esac
        [ "$code" -eq 0 ] || grep -q -e '^adatom: ' -e '^libgomp: ' err || complain "$name, allocation $at: no sentence: $(cat err)"
        find . -name '*.tmp-*' | grep -q . && complain "$name, allocation $at: a temporary file is left"
    done
    [ $failed -gt 0 ] || complain "$name: no fault had an effect"
}
sweep episodes results.0.accuracy.mean - "$ADATOM" episodes --model m.safetensors --data builtin:shapes/novel --per-class 4 --way 3 --query 2 \
    --tasks 2 --steps 2 --adapt centroid,atoms --device cpu --threads 1 --no-cache --format json
sweep inspect layers.0 - "$ADATOM" inspect m.safetensors --format json
sweep import - new.safetensors "$ADATOM" import dense.safetensors -o new.safetensors --size 16 --resize 16
sweep export = graph.onnx "$ADATOM" export m.safetensors -o graph.onnx
sweep adapt classes.1.class new "$ADATOM" adapt --model m.safetensors --images data --output new --adapt centroid --estimate none \
    --device cpu --threads 1 --no-cache --format json
sweep features results.0.file F.npy "$ADATOM" features --model m.safetensors data -o F.npy --device cpu --threads 1 --no-cache --format json
"$ADATOM" features --model m.safetensors builtin:shapes/val --per-class 4 -o S.safetensors --device cpu --quiet >out 2>err || complain "features"
sweep features-in results.0.accuracy.mean - "$ADATOM" episodes --features S.safetensors --way 3 --query 2 --tasks 2 --steps 2 \
    --device cpu --threads 1 --no-cache --format json
sweep pretrain epochs.0.loss p.safetensors "$ADATOM" pretrain --data builtin:shapes/base --per-class 2 --image-size 16 --width 8 --restart --epochs 1 \
    --device cpu --threads 1 --no-cache --output p.safetensors --format json
tasks="--way 2 --query 1 --meta-batch 2 --epoch-tasks 4"
sweep metatrain epochs.0.loss p.safetensors "$ADATOM" metatrain --data builtin:shapes/base --per-class 2 --image-size 16 --width 8 --restart --epochs 1 \
    $tasks --meta maml --inner-steps 2 --head-init model --device cpu --threads 1 --no-cache --output p.safetensors --format json
finish
