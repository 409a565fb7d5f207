# adatom reproduce: a result that holds, one that does not, data that are missing, files that are no recipes.
. "$LIB"
recipe=$SOURCE/episodes/conv4-shapes-5shot.json
run="$ADATOM reproduce --device cpu"
expect 0 '^4 of 4 passed; the same episodes of the same data' $run "$recipe" --format table
grep -qE '^atoms +5 +59\.60 ± 3\.56 +[0-9.]+ ± [0-9.]+ +[+-][0-9.]+ +1\.00 +passed' out || complain "the row of atoms"
# Without method atoms the recipe is fast. If another accuracy is expected, it fails, and the result is written all the
# same.
mkdir episodes
sed "s|\.\./models|$SOURCE/models|; s|\"accuracy\": 0.5867|\"accuracy\": 0.6|" "$recipe" |
    awk '/"adapt": "head"/ {on = 1} !on || /^  ]/ {on = 0; print}' |
    sed '/"expected"/ s/},$/}/' >episodes/wrong.json
expect 5 '1 of 1 results of .episodes/wrong.json. did not come out' $run episodes/wrong.json
grep -qE '^centroid .* failed$' out || complain "no row of the result that failed"
$run episodes/wrong.json --format json --output a.json 2>err
same $? 5 "exit code with a file"
same "$(get a.json results.0.verdict)/$(get a.json passed)/$(get a.json same.episodes)" failed/0/true "the document"
same "$(get a.json results.0.expected.accuracy)" 0.6 "what was expected"
for member in recipe.name device.name dataset.hash model.hash results.0.measured.ci95 results.0.tolerance results.0.config.bn; do
    get a.json $member >/dev/null || complain "$member is missing"
done
# Other data are told, and the accuracy only has to be within the interval of two samples.
$run episodes/wrong.json --split val --format json >b.json 2>err
grep -q 'warning: .*the data set has the hash' err || complain "no warning of other data"
same "$(get b.json same.model)/$(get b.json same.data)/$(get b.json same.episodes)" true/false/false "what is the same"
get b.json results.0.tolerance | awk '{exit !($1 > 0.0371)}' ||
    complain "the tolerance over other data is $(get b.json results.0.tolerance)"
# If the user must bring the data, the message tells where they come from.
for file in "$SOURCE"/episodes/*mini*.json; do expect 4 'needs data .*--data: .*ILSVRC' $run "$file"; done
expect 4 'nowhere' $run "$SOURCE/episodes/conv4-net8-mini-val-1shot-frozen.json" --data nowhere
# Files that are no recipes, and recipes whose model is missing, are refused.
sed 's/"way"/"ways"/' episodes/wrong.json >episodes/ways.json
expect 4 'episodes/ways.json.: there is no member episodes.ways' $run episodes/ways.json
sed 's/"model": "[^"]*"/"model": "gone.safetensors"/' episodes/wrong.json >episodes/gone.json
expect 4 'episodes/gone.safetensors' $run episodes/gone.json
head -c 300 "$recipe" >cut.json
expect 4 'cut.json.* line' $run cut.json
expect 4 'nothing.json' $run nothing.json
expect 2 'RECIPE' $run
finish
