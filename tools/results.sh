#!/bin/sh
# Prints a hash of each result of a binary on each device: models, adapters, predictions, episode lists.
#   sh tools/results.sh BINARY [DEVICE ...] >list
# The lists of two binaries can be compared with diff, since the same seeds, device and driver must give the same bytes.
# Options are spelt as earlier versions did, since that is what a binary is compared with. The hashes leave out what belongs
# to a run and not to its result (times, commit, host, memory). Needs python3.
set -eu
binary=$(realpath "$1")
shift
export OMP_WAIT_POLICY=passive ADATOM_CACHE_DIR
models=$(realpath "$(dirname "$0")/../models")
recipes=$(realpath "$(dirname "$0")/../episodes")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ADATOM_CACHE_DIR=$work/cache

cat >hash.py <<'EOF'
import hashlib, json, os, sys
RUN = {"time", "seconds", "test_time", "tool_version", "build_commit", "host", "device", "arena_bytes", "file"}
def result(x):
    if isinstance(x, dict): return {k: result(v) for k, v in x.items() if k not in RUN}
    return [result(v) for v in x] if isinstance(x, list) else x
def digest(path):
    data = open(path, "rb").read()
    if path.endswith(".json"): data = json.dumps(result(json.loads(data)), sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()[:16]
for name in sys.argv[2:]:
    files = [os.path.join(name, f) for f in sorted(os.listdir(name))] if os.path.isdir(name) else [name]
    for f in files: print(digest(f), sys.argv[1], f)
EOF

device=cpu
# note NAME FILE...: prints the hash of each file, with the device and the name of the command that made it.
note() {
    what=$1
    shift
    python3 hash.py "$device/$what" "$@"
}
run() { "$binary" "$@" >log 2>&1 || { echo "failed: $*: $(tail -n 1 log)" >&2; exit 1; }; }
shapes="--data builtin:shapes --per-class 8"

pretrain() { # NAME OPTION...
    name=$1
    shift
    rm -f m.safetensors
    run pretrain -q $shapes --split base --image-size 32 --epochs 1 --batch 32 --width 8 --device "$device" --output m.safetensors "$@"
    mv m.safetensors "$name.safetensors"
    note pretrain "$name.safetensors"
}
episodes() { # NAME OPTION...
    name=$1
    shift
    run episodes -q $shapes --split novel --query 3 --tasks 4 --steps 3 --predictions -o json --output-file "e-$name.json" \
        --device "$device" "$@"
    note episodes "e-$name.json"
}
adapt() { # NAME OPTION...
    name=$1
    shift
    run adapt -q --images train --output "a-$name" --steps 4 --device "$device" --format json --output-file "r-$name.json" "$@"
    note adapt "a-$name" "r-$name.json"
}

# Makes random pictures, a folder for each class.
python3 - <<'EOF'
import os, random
random.seed(3)
for c in range(4):
    os.makedirs(f"train/c{c}")
    for i in range(6):
        w, h = 40 + i, 36 + c
        rows = bytes((random.randrange(40) + 53 * c + (x * (c + 1) + y * i) % 64) % 256 for y in range(h) for x in range(w) for _ in "rgb")
        open(f"train/c{c}/{i}.ppm", "wb").write(b"P6 %d %d 255\n" % (w, h) + rows)
EOF

for device in ${*:-cpu}; do
    pretrain conv4
    pretrain dense --sharing none --augment crop+flip+jitter --label-smoothing 0.1
    pretrain adam --sharing layer --optimizer adam --augment none --seed 9
    pretrain grouped --sharing group-net --atoms 4 --group 4
    pretrain resnet12 --arch resnet12 --sharing stage --batch 16
    pretrain resnet10 --arch resnet10 --stem 3x3 --batch 16
    pretrain streamed --memory 6M
    pretrain validated --per-class 20 --epochs 2 --val-split val --val-tasks 4
    run pretrain -q $shapes --split base --from conv4.safetensors --epochs 1 --batch 32 --device "$device" --output from.safetensors
    note pretrain from.safetensors
    for model in conv4 dense grouped resnet12 resnet10; do
        case $model in
        dense) methods=centroid,head,cosine,norm,full,lora ;;
        *) methods=centroid,head,cosine,atoms,norm,atoms+norm,full ;;
        esac
        episodes "$model" --model $model.safetensors --adapt $methods --shot 1,3
    done
    episodes dora --model dense.safetensors --adapt dora,bora --rank 2
    episodes sgd --model conv4.safetensors --adapt atoms,head --optimizer sgd --nesterov --weight-decay 0.01 --label-smoothing 0.1
    episodes support --model resnet12.safetensors --adapt atoms,norm --bn support
    episodes transductive --model conv4.safetensors --adapt atoms --bn transductive --head cosine
    episodes random --model conv4.safetensors --adapt head,atoms --head-init random --without-replacement
    episodes few --model conv4.safetensors --adapt atoms --memory 3M
    for conv in coefficients-first atoms-first composed; do episodes $conv --model conv4.safetensors --adapt atoms --conv $conv; done
    episodes half --model conv4.safetensors --adapt atoms --precision fp16
    episodes cosine --model conv4.safetensors --adapt centroid --distance cosine
    run episodes -q $shapes --split novel --model conv4.safetensors --recipe closerlook-baseline --adapt head --tasks 2 --query 2 --device "$device" \
        --predictions -o json --output-file e-recipe.json --save-episodes list.json
    note episodes e-recipe.json list.json
    for method in centroid head cosine atoms norm atoms+norm full; do adapt $method --model conv4.safetensors --adapt $method; done
    for method in lora dora bora; do adapt $method --model dense.safetensors --adapt $method; done
    adapt augmented --model conv4.safetensors --adapt atoms --augment crop+flip+jitter --batch 8 --estimate folds --folds 3
    adapt early --model resnet12.safetensors --adapt atoms --early-stop --estimate holdout
    for adapter in atoms full; do
        run classify -q train --model conv4.safetensors --adapter a-$adapter --top 3 --device "$device" -o json --output-file c-$adapter.json
        note classify c-$adapter.json
        run export -q conv4.safetensors --adapter a-$adapter -o x-$adapter.safetensors
        note export x-$adapter.safetensors
    done
    run decompose -q dense.safetensors -o d-layer.safetensors --atoms 4
    run decompose -q dense.safetensors -o d-net.safetensors --sharing net --iterations 5
    run decompose -q dense.safetensors -o d-group.safetensors --sharing group-net --group 4 --atoms 6 --iterations 5
    run decompose -q dense.safetensors -o d-residual.safetensors --mode residual
    note decompose d-layer.safetensors d-net.safetensors d-group.safetensors d-residual.safetensors
    run export -q dense.safetensors -o dense-out.safetensors
    run import -q dense-out.safetensors --arch conv4 --size 32 -o back.safetensors
    for graph in conv4 dense resnet12; do run export -q $graph.safetensors -o $graph.onnx; done
    note transfer dense-out.safetensors back.safetensors conv4.onnx dense.onnx resnet12.onnx
    run data info train --size 32 -o json --output-file data.json
    note data data.json
    if [ -e "$models/conv4-net8.safetensors" ]; then
        episodes shipped --model "$models/conv4-net8.safetensors" --adapt centroid,atoms,head
    fi
    for recipe in "$recipes"/*shapes*.json; do
        [ -e "$recipe" ] || continue
        run reproduce -q "$recipe" --device "$device" -o json --output-file p.json
        note "$(basename "$recipe" .json)" p.json
    done
done
