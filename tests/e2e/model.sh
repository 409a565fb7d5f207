# Reading and inspecting model files, whole and broken ones.
. "$LIB"
model=$FIXTURE/model.safetensors
expect 0 'conv4, sharing net, 8 atoms, 16x16' "$ADATOM" inspect "$model"
"$ADATOM" inspect "$model" --format json >m.json || complain "inspect --format json"
# 3 layers of 8 atoms of 3x3; coefficients 8x8x8 shared by layers 2 to 4; 4 norms of 2x8; the first kernel 3x3x3x8.
same "$(get m.json model.parameters.atoms)" 216 "atoms"
same "$(get m.json model.parameters.coefficients)" 512 "coefficients"
same "$(get m.json model.parameters.norm)" 64 "norm"
same "$(get m.json model.parameters.ordinary)" 216 "ordinary"
same "$(get m.json model.parameters.all)" 1008 "all"
get m.json model.notes >/dev/null || complain "the training command is not in the model"
expect 4 "cannot open 'nothing.safetensors'" "$ADATOM" inspect nothing.safetensors
for size in 0 7 100 1000; do
    head -c $size "$model" >cut.safetensors
    expect 4 'cut.safetensors' "$ADATOM" inspect cut.safetensors
done
head -c $(($(wc -c <"$model") - 1)) "$model" >cut.safetensors
expect 4 'cut.safetensors' "$ADATOM" inspect cut.safetensors
echo '<!DOCTYPE html><html><body>404</body></html>' >page.safetensors
expect 4 'page.safetensors' "$ADATOM" inspect page.safetensors
expect 4 'page.safetensors' "$ADATOM" episodes --model page.safetensors --data builtin:shapes/novel
mkdir folder.safetensors
expect 4 'not a regular file' "$ADATOM" inspect folder.safetensors
# What decided the numbers is in the model; a 0 that is typed is a 0 and not the default.
"$ADATOM" pretrain --data builtin:shapes --split base --per-class 4 --image-size 16 --width 8 --epochs 1 --momentum 0 --weight-decay 0 --warmup 0 \
    --output zero.safetensors --device cpu --no-cache >out 2>err || complain "pretrain: $(tail -n 1 err)"
"$ADATOM" inspect zero.safetensors --format json >zero.json
for member in momentum weight_decay warmup; do same "$(get zero.json model.notes.$member)" 0.0 "$member of training"; done
same "$(get zero.json model.notes.precision)" fp32 "precision of training"
expect 2 'lr > 0' "$ADATOM" pretrain --data builtin:shapes/base --lr 0 --image-size 16 --width 8 --epochs 1 --output no.safetensors --device cpu
finish
