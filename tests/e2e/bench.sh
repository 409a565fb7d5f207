# adatom bench: the forms of its result, cases made from names, comparison, merging, curves.
. "$LIB"
bench="$ADATOM bench --device cpu --threads 1 --no-cache"
case=conv/forward/composed/8x8x3/9/b2
$bench --filter $case --filter adapt/head/conv4/16/2w1s1q/3 --format json --output a.json || complain "bench --format json"
same "$(get a.json results.#)" 10 "peaks and two cases"
same "$(get a.json results.8.name)/$(get a.json results.8.status)" $case/ok "the case asked for"
same "$(get a.json results.9.unit)" episodes/s "unit of adaptation"
for member in device.name test_time config.suite precision results.0.value results.8.samples_ns.4 results.8.gflops results.8.share_of_peak results.9.episodes_per_s; do
    get a.json $member >/dev/null || complain "$member is missing"
done
same "$(get a.json precision)" fp32 "precision"
# What one tells others: the best of what was checked.
same "$(get a.json headline.convolution_fp32_tflops.case)" "$case" "the fastest convolution"
awk -v t="$(get a.json headline.convolution_fp32_tflops.value)" -v g="$(get a.json results.8.gflops)" 'BEGIN {exit !(t > 0 && t * 1000 - g < 1e-6 * g && g - t * 1000 < 1e-6 * g)}' ||
    complain "the headline is not the case's number"
# At the head of the table, what the device can do.
$bench --filter $case >out 2>err || complain "bench: $(tail -n 1 err)"
same "$(head -n 1 out)" "$(get a.json device.name): $(get a.json device.capabilities.line)" "the first line"
get a.json device.capabilities.line | grep -q '; 1 thread; ' || complain "the line is of another number of threads"
# A case that does not run has a reason and no number.
same "$(get a.json results.1.name)/$(get a.json results.1.status)" peak/fp16/unsupported "half precision"
get a.json results.1.value >/dev/null && complain "a number for what is unsupported"
get a.json results.1.reason | grep -q float32 || complain "no reason for what is unsupported"
expect 0 "^$case = [0-9.]+ (GFLOP/s|us)\$" $bench --filter $case --plain
expect 0 '^peak/fp16 = unsupported: ' $bench --filter $case --plain
expect 0 '^headline/convolution-fp32 = [0-9.e-]+ TFLOP/s$' $bench --filter $case --plain
# A device asked for half precision may compute a case in float32 all the same, and its figure is that of float32.
expect 0 '^[0-9.]+ TFLOP/s of convolution in float32 ' $bench --filter $case --precision fp16
grep -q 'half precision (' out && complain "a figure of half precision without such operands"
expect 0 '^name,value,unit' $bench --filter $case --format csv
expect 2 'neither a case' $bench --filter conv/sideways
expect 2 'did you mean|suite' $bench --suite medium

# scale FACTOR FILE: all samples times FACTOR, as if the device had been that much slower.
scale() {
    awk -v factor="$1" '/"samples_ns": \[/ {
        open = index($0, "["); shut = index($0, "]"); n = split(substr($0, open + 1, shut - open - 1), sample, ","); line = ""
        for (i = 1; i <= n; i++) line = line (i > 1 ? ", " : "") sprintf("%.3f", sample[i] * factor)
        $0 = substr($0, 1, open) line substr($0, shut) } {print}' "$2"
}
# A kernel that became a hundred times slower is a regression, a faster one is not, and a file without the case is
# refused.
scale 0.01 a.json >fast.json
scale 100 a.json >slow.json
# Tried up to five times, since other load during either run may hide the difference of this case, also while that of
# another is seen.
for try in 1 2 3 4 5; do
    $bench --filter $case --compare fast.json >out 2>err
    code=$?
    if [ $code -eq 5 ] && grep -q "^$case .*slower" out; then break; fi
done
same $code 5 "exit code of a comparison with a faster run"
grep -q 'became slower' err || complain "no word of what became slower"
grep -q "^$case .*slower" out || complain "the slower case is not named"
expect 0 "^$case .*(faster|same)" $bench --filter $case --compare slow.json
# Older files, which do not tell the precision, are compared and merged; a different precision is told.
sed 's/"precision": "fp32"/"precision": "float32"/' slow.json >before.json
expect 0 "^$case .*(faster|same)" $bench --filter $case --compare before.json
! grep -q '^note: ' err || complain "a file from before is said to be of another precision"
sed 's/"precision": "fp32"/"precision": "fp16"/' slow.json >half.json
expect 0 'half.json was measured with precision fp16, this run with fp32' $bench --filter $case --compare half.json
echo '{"command": "devices"}' >other.json
expect 4 'other.json: this is no result' $bench --filter $case --compare other.json
expect 4 'nothing.json' $bench --filter $case --compare nothing.json

# Several results as one table.
expect 0 "^$case +(GFLOP/s|us) +[0-9.]+ +[0-9.]+\$" "$ADATOM" bench --merge a.json slow.json
"$ADATOM" bench --merge a.json slow.json --format json >merged.json || complain "--merge --format json"
same "$(get merged.json devices.#)/$(get merged.json results.#)" 2/10 "merged devices and cases"
same "$(get merged.json devices.1.file)" slow.json "a merged file"
expect 4 'other.json' "$ADATOM" bench --merge a.json other.json

