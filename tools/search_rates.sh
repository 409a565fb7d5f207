#!/bin/sh
# search_rates.sh MODEL DATA [FOLDER]: searches the methods' default rates and steps. DATA: pictures that the model's
# training has not seen, but of the classes that it was trained on, so that new classes do not influence the choice.
# Every method gets the same search: first the classifier's rate on the frozen backbone, then, with that, four rates of
# what else adapts, each with three numbers of steps, on the same episodes with one and with five shots. FOLDER
# (rate-search) keeps a CSV for each method, and what is there is not run again. Prints for each method its best
# settings by the mean over both shots. $ADATOM: another binary; $EPISODES: how many (40; ten times that for classifiers
# on a frozen backbone); $RATES and $STEPS: what is tried of what adapts (0.0003,0.001,0.003,0.01, but of full always
# 0.0001,0.0003,0.001,0.003; 5,10,20: backbones of others like 30 and more); $METHODS: which are searched (norm full lora
# dora bora atoms+norm, which needs norm's; also tsa; atoms always are); $OPTIONS: more options of `adatom episodes`. A
# FOLDER of another model, DATA or of other settings is refused.
set -eu
[ $# -ge 2 ] || { sed -n '2,12s/^# //p' "$0" >&2; exit 2; }
model=$1 data=$2 folder=${3:-rate-search}
adatom=${ADATOM:-$(dirname "$0")/../build-release/adatom}
mkdir -p "$folder"
hash=$(sha256sum <"$model")
rates=${RATES:-0.0003,0.001,0.003,0.01} steps=${STEPS:-5,10,20}
methods=${METHODS:-norm full lora dora bora atoms+norm}
for method in $methods; do
    case $method in
    norm | full | lora | dora | bora | tsa) ;;
    atoms+norm)
        case " $methods " in *" norm "*) continue ;; esac
        [ -e "$folder/norm.csv" ] || { echo "search_rates: atoms+norm needs the rate of norm: name norm, too" >&2; exit 2; }
        ;;
    *) echo "search_rates: nothing is known of '$method'" >&2; exit 2 ;;
    esac
done
of="${hash%% *} $data ${EPISODES:-40} $rates $steps ${OPTIONS-}"
if [ ! -e "$folder/of" ]; then echo "$of" >"$folder/of"; fi
before=$(cat "$folder/of")
[ "$before" = "$of" ] || { echo "search_rates: $folder holds a search of something else ($before); take another FOLDER" >&2; exit 1; }

search() { # NAME OPTION...
    file=$folder/$1.csv
    shift
    # shellcheck disable=SC2086
    [ -e "$file" ] || "$adatom" episodes --model "$model" --data "$data" --way 5 --shot 1,5 --query 15 --seed 2 \
        --tasks $((${EPISODES:-40} * ${times:-1})) --format csv -o "$file" ${OPTIONS-} "$@"
}

# best CSV: the settings with the best mean over shots, as "mean settings".
best() {
    awk -F, 'FNR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next}
        {sum[$at["settings"]] += $at["accuracy.mean"]; n[$at["settings"]]++}
        END {for (s in sum) if (sum[s] / n[s] > most) {most = sum[s] / n[s]; name = s}
            if (most == 0) exit 1
            printf "%.2f %s\n", 100 * most, name}' "$1"
}

# rate CSV OPTION: the option's value in the best settings. With set -e only a plain assignment fails with its command.
rate() {
    row=$(best "$1") && row=$(echo "$row" | grep -oE " $2=[^ ]*") && echo "${row#*=}" && return
    echo "search_rates: $1 tells no best $2: a search needs two rates or more, and accuracies" >&2
    return 1
}

times=10 # these steps do not run the network, so that more episodes cost little
search head --adapt head --head linear --lr 0.0003,0.001,0.003,0.01 --steps 10,20,50,100
search cosine --adapt cosine --lr 0.001,0.003,0.01,0.03 --steps 5,10,20,50
times=1
lr=$(rate "$folder/cosine.csv" lr)
search atoms --adapt atoms --lr "$lr" --lr-atoms "$rates" --steps "$steps"
for method in $methods; do
    case $method in
    norm) search norm --adapt norm --lr "$lr" --lr-norm "$rates" --steps "$steps" ;;
    full) search full --adapt full --lr "$lr" --lr-full 0.0001,0.0003,0.001,0.003 --steps "$steps" ;;
    lora | dora | bora | tsa) search "$method" --adapt "$method" --lr "$lr" --lr-adapter "$rates" --steps "$steps" ;;
    esac
done
# Atoms and norms have been searched apart; this searches how their best rates go together.
case " $methods " in *" atoms+norm "*)
    atoms=$(rate "$folder/atoms.csv" lr-atoms)
    norm=$(rate "$folder/norm.csv" lr-norm)
    half() { awk "BEGIN {printf \"%g\", $1 / 2}"; }
    search atoms+norm --adapt atoms+norm --lr "$lr" --lr-atoms "$(half "$atoms"),$atoms" --lr-norm "$(half "$norm"),$norm" --steps "$steps"
    ;;
esac

for file in "$folder"/*.csv; do
    row=$(best "$file")
    printf '%-12s %s\n' "$(basename "$file" .csv)" "$row"
done
