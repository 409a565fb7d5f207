# Runs whole adaptation and training under the Vulkan validation layer with synchronization checks, whose errors make a
# run fail.
. "$LIB"
"$ADATOM" devices --format csv | grep -q ',vulkan,' || exit 77
run="$ADATOM episodes --model $FIXTURE/model.safetensors --data builtin:shapes/novel --tasks 2 --query 2 --steps 2"
run="$run --device vulkan --validate"
$run --adapt centroid >out 2>err
if [ $? -eq 3 ]; then
    cat err
    exit 77
fi
expect 0 '^full ' $run --adapt centroid,head,atoms,norm,full
expect 0 '^atoms ' $run --adapt atoms --conv atoms-first
expect 0 '^atoms ' $run --adapt atoms --conv coefficients-first --bn support
expect 0 'm.safetensors: conv4' "$ADATOM" pretrain --data builtin:shapes/base --per-class 2 --image-size 16 --width 8 --epochs 1 \
    --device vulkan --validate --output m.safetensors
for kind in '--distance cosine' '--meta maml --inner full --head-init model --head linear' '--meta reptile --inner atoms+norm'; do
    expect 0 'm.safetensors: conv4' "$ADATOM" metatrain --data builtin:shapes/base --per-class 6 --image-size 16 --width 8 --epochs 1 --epoch-tasks 8 \
        --way 2 --query 2 --tasks-at-once 2 $kind --device vulkan --validate --output m.safetensors
done
finish
