#!/bin/sh
# Builds a release, adapts a small network that comes along (trained anew if its file is missing) to the same episodes
# of built-in pictures on the CPU engine and on a Vulkan device, prints both tables, and checks that they agree. Takes
# about five minutes on two cores.
set -eu
cd "$(dirname "$0")/.."
sh tools/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release
adatom=build-release/adatom
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=models/conv4-shapes.safetensors
"$adatom" devices

if [ ! -e "$model" ]; then
    model=$work/shapes.safetensors
    printf '\nTraining a small Conv-4 on 64 classes of built-in pictures\n'
    "$adatom" pretrain --data builtin:shapes --split base --image-size 32 --width 32 --batch 32 --epochs 5 --device cpu --output "$model"
fi
# "vulkan" is the best Vulkan device there is: a GPU, else the software driver llvmpipe.
for device in cpu vulkan; do
    printf '\n%s\n' "Adapting to classes it has never seen: $device"
    "$adatom" episodes --model "$model" --data builtin:shapes --split novel --way 5 --shot 1,5 --query 15 --tasks 20 --seed 1 \
        --adapt centroid,head,atoms,full --device "$device" >"$work/$device"
    cat "$work/$device"
done

# A row of the table: method shot accuracy ± half-width ...; the half-width is about two standard errors.
awk '$4 != "±" {next}
    FNR == NR {mean[$1, $2] = $3; next}
    {
        rows++
        apart = $3 - mean[$1, $2]
        if (apart < 0) apart = -apart
        printf "%-10s %s-shot: the devices differ by %.2f %%, the standard error is %.2f %%\n", $1, $2, apart, $5 / 2
        if (apart > $5 / 2) wrong = 1
    }
    END {exit wrong || rows != 8}' "$work/cpu" "$work/vulkan" || {
    echo "demo: the devices disagree" >&2
    exit 1
}
