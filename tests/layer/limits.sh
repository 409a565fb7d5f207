# limits.sh BUILD [FILTER]: the kernel check (doctor --quick) under the least limits Vulkan allows but for 8 storage buffers a stage, with
# the validation layer above, which judges by them. Fails if a check fails or a message comes.
set -u
build=$1
# The loader stacks them in the order in which it finds them: validation comes first, so that it is above.
export VK_LAYER_PATH="/usr/share/vulkan/explicit_layer.d:/etc/vulkan/explicit_layer.d:$build/tests/layer"
export VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation:VK_LAYER_ADATOM_test
export LAYER_LIMITS=1 LAYER_STORAGE_BUFFERS=8
exec "$build/adatom" doctor --quick --device vulkan --validate --no-cache ${2:+--filter "$2"}
