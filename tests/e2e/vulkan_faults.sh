# A Vulkan call fails in the middle of a run: the command exits with 1 and a sentence that names the call, leaves no
# file, and neither crashes nor hangs.
. "$LIB"
"$ADATOM" devices --format csv | grep -q ',vulkan,' || exit 77
export VK_ADD_LAYER_PATH="$LAYER" VK_INSTANCE_LAYERS=VK_LAYER_ADATOM_test
"$SHAPES" few 3 0 3 16 || complain "no pictures"
small="--model $FIXTURE/model.safetensors --device vulkan --no-cache --quiet"
mkdir empty

# fault CALL:N:CODE PATTERN [VARIABLE...]: in `episodes`.
fault() {
    what=$1 pattern=$2
    shift 2
    env LAYER_FAIL="$what" "$@" timeout 60 "$ADATOM" episodes $small --data builtin:shapes/novel --tasks 2 --query 2 --steps 2 --adapt atoms \
        --format json --output empty/result.json >out 2>err
    code=$?
    grep -q '^layer: call ' err || complain "$what was never reached"
    same $code 1 "exit code of $what"
    same "$(grep -c '^adatom: ' err)" 1 "sentences of $what"
    grep -qE "^adatom: $pattern" err || complain "$what: no '$pattern' but $(tail -n 1 err)"
    same "$(ls empty)" "" "files left by $what"
    rm -f empty/*
}
for call in vkCreateBuffer vkBindBufferMemory vkCreateComputePipelines vkCreateShaderModule vkAllocateDescriptorSets \
    vkCreateDescriptorSetLayout vkCreatePipelineLayout vkCreateCommandPool vkAllocateCommandBuffers vkBeginCommandBuffer vkEndCommandBuffer \
    vkQueueSubmit vkWaitForFences vkResetFences; do
    fault $call:1:-2 "out of device memory: $call gave VK_ERROR_OUT_OF_DEVICE_MEMORY"
done
fault vkMapMemory:1:-5 'vkMapMemory gave VK_ERROR_MEMORY_MAP_FAILED'
fault vkAllocateMemory:1:-2 '.* has no [0-9.]+ ([KM]iB|bytes) of memory left \('
grep -qE ' no 0 | \(0 MiB' err && complain "sizes in MiB that are 0: $(tail -n 1 err)"
fault vkCreateDescriptorPool:0:-1 'out of host memory: vkCreateDescriptorPool'
fault vkCreateBufferView:0:-1 'out of host memory: vkCreateBufferView'
fault vkQueueSubmit:2:-4 'the device was lost \(vkQueueSubmit gave VK_ERROR_DEVICE_LOST' LAYER_STICKY=1
fault vkWaitForFences:3:-4 'the device was lost \(vkWaitForFences gave VK_ERROR_DEVICE_LOST' LAYER_STICKY=1

# If a heap is full, memory is taken from the next one.
expect 0 '^atoms ' env LAYER_TYPE=2 LAYER_SPLIT_MEMORY=1 LAYER_FAIL=vkAllocateMemory:0:-2 "$ADATOM" episodes $small --data builtin:shapes/novel \
    --tasks 2 --query 2 --steps 2 --adapt atoms
grep -q '^layer: call 0 of vkAllocateMemory' err || complain "vkAllocateMemory was never reached"
# If a device no longer answers, the wait ends with a message that names the operations.
expect 1 'has not finished segment [0-9], operations [0-9]+ \(.*\) within [0-9]+ seconds \(expected' env LAYER_FAIL=vkWaitForFences:2:2 \
    LAYER_STICKY=1 timeout 60 "$ADATOM" episodes $small --data builtin:shapes/novel --tasks 2 --query 2 --steps 2 --adapt atoms

# The device is lost while training and while adapting.
expect 1 'the device was lost' env LAYER_FAIL=vkQueueSubmit:2:-4 LAYER_STICKY=1 timeout 60 "$ADATOM" pretrain --data builtin:shapes/base \
    --per-class 2 --image-size 16 --width 8 --epochs 2 --output empty/m.safetensors --device vulkan --no-cache
expect 1 'the device was lost' env LAYER_FAIL=vkQueueSubmit:9:-4 LAYER_STICKY=1 timeout 60 "$ADATOM" metatrain --data builtin:shapes/base \
    --per-class 4 --image-size 16 --width 8 --way 2 --query 2 --epochs 1 --epoch-tasks 40 --output empty/m.safetensors --device vulkan --no-cache
expect 1 'the device was lost' env LAYER_FAIL=vkWaitForFences:4:-4 LAYER_STICKY=1 timeout 60 "$ADATOM" adapt $small --images few \
    --output empty/adapter --steps 2
same "$(find empty -type f ! -name '*.checkpoint')" "" "files of runs whose device was lost"

# If a device fails to open, its pipeline cache stays as it is and is never replaced by an empty one.
expect 0 '^atoms ' "$ADATOM" episodes --model "$FIXTURE/model.safetensors" --data builtin:shapes/novel --tasks 2 --query 2 --steps 2 \
    --adapt atoms --device vulkan --cache-dir kept
cache=$(ls kept/vulkan-*.pipelines) && cp "$cache" before || complain "no pipeline cache"
for what in vkCreatePipelineCache:0:-1 vkCreateBuffer:0:-2 vkCreateFence:0:-1 vkGetPipelineCacheData:0:-1 vkGetPipelineCacheData:1:5; do
    env LAYER_FAIL=$what "$ADATOM" doctor --quick --filter add --device vulkan --cache-dir kept >out 2>err
    cmp -s "$cache" before || complain "the pipeline cache changed with $what: $(wc -c <before) to $(wc -c <"$cache") bytes"
done
finish
