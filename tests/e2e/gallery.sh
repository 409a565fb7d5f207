# bench --merge --html: which files are shown beside each other, and what ratios are to. What a browser makes of the page
# is tested in test_gallery.py.
. "$LIB"
results=$SOURCE/bench/results
cpu=$(ls "$results"/amd-*.json | head -n 1)
software=$(ls "$results"/llvmpipe-*.json | head -n 1)
[ -s "$cpu" ] && [ -s "$software" ] || complain "no results to show"
cp "$cpu" first.json
cp "$software" second.json
merge="$ADATOM bench --merge first.json second.json"
# told FILE TEXT: the page has the text.
told() { grep -qF -e "$2" "$1" || complain "$1 does not tell: $2"; }

# The page, and the table of --merge.
expect 0 '^peak/fp32 ' $merge --html page.html
same "$(head -n 1 page.html)" '<!DOCTYPE html>' "first line"
same "$(tail -n 1 page.html)" '</html>' "last line"
told page.html "2 results of 2 devices side by side. Ratios are to <bdi>$(get first.json device.name)</bdi>, the first of the files"
for part in "Adapted episodes a second" "Convolution in float32" "No result has a convolution with operands in half" "<h2>By family of cases</h2>" \
    "<h2>Results</h2>" "<h2>Every case</h2>" "adatom bench --merge first.json second.json --html page.html"; do
    told page.html "$part"
done
grep -qE '[>" ]-?(nan|inf)[%<" ]' page.html && complain "the page has what is no number"
same "$(grep -c '<script>' page.html)" 1 "scripts"
# A browser runs it if its hash is the one that the page allows.
awk '/<script>/ {sub(/.*<script>/, ""); inside = 1} /<\/script>/ {exit} inside' page.html >script.js
same "$(sed -n "s/.*script-src 'sha256-\([^']*\)'.*/\1/p" page.html | base64 -d | od -An -v -tx1 | tr -d ' \n')" \
    "$(sha256sum <script.js | cut -d' ' -f1)" "the script's hash"
if command -v tidy >/dev/null; then
    tidy -e -q page.html 2>problems
    [ ! -s problems ] || complain "the page is not valid: $(head -n 3 problems)"
fi
# The figure is that of the file's best case, found again from its samples.
best=$(awk '/"name": "conv\/forward/ {conv = 1} /"name"/ && !/conv\/forward/ {conv = 0} conv && /"gflops"/ {gsub(/[^0-9.]/, ""); if ($0 + 0 > most) most = $0 + 0} END {printf "%.3g", most / 1000}' first.json)
told page.html "<strong>$best TFLOP/s</strong>"

# Whom ratios are to: a file, a part of a device's name in any case; nothing else.
told page.html 'Ratios are to</span><bdi>AMD'
$merge --html other.html --against LLVMpipe >out 2>err || complain "--against a device: $(tail -n 1 err)"
told other.html 'Ratios are to</span><bdi>llvmpipe'
grep -q 'the first of the files' other.html && complain "a chosen device is said to be the first"
$merge --html other.html --against second.json >out 2>err || complain "--against a file: $(tail -n 1 err)"
told other.html 'Ratios are to</span><bdi>llvmpipe'
expect 2 "'Riva' is neither one of the files nor part of a device's name: AMD" $merge --html none.html --against Riva
expect 2 'name them with --merge' "$ADATOM" bench --html none.html
expect 2 'which is not given' $merge --against llvmpipe

# A file that is not whole, or none, is not shown; what was at the page's place stays.
echo before >kept.html
# refused PATTERN SED: the second file with a change.
refused() {
    sed "$2" second.json >broken.json
    cmp -s second.json broken.json && complain "nothing was changed by $2"
    expect 4 "$1" "$ADATOM" bench --merge first.json broken.json --html kept.html
}
refused 'broken.json is not whole, .*: file: test_time is missing' 's/"test_time"/"time"/'
refused 'broken.json is not whole, .*: file: it was measured with changed sources' 's/"build_commit": "/&dirty-dirty/'
refused 'broken.json is not whole, .*: peak/fp32: value is .* follows from the samples' 's/"value": [0-9]/&1/'
refused "broken.json is not whole, .*: peak/fp32: its unit is 'furlongs'" 's,"unit": "GFLOP/s","unit": "furlongs",'
refused 'broken.json:[0-9]+: ' '40,$d'
expect 4 "'missing.json'" "$ADATOM" bench --merge first.json missing.json --html kept.html
same "$(cat kept.html)" before "the page of before"
same "$(ls | grep -c kept)" 1 "files beside it"
expect 1 "cannot write '/dev/full'" $merge --html /dev/full
expect 1 "cannot create" $merge --html nowhere/page.html
finish
