#!/bin/sh
# decomposition_table.sh MODEL NEW [BASE]: measures what decomposing an ordinary network costs. Prints a CSV row for
# each sharing and number of atoms: the relative error of each layer, and the 5-way 5-shot accuracy of class means on
# the classes of NEW (200 episodes), before and after; and, if BASE (what the model was trained on) is given, after one
# more epoch of training, for the numbers of atoms in $REPAIR (4 8). $FOLDER (decompositions) keeps the models; training
# is not repeated while its start, BASE and $OPTIONS are the same. $ADATOM: another binary; $ATOMS (1 2 4 6 8 9);
# $SHARING (layer net); $OPTIONS: more options for all commands that run the network.
set -eu
[ $# -ge 2 ] || { sed -n '2,7s/^# //p' "$0" >&2; exit 2; }
model=$1 new=$2 base=${3-}
adatom=${ADATOM:-$(dirname "$0")/../build-release/adatom}
folder=${FOLDER:-decompositions}
mkdir -p "$folder"
name=$folder/$(basename "$model" .safetensors)
table=$(mktemp)
trap 'rm -f "$table"' EXIT

# With set -e only a plain assignment fails when its command fails. So nothing that may fail is in an argument or at the
# head of a pipe.
# shellcheck disable=SC2086
accuracy() {
    "$adatom" episodes --model "$1" --data "$new" --way 5 --shot 5 --query 15 --tasks 200 --seed 1 --adapt centroid --quiet \
        --format csv ${OPTIONS-} >"$table" &&
        awk -F, 'FNR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next}
            {printf "%.2f ± %.2f", 100 * $at["accuracy.mean"], 100 * $at["accuracy.ci95"]}
            END {exit FNR != 2}' "$table"
}

# repair MADE REPAIRED: trains for one more epoch, unless REPAIRED.from tells that REPAIRED was made so already.
# shellcheck disable=SC2086
repair() {
    hash=$(sha256sum <"$1")
    from="${hash%% *} $base ${OPTIONS-}"
    if [ -e "$2" ] && [ -e "$2.from" ]; then
        before=$(cat "$2.from")
        if [ "$before" = "$from" ]; then return; fi
    fi
    rm -f "$2" "$2.from"
    "$adatom" pretrain --from "$1" --data "$base" --epochs 1 --lr 0.02 --seed 1 --quiet ${OPTIONS-} --output "$2" >"$table"
    echo "$from" >"$2.from"
}

dense=$(accuracy "$model")
echo "sharing,atoms,errors by layer,accuracy %,after an epoch %"
echo "none,,,$dense,"
for sharing in ${SHARING:-layer net}; do
    for atoms in ${ATOMS:-1 2 4 6 8 9}; do
        made=$name-$sharing-$atoms.safetensors
        "$adatom" decompose "$model" --sharing "$sharing" --atoms "$atoms" --quiet --format csv -o "$made" >"$made.csv"
        errors=$(awk -F, 'FNR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next}
            {printf "%s%.3f", (FNR > 2 ? " " : ""), $at["error"]}
            END {exit FNR < 2}' "$made.csv")
        decomposed=$(accuracy "$made")
        repaired=
        case " ${REPAIR-4 8} " in
        *" $atoms "*)
            if [ -n "$base" ]; then
                repair "$made" "$name-$sharing-$atoms-repaired.safetensors"
                repaired=$(accuracy "$name-$sharing-$atoms-repaired.safetensors")
            fi
            ;;
        esac
        echo "$sharing,$atoms,$errors,$decomposed,$repaired"
    done
done
