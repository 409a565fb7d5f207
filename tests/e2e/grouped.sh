# Coefficients shared by groups of channels: training, adaptation, decomposition, export.
. "$LIB"
shapes="--data builtin:shapes/novel --per-class 8 --device cpu --no-cache"
episodes="$ADATOM episodes $shapes --way 3 --shot 1 --query 2 --tasks 4 --steps 3"
expect 0 'conv4, sharing group-net, 4 atoms' "$ADATOM" pretrain --data builtin:shapes --split base --per-class 8 --image-size 16 \
    --width 16 --epochs 1 --sharing group-net --group 8 --atoms 4 --output model.safetensors --device cpu --no-cache
expect 0 'conv4, sharing group-net of 8 channels, 4 atoms' "$ADATOM" inspect model.safetensors
grep -q 'sum-first' out || complain "the multiply-adds of sum-first are not shown"
"$ADATOM" inspect model.safetensors --format json >m.json || complain "inspect --format json"
# 3 layers of 2x2 pairs of groups, 4 atoms of 3x3 each; coefficients 8x8x4.
same "$(get m.json model.group)" 8 "group"
same "$(get m.json model.parameters.atoms)" 432 "atoms"
same "$(get m.json model.parameters.coefficients)" 256 "coefficients"
# Each way of computing gives the same results, also where everything adapts.
expect 0 'atoms' $episodes --model model.safetensors --adapt centroid,atoms,atoms+norm,full,lora --format json --output a.json
for conv in atoms-first composed; do
    $episodes --model model.safetensors --adapt centroid,atoms --conv $conv --format json >$conv.json 2>err || complain "--conv $conv"
    same "$(get $conv.json results.1.accuracy.mean | cut -c1-5)" "$(get a.json results.1.accuracy.mean | cut -c1-5)" "accuracy of $conv"
done
expect 2 'groups of channels cannot be applied first' $episodes --model model.safetensors --adapt atoms --conv coefficients-first
# An adapter, its drawing, and the exported weights with the adapter merged in.
"$SHAPES" few 3 0 4 16 || complain "no pictures"
expect 0 'atoms, 3 classes, 12 pictures' "$ADATOM" adapt --model model.safetensors --images few --output adapter --adapt atoms \
    --head linear --steps 3 --device cpu --no-cache
expect 0 'layer2.atoms' "$ADATOM" inspect model.safetensors --adapter adapter --png atoms.png
expect 0 'merged.safetensors is written' "$ADATOM" export model.safetensors --adapter adapter --output merged.safetensors
# Decomposing the exported kernels again loses nothing, since they have this form.
expect 0 'dense.safetensors is written' "$ADATOM" export model.safetensors --output dense.safetensors
expect 0 'conv4' "$ADATOM" import dense.safetensors -o back.safetensors --size 16 --resize 16
"$ADATOM" decompose back.safetensors -o again.safetensors --sharing group-net --group 8 --atoms 4 --format json >d.json ||
    complain "decompose"
for layer in 0 1 2; do
    awk -v e="$(get d.json layers.$layer.error)" 'BEGIN {exit !(e < 1e-4)}' ||
        complain "layer $layer is off by $(get d.json layers.$layer.error)"
done
# Residual atoms may be more than a kernel has numbers.
expect 0 'layer2.conv' "$ADATOM" decompose back.safetensors -o residual.safetensors --mode residual --sharing group-layer --group 8 \
    --atoms 12
expect 0 'beside the kernels' "$ADATOM" inspect residual.safetensors
expect 0 'atoms' $episodes --model residual.safetensors --adapt centroid,atoms
# Refusals have one sentence and write nothing.
expect 2 'groups of 12 channels do not divide the 16 channels of layer2' "$ADATOM" decompose back.safetensors --sharing group-net \
    --group 12 -o no.safetensors
expect 2 'the size of groups is 6; it must be a multiple of 4' "$ADATOM" decompose back.safetensors --sharing group-net --group 6 \
    -o no.safetensors
expect 2 'sharing layer has no groups' "$ADATOM" decompose back.safetensors --group 8 -o no.safetensors
expect 2 'reads 3 channels, which make no groups' "$ADATOM" decompose back.safetensors --sharing group-net --decompose-first \
    -o no.safetensors
expect 2 '17 atoms are more than the 16 pairs' "$ADATOM" decompose back.safetensors --sharing group-net --group 4 --atoms 17 \
    -o no.safetensors
[ ! -e no.safetensors ] || complain "something was written"
finish
