#!/bin/sh
# long_check.sh [--minutes N] [PART...]: runs the checks that take too long for tools/check.sh. Parts (default: all):
#   address      every test under the address and undefined-behaviour sanitizers
#   thread       unit tests and commands under the thread sanitizer (clang, LLVM's OpenMP with its tool archer)
#   fuzz         N minutes (10) of each fuzz target, two at a time, with what processor time the other parts leave
#   swiftshader  the kernel check and episodes on another software driver, SwiftShader, of Debian's chromium-common
#   faults       1000 failing allocations and 1000 failing file calls of each kind in each command
#   backbones    every network of torchvision and timm against PyTorch, on both engines, with residual atoms and back; and every
#                network as a graph against onnxruntime, where PyPI has it
#   wheel        Python's wheel, installed into a bare virtual environment and tested there
#   windows      the program for Windows, cross-built and used under Wine
#   limits       the kernel check under the least limits that Vulkan allows, judged by the validation layer
# Ends with a line for each part; exit code 1 if one failed. Logs: build-long/PART.log; inputs that made a fuzz target
# fail: build-long/fuzz/NAME.
set -u
cd "$(dirname "$0")/.."
minutes=${LONG_CHECK_MINUTES:-10} parts=
while [ $# -gt 0 ]; do
    case $1 in
    --minutes)
        minutes=${2-}
        shift
        ;;
    address | thread | fuzz | swiftshader | faults | backbones | wheel | windows | limits) parts="$parts $1" ;;
    *)
        sed -n '2,15s/^# \{0,1\}//p' "$0"
        [ "$1" = --help ] && exit 0
        exit 2
        ;;
    esac
    shift
done
case $minutes in '' | 0 | *[!0-9]*)
    echo "long_check: --minutes takes a whole number from 1 on, not '$minutes'" >&2
    exit 2
    ;;
esac
[ -n "$parts" ] || parts="address thread fuzz swiftshader faults backbones wheel windows limits"
sh tools/setup.sh clang libclang-rt-dev libomp-dev python3-torch python3-torchvision || exit 1
root=$PWD
out=$root/build-long
mkdir -p "$out"
# Tests run side by side, so that OpenMP's threads must not spin while they wait.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY-passive}"
no_driver="VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent"

# Each part is a function that writes its finding to $out/PART.said, and returns 1 if it found something wrong.
said() { echo "$*" >"$out/$part.said"; }
tests_of() { sed -n 's/^\([0-9]*% tests passed.*\)/\1/p' "$1" | tail -n 1; }
small_model() { # FOLDER BINARY: a network to adapt
    "$2" pretrain --data builtin:shapes/base --per-class 8 --image-size 16 --width 8 --epochs 1 --device cpu --no-cache \
        --output "$1/model.safetensors"
}

address() {
    cmake --preset asan && cmake --build --preset asan || return 1
    status=0
    nice ctest --preset asan --parallel "$(nproc)" --output-log "$out/address.tests" || status=1
    said "$(tests_of "$out/address.tests")"
    return $status
}

