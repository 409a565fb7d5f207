# adatom tune and the peaks of a Vulkan device: the tuner's choices are kept, read again, and used.
. "$LIB"
"$ADATOM" devices --format csv | grep -q ',vulkan,' || exit 77
tune="$ADATOM tune --device vulkan --arch conv4 --image-size 16 --way 2 --shot 1 --query 1 --tasks 1 --seconds 3 --cache-dir kept"
expect 0 '^[1-9][0-9]* classes of operations tuned' $tune
ls kept/vulkan-*.tuning >/dev/null || complain "no file of what was found"
$tune --format json >again.json 2>err || complain "tune again: $(tail -n 1 err)"
[ "$(get again.json results.0.candidates)" -ge 2 ] || complain "an operation without a choice was tuned"
# The results of adapting with and without what was tuned: the same classes (kernels differ in rounding only).
run="$ADATOM episodes --model $FIXTURE/model.safetensors --data builtin:shapes/novel --tasks 3 --query 5 --steps 3 --adapt atoms --device vulkan"
expect 0 '^atoms ' $run --cache-dir kept
# A damaged file is noticed and made anew.
file=$(ls kept/vulkan-*.tuning)
printf 'damaged' >"$file"
expect 0 '^atoms ' $run --cache-dir kept
grep -q "tuning' is damaged and will be made anew" err || complain "no word of the damaged file: $(cat err)"
expect 0 'classes of operations tuned' $tune
expect 3 'there is nothing to tune' "$ADATOM" tune --device cpu

# Peaks: measured by shaders of their own, under validation; what the device lacks has a reason.
expect 0 '^peak/fp32 = [0-9.]+ GFLOP/s' "$ADATOM" bench --device vulkan --filter peak/read --no-cache --seconds 30 --plain --validate
for peak in read write copy; do grep -qE "^peak/$peak = [0-9.]+ GB/s" out || complain "no peak/$peak: $(cat out)"; done
grep -qE '^peak/fp16 = ([0-9.]+ GFLOP|unsupported: )' out || complain "no word of peak/fp16"
grep -qE '^peak/submit = [0-9.]+ us' out || complain "no peak/submit"
# Training and start-up cases leave nothing in the folder for temporary files.
mkdir temporary
TMPDIR=$work/temporary "$ADATOM" bench --device cpu --filter pretrain/conv4/16/b4 --no-cache --seconds 60 --plain >out 2>err
same "$(ls temporary)" "" "left in the folder for temporary files"
finish
