#!/bin/sh
# Makes shaders/prebuilt/NAME.spv, the kernels with GL_KHR_cooperative_matrix, for builds with a glslang older than 13:
#   tools/prebuild.sh GLSLANG     e.g. tools/prebuild.sh glslangValidator (the committed ones: 13.1.1)
#   tools/prebuild.sh --check     exit 1 if they were made from other sources than those in this checkout
set -eu
cd "$(dirname "$0")/.."
sources="shaders/conv_matrix.comp shaders/conv_dx_matrix.comp shaders/conv_dw_matrix.comp shaders/lib/matrix.glsl shaders/lib/conv.glsl
    shaders/lib/conv_place.glsl shaders/lib/accumulate.glsl shaders/lib/half.glsl shaders/abi_conv.h"
# shellcheck disable=SC2086
cat $sources >/dev/null # the pipe below would hide that a file is missing
# shellcheck disable=SC2086
hash=$(cat $sources | sha256sum | cut -d' ' -f1)
if [ "${1-}" = --check ]; then
    [ "$(cat shaders/prebuilt/sources.sha256)" = "$hash" ] && exit 0
    echo "shaders/prebuilt was made from other source: run tools/prebuild.sh with glslang 13 or newer"
    exit 1
fi
mkdir -p shaders/prebuilt
kernels=$(sed -n 's/^AD_KERNEL(\([A-Z_]*_KHR\), "\([^"]*\)", "\([^"]*\)".*/\1 \2 \3/p' src/vk/kernels/kernels.def)
[ -n "$kernels" ] || { echo "prebuild: no such kernel in src/vk/kernels/kernels.def" >&2; exit 1; }
echo "$kernels" | while read -r name source defines; do
    # shellcheck disable=SC2086
    "$1" -V -g0 --target-env vulkan1.1 --quiet $defines -Ishaders -o "shaders/prebuilt/$name.spv" "shaders/$source"
done
echo "$hash" >shaders/prebuilt/sources.sha256