thread() {
    cmake --preset tsan && cmake --build --preset tsan || return 1
    # Archer tells the sanitizer how OpenMP synchronizes.
    archer=$(readlink -f "$(clang -print-resource-dir)/../..")/libarcher.so
    [ -f "$archer" ] || { said "there is no $archer"; return 1; }
    export OMP_TOOL_LIBRARIES="$archer" TSAN_OPTIONS="log_path=$out/thread.report:ignore_noninstrumented_modules=1"
    rm -f "$out"/thread.report.*
    status=0
    ctest --preset tsan --parallel "$(nproc)" --label-regex unit --output-log "$out/thread.tests" || status=1
    run=$out/thread.run adatom=$root/build-tsan/adatom
    rm -rf "$run" && mkdir -p "$run" || return 1
    commands=0
    try() { commands=$((commands + 1)); env $no_driver "$adatom" "$@" --threads 3 || { echo "long_check: failed: $*"; status=1; }; }
    data="--data builtin:shapes/novel --no-cache"
    small="--tasks 6 --query 4 --steps 3"
    try pretrain --data builtin:shapes/base --per-class 8 --image-size 16 --width 8 --epochs 1 --device cpu --no-cache \
        --output "$run/model.safetensors"
    for kind in "--distance cosine" "--meta maml --inner full --head linear --head-init model" "--meta reptile --inner atoms+norm --tasks-at-once 2"; do
        try metatrain --from "$run/model.safetensors" --data builtin:shapes/base --per-class 20 --way 3 --query 4 --epochs 1 --epoch-tasks 8 $kind \
            --val builtin:shapes/val --val-tasks 6 --device cpu --no-cache --output "$run/meta.safetensors"
    done
    try episodes --model "$run/model.safetensors" $data $small --device cpu --adapt centroid,head,atoms,norm,lora,full,logistic,lda,knn,bd-cspn,simpleshot
    "$root/build-tsan/tests/e2e/shapes" "$run/few" 5 0 5 16 || status=1
    "$root/build-tsan/tests/e2e/shapes" "$run/new" 5 20 8 16 || status=1
    for adapted in atoms lora; do
        try adapt --model "$run/model.safetensors" --device cpu --no-cache --images "$run/few" --adapt $adapted --steps 3 \
            --output "$run/$adapted"
    done
    try classify --model "$run/model.safetensors" --device cpu --no-cache --adapter "$run/atoms,$run/lora" "$run/new"
    try data verify "$run/new" --least 1
    try doctor --quick --device cpu
    reports=$(find "$out" -name 'thread.report.*' | wc -l)
    [ "$reports" -eq 0 ] || status=1
    said "$(tests_of "$out/thread.tests"), $commands commands, $reports reports"
    return $status
}

# Runs one fuzz target. The committed corpus is only read; inputs that the fuzzer finds are kept for the next time.
fuzz_one() {
    name=$1
    mkdir -p "$out/fuzz/$name/corpus"
    (cd "$out/fuzz/$name" && nice -n 19 "$root/build-fuzz/tests/fuzz/fuzz_$name" -max_total_time=$((60 * minutes)) -timeout=20 -rss_limit_mb=2500 \
        -print_final_stats=1 -artifact_prefix="$out/fuzz/$name/" corpus "$root/tests/fuzz/corpus/$name") >"$out/fuzz/$name/log" 2>&1
    code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/fuzz/$name/log")
    echo "$code fuzz_$name: ${runs:-no} runs, $([ $code -eq 0 ] && echo "nothing found" || echo "FAILED, see $out/fuzz/$name")" \
        >"$out/fuzz/$name.result"
    cat "$out/fuzz/$name.result"
}

fuzz() {
    cmake --preset fuzz || return 1
    names=$(ls tests/fuzz/fuzz_*.c | sed 's/.*fuzz_\(.*\)\.c/\1/')
    cmake --build --preset fuzz --target $(for name in $names; do echo "fuzz_$name"; done) || return 1
    rm -f "$out"/fuzz/*.result
    set -- $names
    while [ $# -gt 0 ]; do
        fuzz_one "$1" &
        first=$! second=
        shift
        if [ $# -gt 0 ]; then
            fuzz_one "$1" &
            second=$!
            shift
        fi
        wait $first
        [ -z "$second" ] || wait $second
    done
    count=$(cat "$out"/fuzz/*.result | wc -l)
    failed=$(grep -vc '^0 ' "$out"/fuzz/*.result /dev/null | awk -F: '{n += $2} END {print n + 0}')
    runs=$(sed -n 's/.*: \([0-9]*\) runs.*/\1/p' "$out"/fuzz/*.result | awk '{n += $1} END {printf "%d", n}')
    said "$count targets for $minutes minutes each, $runs runs, $failed failed"
    [ "$failed" -eq 0 ]
}

