# Broken drivers, and devices that lack what kernels need: --device cpu starts no driver, auto goes on to the next
# device and says why, and a device that is asked for by name is refused.
. "$LIB"
small="--model $FIXTURE/model.safetensors --data builtin:shapes/novel --tasks 2 --query 2 --steps 2 --adapt centroid --no-cache"
# A driver that ends every process that makes an instance.
driver=$LAYER/bad_driver.json
VK_DRIVER_FILES=$driver VK_ICD_FILENAMES=$driver "$ADATOM" devices >out 2>&1
same $? 134 "exit code with the broken driver: it is not started"
expect 0 '^centroid ' env VK_DRIVER_FILES="$driver" VK_ICD_FILENAMES="$driver" "$ADATOM" episodes $small --device cpu
expect 0 '^fill ' env VK_DRIVER_FILES="$driver" VK_ICD_FILENAMES="$driver" "$ADATOM" doctor --quick --filter fill --device cpu
# A driver's file that is none: the loader calls that a want of memory.
echo 'no driver' >garbage.json
garbage="VK_DRIVER_FILES=garbage.json VK_ICD_FILENAMES=garbage.json"
expect 0 ' cpu ' env $garbage "$ADATOM" devices
expect 3 'no usable driver.*file|no device matches' env $garbage "$ADATOM" doctor --quick --filter fill --device vulkan
expect 0 '^centroid ' env $garbage "$ADATOM" episodes $small

"$ADATOM" devices --format csv | grep -q ',vulkan,' || exit 77
export VK_ADD_LAYER_PATH="$LAYER" VK_INSTANCE_LAYERS=VK_LAYER_ADATOM_test
gpu="LAYER_TYPE=2" # the driver's device looks like a discrete GPU
expect 0 'discrete' env $gpu "$ADATOM" devices
# A device of none of Vulkan's kinds is hardware, unless its driver is known to be software.
expect 0 '^device: vulkan: .*\(other\), the best Vulkan GPU found' env LAYER_TYPE=0 "$ADATOM" episodes $small
expect 0 '^device: cpu: .* is software and used only when asked for' env LAYER_TYPE=0 LAYER_DRIVER=1 "$ADATOM" episodes $small
$ADATOM episodes $small --format json --device cpu >cpu.json 2>err || complain "cpu: $(tail -n 1 err)"
same "$(get cpu.json device.index)" null "index of the CPU engine that was asked for by name"

# A device with too few storage buffers a stage is listed with the reason in every form, not chosen, and refused when
# asked for.
for buffers in 4 5 6; do
    lacks="bind 7 storage buffers a stage, this device allows $buffers"
    few="$gpu LAYER_LIMITS=1 LAYER_STORAGE_BUFFERS=$buffers"
    expect 0 "^0, .*, cannot be used: kernels $lacks" env $few "$ADATOM" devices
    env $few "$ADATOM" devices --format json >devices.json 2>err || complain "devices: $(tail -n 1 err)"
    same "$(get devices.json devices.0.usable) $(get devices.json devices.0.reason)" "false kernels $lacks" "usable"
    same "$(get devices.json devices.1.usable) $(get devices.json devices.1.reason)" "true null" "the CPU engine is usable"
    expect 0 "^device: cpu: .*, because no Vulkan GPU can be used \(.*: kernels $lacks\)" env $few "$ADATOM" episodes $small
    expect 3 "asked for by '0', cannot be used: kernels $lacks" env $few "$ADATOM" episodes $small --device 0
    expect 3 "no device matches 'vulkan'.*not usable: kernels $lacks" env $few "$ADATOM" episodes $small --device vulkan
done
enough="$gpu LAYER_LIMITS=1 LAYER_STORAGE_BUFFERS=7"
expect 0 '^device: vulkan: .*the best Vulkan GPU found' env $enough "$ADATOM" episodes $small
# Other features that kernels need.
expect 0 'run 128 invocations a workgroup, this device allows 64' env $enough LAYER_INVOCATIONS=64 "$ADATOM" devices
expect 0 'use 16384 bytes of shared memory, this device allows 8192' env $enough LAYER_SHARED=8192 "$ADATOM" devices
expect 0 'its driver offers Vulkan 1.0.0, 1.1 is needed' env LAYER_VERSION_1_0=1 "$ADATOM" devices

# Opening a device fails, at each step: auto warns and takes the next device; a device that is asked for is an error.
for call in vkCreateDevice vkCreateCommandPool vkAllocateCommandBuffers vkCreateFence vkCreateBuffer vkCreatePipelineCache; do
    expect 0 "^device: cpu: .*because no Vulkan GPU can be used \(.*$call" env $gpu LAYER_FAIL=$call:0:-3 "$ADATOM" episodes $small
    grep -q "^warning: .* is passed over: .*$call" err || complain "no warning of $call"
    expect 1 "^adatom: .*$call" env $gpu LAYER_FAIL=$call:0:-3 "$ADATOM" episodes $small --device vulkan
done
# Vulkan as a whole fails.
for call in vkCreateInstance vkEnumeratePhysicalDevices; do
    expect 0 "^device: cpu: .*because Vulkan failed: .*$call" env $gpu LAYER_FAIL=$call:0:-1 "$ADATOM" episodes $small
    expect 0 ' cpu ' env LAYER_FAIL=$call:0:-1 "$ADATOM" devices
    same "$(grep -c '^warning: no Vulkan device is listed: ' err)" 1 "warnings of $call"
done
expect 1 "^adatom: out of host memory: vkEnum" env $gpu LAYER_FAIL=vkEnumeratePhysicalDevices:0:-1 "$ADATOM" episodes $small --device vulkan
expect 1 "^adatom: vkCreateInstance gave VK_ERROR_INIT" env $gpu LAYER_FAIL=vkCreateInstance:0:-3 "$ADATOM" episodes $small --device vulkan
expect 3 "^adatom: the Vulkan loader found no usable driver: .*MEMORY.* driver's file" env $gpu LAYER_FAIL=vkCreateInstance:0:-1 \
    "$ADATOM" episodes $small --device vulkan
finish
