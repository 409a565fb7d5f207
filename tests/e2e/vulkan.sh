# The same episodes give the same predictions on a Vulkan device and on the CPU engine.
. "$LIB"
"$ADATOM" devices --format csv | grep -q ',vulkan,' || exit 77
for device in cpu vulkan; do
    "$ADATOM" episodes --model "$FIXTURE/model.safetensors" --data builtin:shapes/novel --tasks 6 --query 5 --shot 1,2 --steps 3 \
        --adapt centroid,head,atoms,full --device $device --predictions --format json >$device.json 2>err || complain "$device: $(tail -n 1 err)"
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

# With half precision the kernels are checked first, and the result tells what was used.
run="$ADATOM episodes --model $FIXTURE/model.safetensors --data builtin:shapes/novel --tasks 2 --query 5 --steps 2 --adapt atoms"
$run --device vulkan --precision fp16 --format json >half.json 2>err || complain "fp16: $(tail -n 1 err)"
same "$(get half.json results.0.precision)" fp16 "precision"
get half.json results.0.features_used.0 >/dev/null || complain "no features_used"
same "$(get vulkan.json results.0.precision)" fp32 "precision"
same "$(get vulkan.json results.0.features_used.#)" 0 "features_used"
tr ',' '\n' <half.json | grep -q half-storage || complain "features_used of vulkan lack half-storage"
$run --device cpu --precision fp16 --format json >half-cpu.json 2>err || complain "cpu, fp16: $(tail -n 1 err)"
same "$(get half-cpu.json results.0.precision) $(get half-cpu.json results.0.features_used.0)" "fp16 half-storage" "cpu, fp16"
expect 0 'conv +half +0 +0 +not offered' "$ADATOM" doctor --device vulkan --quick --filter conv/
expect 0 'conv +half +[1-9][0-9]* +0 +ok' "$ADATOM" doctor --device vulkan --precision fp16 --quick --filter conv/
finish