# Curves: three cases that differ in one number; two do not make one.
three="--filter adapt/head/conv4/16/2w1s1q/3t1 --filter adapt/head/conv4/16/2w1s1q/3t2 --filter adapt/head/conv4/16/2w1s1q/3t4"
$bench $three --format json --output three.json --plot three.svg || complain "bench --plot"
same "$(grep -c '<circle' three.svg)" 2 "curves of three cases: time and memory"
grep -q '>tasks<' three.svg || complain "the axis has no name"
same "$(get three.json results.10.tasks_at_once)" 4 "tasks at once, from the name"
"$ADATOM" bench --merge three.json three.json --plot both.svg >/dev/null || complain "bench --merge --plot"
same "$(grep -c '<circle' both.svg)" 4 "curves of two files"
expect 4 'nothing to plot' "$ADATOM" bench --merge a.json --plot none.svg
[ ! -e none.svg ] || complain "a picture of nothing"
# A failed plot does not hide that a case became slower.
for try in 1 2 3 4 5; do
    $bench --filter $case --compare fast.json --plot none.svg >out 2>err
    code=$?
    if [ $code -eq 5 ]; then break; fi
done
same $code 5 "exit code of a comparison that draws nothing"
# Every curve and point is drawn, and no name breaks the SVG.
awk 'BEGIN {
    printf "{\"command\": \"bench\", \"device\": {\"name\": \"A<B>&\047C\047 0123456789\303\251\"}, \"results\": ["
    for (c = 1; c <= 60; c++) for (p = 1; p <= (c == 1 ? 40 : 3); p++)
        printf("%s{\"name\": \"case%c%c/b%d\", \"min_ns\": %d}", (c + p == 2 ? "" : ", "), 97 + c % 26, 97 + int(c / 26), p, 1000 * c * p)
    print "]}" }' >many.json
"$ADATOM" bench --merge many.json --plot many.svg >/dev/null || complain "many curves"
same "$(grep -c '<circle' many.svg)" 60 "lines of points, one a curve"
same "$(grep -o '<circle' many.svg | wc -l | tr -d ' ')" 217 "points"
grep -q '>A&lt;B&gt;&amp;&apos;C&apos; 0123456789: case' many.svg || complain "the device's name in the picture, escaped and whole characters only"
# Without OpenBLAS, here a file that is none, convolutions are measured all the same, and it is said once what is
# missing.
mkdir blas
echo none >blas/libopenblas.so.0
cp blas/libopenblas.so.0 blas/libopenblas.so
two="--filter $case --filter conv/forward/composed/8x4x3/9/b2"
LD_LIBRARY_PATH=$work/blas${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} $bench $two --format json >out 2>err || complain "bench without OpenBLAS"
same "$(grep -c libopenblas0 err)" 1 "warnings that name the package of OpenBLAS"
same "$(get out results.8.status)$(get out results.9.status)" okok "convolutions without OpenBLAS"
# After Ctrl-C the measured cases are printed.
interrupt 'MiB of pictures' $bench --suite full --filter adapt/full/conv4/84/5w5s15q/50000 --verbose --format json
same "$(get out results.0.name)/$(get out results.#)/$(get out unfinished)" peak/fp32/8/interrupted "what was measured before"
expect 3 'nothing to tune' "$ADATOM" tune --device cpu
# A result that is sent: whole, or what is wrong with it.
$bench --filter $case --format json --output sent.json || complain "bench"
sed -i 's/"build_commit": "[^"]*"/"build_commit": "0123456789ab"/' sent.json
expect 0 '^[0-9]+ cases of .*: whole$' "$ADATOM" bench --verify-file sent.json
# broken PATTERN SED: the file with a change is not whole, and that is said.
broken() {
    sed "$2" sent.json >broken.json
    cmp -s sent.json broken.json && complain "nothing was changed by $2"
    expect 5 "$1" "$ADATOM" bench --verify-file broken.json
}
broken 'changed sources' 's/0123456789ab/0123456789ab-dirty/'
broken 'test_time is missing' 's/"test_time"/"time"/'
broken 'peak/launch.*value is .*follows' '/peak\/launch/,/"value"/ s/"value": /&1/'
broken 'peak/read.*gbytes_per_s is .*follows' '/peak\/read/,/gbytes/ s/"gbytes_per_s": /&1/'
broken "its unit is 'smiles', which no case has" 's,"unit": "GB/s","unit": "smiles",'
broken 'value is .*follows from the samples' 's/"value": 1/"value": 2/; s/"value": [3-9]/"value": 2/'
broken 'median_ns is .*follows' 's/"median_ns": \([0-9]\)/"median_ns": 1\1/'
broken 'samples are positive' 's/"samples_ns": \[[0-9]/"samples_ns": [-1/'
broken 'peak/fp32, which shares are of, was measured 0 times' 's,"peak/fp32","peak/other",'
broken "does not say how its results were checked" 's/"verified": "[^"]*"/"verified": ""/'
broken 'the run ended early: too soon' 's/"command": "bench"/"command": "bench", "unfinished": "too soon"/'
expect 4 'this is no result' "$ADATOM" bench --verify-file other.json
for file in "$SOURCE"/bench/results/*.json; do
    expect 0 ': whole$' "$ADATOM" bench --verify-file "$file"
done
finish
