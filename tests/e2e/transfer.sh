# Import, decomposition and export by the command line; tests/e2e/test_torch.py compares with PyTorch.
. "$LIB"
model=$FIXTURE/model.safetensors

# A model of this program is exported under CloserLook's names and imported again.
expect 0 'dense.safetensors is written' "$ADATOM" export "$model" --output dense.safetensors
expect 0 "conv4 with closerlook's names, 64 classes, 8 features, pictures of 16 x 16 cropped from 20" \
    "$ADATOM" import dense.safetensors -o back.safetensors --size 16 --resize 20
expect 0 'conv4, sharing none' "$ADATOM" inspect back.safetensors
"$ADATOM" inspect back.safetensors --format json >m.json
same "$(get m.json model.layout)" closerlook layout
same "$(get m.json model.resize)" 20 resize

# A model keeps how its pictures are prepared: as asked for, else as its source does.
"$ADATOM" import dense.safetensors -o bicubic.safetensors --size 16 --crop 0.8 --interpolation bicubic --mean 0.5,0.5,0.5 || complain import
expect 0 '16x16 from the centre of a shorter side of 20, bicubic; mean 0.500 0.500 0.500, std 0.229' "$ADATOM" inspect bicubic.safetensors
"$ADATOM" decompose bicubic.safetensors --mode residual -o bicubic8.safetensors || complain decompose
"$ADATOM" inspect bicubic8.safetensors --format json >b.json
same "$(get b.json model.resize)/$(get b.json model.preprocessing.interpolation)" 20/bicubic "what was asked for"
same "$(get m.json model.preprocessing.interpolation)" fast-bilinear "closerlook's interpolation"
expect 2 'exclude each other' "$ADATOM" import dense.safetensors -o no.safetensors --size 16 --crop 0.8 --resize 20
expect 2 "no weights 'v2' of closerlook's conv4 are known" "$ADATOM" import dense.safetensors -o no.safetensors --weights v2
expect 2 'bicubik' "$ADATOM" import dense.safetensors -o no.safetensors --interpolation bicubik

# Errors of a decomposition fall with the number of atoms and are rounding only at nine; residual has none.
expect 0 'layer2.conv +8 +layer2' "$ADATOM" decompose back.safetensors -o eight.safetensors
"$ADATOM" decompose back.safetensors -o nine.safetensors --atoms 9 --format json >nine.json || complain "decompose"
"$ADATOM" decompose back.safetensors -o residual.safetensors --mode residual --atoms 12 --sharing stage --format json >residual.json ||
    complain "residual"
awk -v e="$(get nine.json layers.0.error)" 'BEGIN {exit !(e >= 0 && e < 1e-5)}' ||
    complain "nine atoms are not exact: $(get nine.json layers.0.error)"
awk -v e="$(get residual.json layers.0.error)" 'BEGIN {exit !(e == 0)}' ||
    complain "residual is not the same: $(get residual.json layers.0.error)"
same "$(get residual.json model.residual)" true residual
expect 0 'beside the kernels' "$ADATOM" inspect residual.safetensors
expect 0 'm for 10 %' "$ADATOM" inspect back.safetensors --singular-values
"$ADATOM" inspect back.safetensors --singular-values --format json >s.json || complain "singular values"
awk -v a="$(get s.json layers.1.errors.1)" -v b="$(get s.json layers.1.errors.8)" -v c="$(get s.json layers.1.errors.9)" \
    'BEGIN {exit !(a > b && b > 0 && c == 0)}' || complain "errors do not fall with the atoms"

# A rounded model is a smaller file, and one of its own; rounding again changes nothing.
expect 0 'layer2.conv +0.0[1-9]' "$ADATOM" round eight.safetensors -o half.safetensors
"$ADATOM" round half.safetensors -o again.safetensors --format json >r.json || complain "round"
same "$(get r.json layers.0.error)/$(get r.json layers.#)" 0.0/4 "rounding a second time"
same "$(get r.json model.hash)" "$(get r.json model.source_hash)" "hash of a model that was rounded already"
cmp -s half.safetensors again.safetensors || complain "rounding twice is another file"
"$ADATOM" inspect eight.safetensors --format json >i.json
[ "$(get i.json model.hash)" != "$(get r.json model.hash)" ] || complain "a rounded model has its source's hash"
same "$(get r.json model.bytes)" "$(wc -c <half.safetensors | tr -d ' ')" "bytes told"
[ $((3 * $(get r.json model.bytes))) -lt $((2 * $(wc -c <eight.safetensors))) ] || complain "a rounded model is not smaller"
expect 0 '' "$ADATOM" round half.safetensors -o half.safetensors
cmp -s half.safetensors again.safetensors || complain "rounding in place"

# Atoms of a residual model adapt like others.
expect 0 'atoms' "$ADATOM" episodes --model residual.safetensors --data builtin:shapes/novel --per-class 8 --way 3 --shot 1 --query 2 \
    --tasks 4 --adapt centroid,atoms --device cpu --no-cache

# An epoch of repair after the decomposition: the classifier stays where the classes are as many, and so do names and
# preprocessing.
train="$ADATOM pretrain --data builtin:shapes --per-class 4 --epochs 1 --batch 32 --device cpu --no-cache"
expect 0 'start: eight.safetensors with its classifier of 64 classes' $train --from eight.safetensors --split base \
    --output repaired.safetensors
expect 0 'residual.safetensors with a new classifier of [0-9]+ classes: it has 64' $train --from residual.safetensors --split novel \
    --output moved.safetensors
