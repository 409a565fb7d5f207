#!/bin/sh
# decomposition_table.sh MODEL NEW [BASE]: what decomposing an ordinary network costs. For each sharing and number of atoms: the relative
# error of each layer, the 5-way 5-shot accuracy of class means on the classes of NEW (200 episodes) before and after, and, where BASE (what
# the model was trained on) is given and m is one of $REPAIR (4 8), after one more epoch of training. One row at a time goes to standard
# output as CSV; $FOLDER (decompositions) keeps the models, and what is there is not made again. $ADATOM: another binary; $ATOMS (1 2 4 6 8 9);
# $SHARING (layer net); $OPTIONS: more options for all that runs the network.
set -eu
[ $# -ge 2 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
model=$1 new=$2 base=${3-}
adatom=${ADATOM:-$(dirname "$0")/../build-release/adatom}
folder=${FOLDER:-decompositions}
mkdir -p "$folder"
name=$folder/$(basename "$model" .safetensors)

# shellcheck disable=SC2086
accuracy() {
    "$adatom" episodes --model "$1" --data "$new" --way 5 --shot 5 --query 15 --tasks 200 --seed 1 --adapt centroid --quiet ${OPTIONS-} -o csv |
        awk -F, 'FNR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next} {printf "%.2f ± %.2f", 100 * $at["accuracy.mean"], 100 * $at["accuracy.ci95"]}'
}

echo "sharing,atoms,errors by layer,accuracy %,after an epoch %"
echo "none,,,$(accuracy "$model"),"
for sharing in ${SHARING:-layer net}; do
    for atoms in ${ATOMS:-1 2 4 6 8 9}; do
        made=$name-$sharing-$atoms.safetensors
        "$adatom" decompose "$model" --sharing "$sharing" --atoms "$atoms" --quiet --format csv -o "$made" >"$made.csv"
        errors=$(awk -F, 'FNR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next} {printf "%s%.3f", (FNR > 2 ? " " : ""), $at["error"]}' "$made.csv")
        repaired=
        case " ${REPAIR-4 8} " in
        *" $atoms "*)
            if [ -n "$base" ]; then
                more=$name-$sharing-$atoms-repaired.safetensors
                # shellcheck disable=SC2086
                [ -e "$more" ] || "$adatom" pretrain --from "$made" --data "$base" --epochs 1 --lr 0.02 --seed 1 --quiet ${OPTIONS-} --output "$more" >/dev/null
                repaired=$(accuracy "$more")
            fi
            ;;
        esac
        echo "$sharing,$atoms,$errors,$(accuracy "$made"),$repaired"
    done
done
