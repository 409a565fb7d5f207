# The same episodes on a Vulkan device and on the CPU engine.
. "$LIB"
"$ADATOM" devices -o csv | grep -q ',vulkan,' || exit 77
for device in cpu vulkan; do
    "$ADATOM" episodes --model "$FIXTURE/model.safetensors" --data builtin:shapes/novel --tasks 6 --query 5 --shot 1,2 --steps 3 \
        --adapt centroid,head,atoms,full --device $device --predictions -o json >$device.json 2>err || complain "$device: $(tail -n 1 err)"
done
same "$(get vulkan.json device.backend)" vulkan "device"
# Predictions may differ where two classes are nearly as likely: 1 in 50.
for i in 0 1 2 3 4 5 6 7; do
    get cpu.json results.$i.predictions | tr -c '0-9\n' '\n' | grep . >a
    get vulkan.json results.$i.predictions | tr -c '0-9\n' '\n' | grep . >b
    same "$(wc -l <a | tr -d ' ')" 150 "predictions"
    different=$(paste a b | awk '$1 != $2 {n++} END {print n + 0}')
    [ "$different" -le 3 ] || complain "$different of 150 predictions differ in result $i"
done
finish