# Unpacks the driver from its package without installing it.
fetch_swiftshader() {
    driver=$(find "$out/swiftshader" -name vk_swiftshader_icd.json 2>/dev/null | head -n 1)
    [ -z "$driver" ] || return 0
    mkdir -p "$out/swiftshader" || return 1
    (cd "$out/swiftshader" && apt-get download chromium-common && dpkg-deb -x chromium-common_*.deb .) || return 1
    driver=$(find "$out/swiftshader" -name vk_swiftshader_icd.json | head -n 1)
    [ -n "$driver" ]
}

swiftshader() {
    fetch_swiftshader || { said "the driver could not be had (apt-get download chromium-common)"; return 1; }
    cmake --preset check && cmake --build --preset check || return 1
    adatom=$root/build-check/adatom status=0
    small_model "$out/swiftshader" "$adatom" || return 1
    export VK_DRIVER_FILES="$driver" VK_ICD_FILENAMES="$driver"
    "$adatom" devices --format csv | grep -q SwiftShader || { said "SwiftShader is not listed"; return 1; }
    "$adatom" doctor --quick --device swiftshader --no-cache || status=1
    for device in swiftshader cpu; do
        "$adatom" episodes --model "$out/swiftshader/model.safetensors" --data builtin:shapes/novel --no-cache --tasks 20 --query 5 \
            --shot 1,5 --steps 5 --adapt centroid,atoms --device $device --format csv >"$out/swiftshader/$device.csv" || status=1
    done
    # Predictions may differ where two classes are nearly as likely; accuracies by no more than 2 in a hundred.
    for device in swiftshader cpu; do
        awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "accuracy.mean") c = i; next} {print $c}' "$out/swiftshader/$device.csv" \
            >"$out/swiftshader/$device.accuracy"
    done
    compared=$(paste "$out/swiftshader/swiftshader.accuracy" "$out/swiftshader/cpu.accuracy" |
        awk '{d = $1 - $2; if (d < 0) d = -d; if (NF != 2 || d > 0.02) bad++; n++} END {print n + 0, bad + 0}')
    [ "$compared" = "4 0" ] || status=1
    said "doctor and episodes; accuracies compared with the CPU's and different: $compared"
    return $status
}

faults() {
    cmake --preset check && cmake --build --preset check || return 1
    e2e=$root/build-check/tests/e2e status=0
    ctest --preset check --tests-regex '^e2e_fixture$' || return 1
    for test in faults faults_write; do
        env FAULTS=1000 ADATOM="$root/build-check/adatom" LIB="$root/tests/e2e/lib.sh" JSONGET="$e2e/jsonget" SHAPES="$e2e/shapes" \
            FIXTURE="$e2e/fixture" SOURCE="$root" CC="${CC:-cc}" sh "tests/e2e/$test.sh" || status=1
    done
    said "failing allocations, writes, syncs, renames and closes: $([ $status -eq 0 ] && echo "nothing found" || echo "see build-long/faults.log")"
    return $status
}

# timm is no package of Debian's; what it imports besides is there, or not needed for a network of random weights.
fetch_timm() {
    "$out/timm/bin/python" -c "import timm" 2>/dev/null && return 0
    "${ADATOM_PYTHON:-/usr/bin/python3}" -m venv --system-site-packages "$out/timm" &&
        "$out/timm/bin/pip" install --quiet --no-deps timm==1.0.9 huggingface_hub safetensors &&
        "$out/timm/bin/python" -c "import timm"
}

