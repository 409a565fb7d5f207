# Runs kernels of each kind, and whole adaptations in the memory of a small GPU, on a device whose limits a layer lowers
# to the least that Vulkan 1.1 allows (but 8 storage buffers a stage, see device_choice.sh); the validation layer above
# it judges by these limits. tools/long_check.sh runs the whole kernel check so.
. "$LIB"
"$ADATOM" devices --format csv | grep -q ',vulkan,' || exit 77
# The loader stacks them in the order in which it finds them: validation comes first, so that it is above.
export VK_LAYER_PATH="/usr/share/vulkan/explicit_layer.d:/etc/vulkan/explicit_layer.d:$LAYER"
export VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation:VK_LAYER_ADATOM_test
"$ADATOM" doctor --quick --filter fill --device vulkan --validate >out 2>err
if [ $? -eq 3 ] && grep -q 'is not installed' err; then exit 77; fi
check="env LAYER_LIMITS=1 LAYER_STORAGE_BUFFERS=8 $ADATOM doctor --quick --device vulkan --validate --no-cache"
for kind in fill gather compose-dpsi linear softmax-ce affine-pool bn-back adam fused-atoms/; do
    expect 0 ' checks, 0 failed' $check --filter $kind
done
run="$ADATOM episodes --model $FIXTURE/model.safetensors --data builtin:shapes/novel --tasks 6 --query 3 --steps 2 --device vulkan"
# Positive control: the validation layer judges by the lowered limits.
expect 1 'the validation layer reported: .*maxMemoryAllocationCount' env LAYER_LIMITS=1 LAYER_STORAGE_BUFFERS=8 LAYER_ALLOCATIONS=1 $run \
    --validate --adapt atoms
limits="LAYER_LIMITS=1 LAYER_STORAGE_BUFFERS=8"
$run --adapt centroid,atoms,full --format csv >plain.csv 2>err || complain "without the layer's limits: $(tail -n 1 err)"
small="$limits LAYER_TYPE=2 LAYER_SPLIT_MEMORY=1 LAYER_HEAP=33554432 LAYER_ALLOCATION=4194304 LAYER_RANGE=4194304 LAYER_GROUPS=256"
small="$small LAYER_NO_SHUFFLE=1"
for least in "$limits" "$small"; do
    env $least $run --validate --adapt centroid,atoms,full --format csv >limited.csv 2>err || complain "$least: $(tail -n 1 err)"
    same "$(cut -d, -f1-6 limited.csv | md5sum)" "$(cut -d, -f1-6 plain.csv | md5sum)" "results under $least"
done

# The whole quick check once more, without validation, and the names that tools and messages show.
unset VK_LAYER_PATH
export VK_ADD_LAYER_PATH="$LAYER" VK_INSTANCE_LAYERS=VK_LAYER_ADATOM_test
expect 0 ' checks, 0 failed' env LAYER_LIMITS=1 LAYER_STORAGE_BUFFERS=7 "$ADATOM" doctor --quick --device vulkan --no-cache
expect 0 ' checks, 0 failed' env LAYER_NAMES=1 "$ADATOM" doctor --quick --filter softmax-ce --device vulkan --no-cache
for name in 'object of type 9: arena 0' 'object of type 19: SOFTMAX' 'label: softmax-ce'; do
    grep -q "^layer: $name" err || complain "no name '$name'"
done
finish
