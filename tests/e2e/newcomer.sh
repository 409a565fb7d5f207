# What goes wrong for somebody who tries it for the first time is answered with what to do next.
. "$LIB"
model=$FIXTURE/model.safetensors
adapt="$ADATOM adapt --model $model --output a --device cpu --no-cache --adapt centroid --images"
pictures set 3 4
# Pictures without folders of classes.
mkdir flat
for class in set/*; do cp "$class/0.ppm" "flat/${class#set/}.ppm"; done
expect 4 "'flat' have no classes: put those of each class into a folder of their own in it \('flat/oak', 'flat/birch'\), or give a CSV list" $adapt flat
# Splits inside: what to name instead; the same data are taken once a split is named.
for split in train val; do mkdir -p splits/$split && cp -r set/* splits/$split/; done
expect 4 "'train/class0' and 'val/class0' would be different classes; choose a split \(such as --split (train|val)\), or name the folder of one \('splits/(train|val)'\)" \
    $adapt splits
[ ! -e a ] || complain "an adapter of splits"
expect 0 '3 classes, 12 pictures' $adapt splits/train
# One class.
mkdir one
cp -r set/class0 one/
expect 4 'only one class; .*: add a folder with pictures of what they are to be told from' $adapt one
# No pictures at all, and a class without any.
mkdir nothing
expect 4 'holds no pictures \(looked for JPEG' $adapt nothing
mkdir set/empty
expect 4 "folder 'empty' in 'set' holds no pictures; fill or remove it" $adapt set
rmdir set/empty
# A picture in place of the folder, and options in place of an argument.
expect 4 "set/class0/0.ppm' is .*not a folder" $adapt set/class0/0.ppm
expect 2 '--images DIR is missing' "$ADATOM" adapt --model "$model" --output a
# A model without a classifier.
"$ADATOM" pretrain --data set --image-size 16 --width 8 --sharing none --epochs 1 --batch 4 --device cpu --no-cache --output dense.safetensors >log 2>&1 ||
    complain "pretrain: $(tail -n 1 log)"
"$ADATOM" metatrain --from dense.safetensors --data set --way 2 --shot 1 --query 1 --epochs 1 --epoch-tasks 4 --meta-batch 2 --device cpu --no-cache \
    --output bare.safetensors >log 2>&1 || complain "metatrain: $(tail -n 1 log)"
expect 2 "no classifier of its own: make an adapter from pictures of your classes \('adatom adapt'\), and classify with that \(--adapter\)" \
    "$ADATOM" classify flat --model bare.safetensors --device cpu
# Atoms of a model that has none: what makes some, and with that it works.
for command in "adapt --images set --output a --adapt atoms" "episodes --data set --way 2 --query 1 --tasks 2 --adapt atoms+norm"; do
    expect 2 "adapts atoms, and this model has none: 'adatom decompose MODEL --mode residual --output FILE'" \
        "$ADATOM" $command --model dense.safetensors --device cpu --no-cache
done
expect 0 '' "$ADATOM" decompose dense.safetensors --mode residual --output residual.safetensors
expect 0 '[1-9][0-9]* numbers adapted' "$ADATOM" adapt --images set --output a --adapt atoms --model residual.safetensors --device cpu --no-cache
finish