"$ADATOM" inspect repaired.safetensors --format json >m.json
same "$(get m.json model.layout)/$(get m.json model.resize)/$(get m.json model.atoms)" closerlook/20/8 "what the start had"
expect 2 'has sharing layer, not net' $train --from eight.safetensors --sharing net --output no.safetensors
expect 2 'has atoms 8, not 9' $train --from eight.safetensors --atoms 9 --output no.safetensors
expect 4 'nothing.safetensors' $train --from nothing.safetensors --output no.safetensors

# By the ending of its name the output is a graph; tests/e2e/test_onnx.py compares what it computes.
expect 0 'graph.onnx is written$' "$ADATOM" export "$model" -o graph.onnx
grep -q 'BatchNormalization' graph.onnx && complain "norms are not folded"
expect 0 'graph.onnx is written$' "$ADATOM" export "$model" -o graph.onnx --no-fold-norms
grep -q 'BatchNormalization' graph.onnx || complain "norms are folded"
grep -q 'hdf5\|__metadata__' graph.onnx && complain "a graph is a file of weights"

# Refusals have one sentence and write nothing.
expect 2 '--layout is for the names of tensors, which a file of ONNX has no use for' "$ADATOM" export "$model" --layout rfs -o no.onnx
expect 2 '--map is for the names of tensors, which a file of ONNX has no use for' "$ADATOM" export "$model" --map map.json -o no.onnx
expect 2 "--no-fold-norms is for files of ONNX, and 'no.safetensors' does not end in .onnx" "$ADATOM" export "$model" --no-fold-norms -o no.safetensors
expect 4 'nothing.safetensors' "$ADATOM" export nothing.safetensors -o no.onnx
expect 4 'nowhere' "$ADATOM" export "$model" --adapter nowhere -o no.onnx
expect 2 '10 atoms are more than the 3 x 3 kernels' "$ADATOM" decompose "$model" --atoms 10 -o no.safetensors
expect 2 'residual' "$ADATOM" decompose "$model" --mode residul -o no.safetensors
expect 2 'three numbers' "$ADATOM" import dense.safetensors --mean 1,2 -o no.safetensors
expect 2 "'rfs' has no names for conv4" "$ADATOM" export "$model" --layout rfs -o no.safetensors
expect 4 'a model of this program already' "$ADATOM" import "$model" -o no.safetensors
expect 4 'read as resnet34' "$ADATOM" import dense.safetensors --arch resnet34 -o no.safetensors
printf 'PK\003\004 and so on, a zip archive' >model.pth
expect 4 'model.pth. is a damaged zip archive' "$ADATOM" import model.pth -o no.safetensors
printf '\200\002cos\nsystem\n(S"touch ran"\ntR.' >evil.pth
expect 4 'evil.pth. is a pickle that torch.save did not write; nothing of it was run' "$ADATOM" import evil.pth -o no.safetensors
[ ! -e ran ] || complain "a pickle was run"
mkdir empty
expect 4 "the folder 'empty' has no model.safetensors.index.json" "$ADATOM" import empty -o no.safetensors
printf '{"weight_map": {"a": "gone.safetensors"}}' >empty/index.json
expect 4 "cannot open 'empty/gone.safetensors'" "$ADATOM" import empty/index.json -o no.safetensors
head -c 2000 dense.safetensors >cut.safetensors
expect 4 'cut.safetensors' "$ADATOM" import cut.safetensors -o no.safetensors
head -c 3000 "$model" >cut.safetensors
expect 4 'cut.safetensors' "$ADATOM" decompose cut.safetensors -o no.safetensors
expect 4 'cut.safetensors' "$ADATOM" export cut.safetensors -o no.safetensors
# Refused, too: a header that announces more than the file has, numbers that are not finite, an unknown network.
printf '\377\377\377\377\377\377\377\177{}' >hostile.safetensors
expect 4 'hostile.safetensors' "$ADATOM" import hostile.safetensors -o no.safetensors
printf '\120\0\0\0\0\0\0\0{"some.layer":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}                 \0\0\0\0' >unknown.safetensors
expect 4 "first tensor is 'some.layer'" "$ADATOM" import unknown.safetensors -o no.safetensors
expect 2 'alexnet' "$ADATOM" import dense.safetensors --arch alexnet -o no.safetensors
echo '{"a": 1}' >map.json
expect 4 "map.json.*'a' must be given a name" "$ADATOM" import dense.safetensors --map map.json -o no.safetensors
# What import knows.
expect 0 '^resnet18 +torchvision +https://github.com/pytorch/vision' "$ADATOM" import --list
expect 0 '^torch.save: .pth, .pt, .bin: float32' "$ADATOM" import --list
expect 0 '^before the names: module., _orig_mod.,' "$ADATOM" import --list
expect 0 '^network,names,project' "$ADATOM" import --list --format csv
"$ADATOM" import --list --format json --output-file list.json || complain "import --list --format json"
same "$("$ADATOM" import --list --format csv | tail -n +2 | wc -l | tr -d ' ')" "$(get list.json networks.#)" "networks"
same "$(get list.json networks.0.network)/$(get list.json networks.0.names)" resnet18/torchvision "the first network"
same "$(get list.json networks.2.weights)/$(get list.json networks.2.preparations.1.resize)" "v2 v1/256" "ResNet-50's weights"
same "$(get list.json formats.2.name)/$(get list.json wrappers.0)/$(get list.json prefixes.0)" torch.save/state_dict_ema/module. "sources"
expect 2 '--output FILE is missing' "$ADATOM" import dense.safetensors
expect 2 'SOURCE is missing' "$ADATOM" import -o no.safetensors
[ ! -e no.safetensors ] && [ ! -e no.onnx ] || complain "something was written"
finish
