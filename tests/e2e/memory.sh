# Under a limit on device memory pictures are streamed and the results stay the same; too little memory is refused in a
# sentence.
. "$LIB"
train="$ADATOM pretrain --data builtin:shapes/base --per-class 20 --image-size 32 --width 8 --batch 16 --epochs 1 --device cpu --format json"
pictures=$((64 * 20 * 32 * 32 * 3))
$train --output all.safetensors >all.json 2>err || complain "pretrain: $(tail -n 1 err)"
same "$(get all.json memory.pictures)" resident "without a limit"
limit=$(($(get all.json memory.arena_bytes) - pictures / 2))
$train --output part.safetensors --memory $limit --verbose >part.json 2>err || complain "pretrain --memory: $(tail -n 1 err)"
grep -q 'streamed while it computes' err || complain "--verbose does not say how the pictures are held"
same "$(get part.json memory.pictures)" streamed "with a limit"
[ "$(get part.json memory.arena_bytes)" -le $limit ] || complain "more memory than allowed"
same "$(get part.json model.hash)" "$(get all.json model.hash)" "streamed and resident training"
expect 1 'batches of 16 need' $train --output none.safetensors --memory 100K
[ ! -e none.safetensors ] || complain "a model without training"

adapt="$ADATOM episodes --model all.safetensors --data builtin:shapes/novel --per-class 40 --query 5 --tasks 12 --steps 2"
adapt="$adapt --adapt centroid,atoms --device cpu --format json"
$adapt --output a.json 2>err || complain "episodes: $(tail -n 1 err)"
$adapt --output b.json --memory 1500K 2>err || complain "episodes --memory: $(tail -n 1 err)"
for i in 0 1; do
    [ "$(get b.json results.$i.arena_bytes)" -le $((1500 * 1024)) ] || complain "result $i: more memory than allowed"
    same "$(get b.json results.$i.accuracy.values)" "$(get a.json results.$i.accuracy.values)" "result $i"
done
same "$(get a.json results.1.config.pictures)/$(get b.json results.1.config.pictures)" resident/streamed "pictures of atoms"
expect 1 'allowed are 0.1 MiB' $adapt --memory 100K
finish
