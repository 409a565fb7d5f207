# tools/sharing_table.sh: a row for each way of sharing and seed; what is trained is kept.
. "$LIB"
pictures train 3 6
pictures test 3 2
export ADATOM NETWORK="--image-size 16 --width 8" ARCH=conv4 EPOCHS=1 SEEDS="1 2" OPTIONS="--batch 6" DEVICE="--device cpu --no-cache"
SHARING="none net:4" sh "$SOURCE/tools/sharing_table.sh" train test >table.csv 2>err || complain "the table: $(tail -n 1 err)"
same "$(wc -l <table.csv | tr -d ' ')" 5 "lines"
set -- $(awk -F, 'NR > 1 {print $1 "," $2 "," $4}' table.csv)
same "$*" "none,,1 none,,2 net,4,1 net,4,2" "rows"
awk -F, 'NR == 2 {dense = $5; exit !($6 == 100.0)}' table.csv || complain "the dense network is not 100 %"
awk -F, 'NR == 2 {dense = $5} NR == 4 {part = sprintf("%.1f", 100 * $5 / dense); exit !(part == $6 && part < 50)}' table.csv ||
    complain "the part of the dense network's parameters"
awk -F, 'NR > 1 && !(NF == 8 && $7 >= 0 && $8 >= 0 && $8 <= 100) {exit 1}' table.csv || complain "an accuracy is missing"
awk -F, 'NR > 1 {right += $8} END {exit !(right > 0)}' table.csv || complain "not one picture is right: $(cat table.csv)"
mkdir foreign
mv test/* foreign/
for class in foreign/*; do mv "$class" "test/not-${class#foreign/}"; done
SHARING=none sh "$SOURCE/tools/sharing_table.sh" train test >none.csv 2>err && complain "classes that the network has not"
grep -q 'none of the classes of sharing/conv4-none-seed1.safetensors is a folder of test' err || complain "no word of them: $(cat err)"
for class in test/*; do mv "$class" "foreign/${class#test/not-}"; done
mv foreign/* test/
before=$(cat sharing/*.safetensors | cksum)
SHARING="none net:4" sh "$SOURCE/tools/sharing_table.sh" train test >again.csv 2>err || complain "again: $(tail -n 1 err)"
cmp table.csv again.csv || complain "another table the second time"
same "$(cat sharing/*.safetensors | cksum)" "$before" "the models"
sh "$SOURCE/tools/sharing_table.sh" train 2>err
same "$? $(head -c 28 err)" "2 sharing_table.sh TRAIN TEST:" "without TEST"
finish
