# Sourced by every test here. ADATOM: the binary; JSONGET: jsonget; SHAPES: shapes; FIXTURE: folder with
# model.safetensors (model.sh).
set -u
work=$(mktemp -d)
# A test that complained fails, also where nothing after it says so.
trap 'ended=$?; rm -rf "$work"; [ "$failures" -eq 0 ] || ended=1; exit $ended' EXIT
failures=0
cd "$work" || exit 2
export ADATOM_CACHE_DIR="$work/cache"
complain() { failures=$((failures + 1)); echo "FAILED: $*"; }

# expect CODE PATTERN COMMAND...: the exit code, and a line of stdout or stderr that matches.
expect() {
    code=$1 pattern=$2
    shift 2
    "$@" >out 2>err
    got=$?
    [ "$got" -eq "$code" ] || complain "exit code $got, not $code: $*: $(tail -n 1 err)"
    cat out err | grep -qE -e "$pattern" || complain "no '$pattern' from: $*: $(tail -n 1 err)"
    # A failure is explained by one line, the last on stderr, and prints no result but what was finished before it.
    if [ "$code" -ne 0 ] && [ "$code" -ne 5 ]; then tail -n 1 err | grep -q '^adatom: ' || complain "no 'adatom: ' line from: $*"; fi
}
# interrupt PATTERN COMMAND...: Ctrl-C as soon as a line of stderr matches; exit code 130. Leaves out and err.
interrupt() {
    pattern=$1 tries=0
    shift
    : >err # what an earlier command said there doesn't count
    "$@" >out 2>err &
    child=$!
    until grep -q -e "$pattern" err || [ $tries -gt 1200 ]; do sleep 0.05; tries=$((tries + 1)); done
    kill -INT $child
    wait $child
    same $? 130 "exit code of the interrupted $*"
    tail -n 1 err | grep -q '^adatom: .*interrupted' || complain "no message of the interrupted $*"
}
same() { [ "$1" = "$2" ] || complain "$3: '$1' is not '$2'"; }
get() { "$JSONGET" "$1" "$2"; }

# picture FILE RED GREEN BLUE: 8x8 pixels of one colour (PPM).
picture() {
    pixel=$(printf '\\%03o\\%03o\\%03o' "$2" "$3" "$4")
    row=$pixel$pixel$pixel$pixel$pixel$pixel$pixel$pixel
    printf "P6 8 8 255\n$row$row$row$row$row$row$row$row" >"$1"
}
# pictures FOLDER CLASSES EACH: a folder per class.
pictures() {
    c=0
    while [ $c -lt "$2" ]; do
        mkdir -p "$1/class$c"
        p=0
        while [ $p -lt "$3" ]; do picture "$1/class$c/$p.ppm" $((c * 40)) $((p * 10)) 77; p=$((p + 1)); done
        c=$((c + 1))
    done
}
finish() {
    [ "$failures" -eq 0 ] || exit 1
    exit 0
}
