#!/bin/sh
# sharing_table.sh TRAIN TEST: what fewer parameters cost. TRAIN and TEST are folders with the same folders of pictures,
# one a class. For each way of sharing coefficients and each seed a network is trained on TRAIN and asked about TEST; prints
# a CSV row for each: parameters of the network without its classifier, part of the dense network's, accuracy in training
# and on TEST. $FOLDER (sharing) keeps the models: what is there is not trained again, so that the script can be
# stopped and run again; a run that was cut off is resumed.
# $ADATOM: another binary; $ARCH (resnet18); $NETWORK (--stem 3x3 --image-size 32); $EPOCHS (10); $SEEDS (1 2); $OPTIONS:
# more options of the training; $DEVICE: options of where it runs; $SHARING: the rows, of "none net:8 group-net:16:64"
# (sharing:atoms:group), the dense network first.
set -eu
[ $# -eq 2 ] || { sed -n '2,10s/^# //p' "$0" >&2; exit 2; }
train=$1 test=$2
adatom=${ADATOM:-$(dirname "$0")/../build-release/adatom}
folder=${FOLDER:-sharing}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# number FILE MEMBER: the last number of that name in a JSON file.
number() { sed -n "s/^ *\"$2\": *\([0-9.eE+-]*\),*$/\1/p" "$1" | tail -n 1; }

# With set -e only a plain assignment fails when its command fails. So nothing that may fail is in an argument or at the
# head of a pipe.
# shellcheck disable=SC2086
row() { # SHARING ATOMS GROUP SEED
    name=$folder/${ARCH:-resnet18}-$1${2:+-$2}${3:+-$3}-seed$4
    if [ ! -e "$name.json" ]; then
        "$adatom" pretrain --data "$train" --arch "${ARCH:-resnet18}" ${NETWORK---stem 3x3 --image-size 32} --sharing "$1" \
            ${2:+--atoms $2} ${3:+--group $3} --epochs "${EPOCHS:-10}" --seed "$4" ${OPTIONS-} ${DEVICE-} --quiet --resume --format json \
            --output "$name.safetensors" --output-file "$work/trained.json"
        mv "$work/trained.json" "$name.json"
    fi
    "$adatom" classify "$test" --model "$name.safetensors" ${DEVICE-} --quiet --format csv -o "$work/rows.csv"
    right=$(awk -F, 'FNR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next}
        {n = split($at["picture"], part, "/"); right += part[n - 1] == $at["class"]; count++; is[part[n - 1]]; told[$at["class"]]}
        END {for (name in told) known += name in is; if (known) printf "%.2f", 100 * right / count}' "$work/rows.csv")
    [ -n "$right" ] || { echo "sharing_table: none of the classes of $name.safetensors is a folder of $test" >&2; exit 1; }
    parameters=$(number "$name.json" parameters)
    learned=$(number "$name.json" accuracy)
    dense=${dense:-$parameters}
    part=$(awk "BEGIN {printf \"%.1f\", 100 * $parameters / $dense}")
    learned=$(awk "BEGIN {printf \"%.2f\", 100 * $learned}")
    echo "$1,$2,$3,$4,$parameters,$part,$learned,$right"
}

dense=
echo "sharing,atoms,group,seed,parameters,part of dense %,training accuracy %,test accuracy %"
for one in ${SHARING:-none stage:8 net:8 group-stage:16:64 group-net:16:64}; do
    atoms=${one#*:} group=
    [ "$atoms" != "$one" ] || atoms=
    case $atoms in *:*) group=${atoms#*:} atoms=${atoms%:*} ;; esac
    for seed in ${SEEDS:-1 2}; do row "${one%%:*}" "$atoms" "$group" "$seed"; done
done