backbones() {
    cmake --preset check && cmake --build --preset check || return 1
    fetch_timm || { said "timm could not be had (pip install timm)"; return 1; }
    status=0
    for test in preparation backbones; do
        env ADATOM="$root/build-check/adatom" RUN_MODEL="$root/build-check/tests/e2e/run_model" \
            "$out/timm/bin/python" -B "tests/e2e/test_$test.py" $([ $test = preparation ] || echo all) >"$out/backbones.$test" 2>&1 || status=1
        cat "$out/backbones.$test"
    done
    graphs="no graphs, onnxruntime could not be had (pip install onnxruntime)"
    if onnx=$(sh tools/onnx_python.sh "$out/onnx"); then
        env ADATOM="$root/build-check/adatom" RUN_MODEL="$root/build-check/tests/e2e/run_model" \
            RANDOM_MODEL="$root/build-check/tests/e2e/random_model" "$onnx" -B tests/e2e/test_onnx.py all >"$out/backbones.onnx" 2>&1 || status=1
        cat "$out/backbones.onnx"
        graphs="$(grep -c '[0-9]e-[0-9][0-9]$' "$out/backbones.onnx") of graphs, $(grep -c FAILED "$out/backbones.onnx") failed"
    fi
    said "$(grep -c '[0-9]e-[0-9][0-9]$' "$out/backbones.backbones") comparisons, $(grep -c FAILED "$out/backbones.backbones") failed; $graphs;" \
        "preprocessing: $(sed -n 's/^\([0-9]* compared\).*/\1/p' "$out/backbones.preparation")"
    return $status
}

wheel() {
    status=0
    sh tools/wheel.sh "$out/wheel" >"$out/wheel.made" 2>"$out/wheel.errors" || status=1
    cat "$out/wheel.errors"
    said "$([ $status -eq 0 ] && sed "s,.*/,," "$out/wheel.made" || tail -n 1 "$out/wheel.errors")"
    return $status
}

windows() {
    status=0
    sh tools/windows.sh "$out/windows" >"$out/windows.made" 2>"$out/windows.errors" || status=1
    cat "$out/windows.made" "$out/windows.errors"
    [ $status -eq 0 ] || { said "$(tail -n 1 "$out/windows.errors")"; return 1; }
    sh tools/windows_check.sh "$(ls "$out"/windows/*.zip)" "$root/build-windows/program" >"$out/windows.checked" 2>&1 || status=$?
    cat "$out/windows.checked"
    if [ $status -eq 77 ]; then
        said "built; $(tail -n 1 "$out/windows.checked")"
        return 0
    fi
    said "$(grep -c '^passed: ' "$out/windows.checked") commands, $(grep '^unit tests: ' "$out/windows.checked");" \
        "$(grep -c '^FAILED: ' "$out/windows.checked") failed"
    return $status
}

limits() {
    cmake --preset check && cmake --build --preset check || return 1
    status=0
    sh tests/layer/limits.sh "$root/build-check" || status=1
    said "doctor --quick under the least limits: $([ $status -eq 0 ] && echo "nothing reported" || echo "see build-long/limits.log")"
    return $status
}

summary=$out/summary
: >"$summary"
run_part() {
    part=$1 began=$(date +%s)
    rm -f "$out/$part.said"
    echo "long_check: $part ..."
    # In a subshell, so that a part's exports do not affect the next one.
    (set -u; $part) >"$out/$part.log" 2>&1
    code=$?
    if [ $code -eq 0 ]; then verdict=passed; else verdict=FAILED; fi
    if [ -s "$out/$part.said" ]; then text=$(cat "$out/$part.said"); else text="it did not get to its end"; fi
    echo "long_check: $part $verdict in $((($(date +%s) - began) / 60)) min: $text" | tee -a "$summary"
}
# Fuzzing takes its minutes whatever else runs: it does so beside the other parts.
case " $parts " in *" fuzz "*) run_part fuzz & ;; esac
for part in $parts; do
    [ "$part" = fuzz ] || run_part "$part"
done
wait
failed=0
! grep -q FAILED "$summary" || failed=1
echo "long_check: summary"
cat "$summary"
[ $failed -eq 0 ] || echo "long_check: something failed; logs are in $out" >&2
exit $failed
