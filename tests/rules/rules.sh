#!/bin/sh
# The rules of ARCHITECTURE.md that a compiler does not check: rules.sh SOURCE [LIBRARY]. Prints each breach; exit 1 if any.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$1" || exit 2
library=${2-}
found=$(mktemp)
trap 'rm -f "$found"' EXIT
breach() { sed "s|^|$1: |" >>"$found"; }

# src/rooms.txt: what a room may include, besides itself and C11's headers; quoted includes name the room (in cli they stay in it).
standard='assert ctype errno float inttypes limits locale math setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib string time'
rooms=$(sed -n 's/^\([a-z]*\) *|.*/\1/p' src/rooms.txt)
cell() { sed -n "s/^$1 *|//p" src/rooms.txt | cut -d'|' -f"$2"; }
for directory in src/*/; do
    room=$(basename "$directory")
    if ! echo "$rooms" | grep -qx "$room"; then
        echo "$directory is no room of src/rooms.txt" | breach "unknown room"
        continue
    fi
    pattern=$room
    for used in $(cell "$room" 1); do
        [ "$used" = shaders ] && used='shaders|spv'
        pattern="$pattern|$used"
    done
    quoted="\"($pattern)/[^\"]*\""
    [ "$room" = cli ] && quoted='"[^/"]*"'
    grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$directory" | grep -vE "$quoted" | breach "include against the arrows"
    pattern='adatom/[a-z]*'
    for header in $standard $(cell "$room" 3); do pattern="$pattern|${header%.h}"; done
    grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' "$directory" | grep -vE "<($pattern)\.h>" |
        breach "include of what src/rooms.txt does not name"
    grep -rnE '#[[:space:]]*include([[:space:]]+[A-Za-z_]|.*\.\./)' "$directory" | breach "include by a way round"
done
# A family of operations has one base name in every room it stands in; both engines have an engine.c and a probe.c; no other two files share one.
families=$(sed -n 's/^AD_FAMILY(\(.*\))$/\1/p' src/plan/ops.def | tr '\n' ' ')
find src -name '*.c' | sed 's|.*/||; s|\.c$||' | sort | uniq -d | while read -r name; do
    case " $families engine probe " in *" $name "*) continue ;; esac
    echo "$(find src -name "$name.c" | tr '\n' ' ')" | breach "two files of one name"
done
if [ -d src/verify/cases ]; then
    for family in $families; do
        for place in src/cpu src/vk/kernels src/verify/reference src/verify/cases; do
            [ -e "$place/$family.c" ] || echo "$family has no file in $place"
        done
        ls shaders/"$family"*.comp >/dev/null 2>&1 || echo "$family has no shader"
    done
    for shader in shaders/*.comp; do
        name=$(basename "$shader" .comp)
        for family in $families probe; do
            case $name in "$family" | "$family"_*) continue 2 ;; esac
        done
        echo "$shader is of no family"
    done
fi | breach "a family is not in every room"
find src/cpu src/vk/kernels src/verify/reference -name '*.c' 2>/dev/null | xargs awk '
    FILENAME ~ /ops\.def$/ {
        if (/^AD_FAMILY\(/) family = substr($0, 11, length($0) - 11)
        if (match($0, /^AD_OP\([A-Z0-9_]+/)) home[substr($0, 7, RLENGTH - 6)] = family
        next
    }
    match($0, /^(const ad_cpu_kernel ad_cpu_kernel_|const ad_vk_lowering ad_vk_lowering_|void ad_reference_)[A-Z0-9_]+/) {
        operation = substr($0, RSTART, RLENGTH)
        sub(/^.*(kernel|lowering|reference)_/, "", operation)
        file = FILENAME
        sub(/^.*\//, "", file)
        if (file != home[operation] ".c") print FILENAME ":" FNR ": " operation " is of " home[operation]
    }' src/plan/ops.def | breach "an operation outside its family's file"
grep -rnE '^[[:space:]]*#[[:space:]]*include' include | grep -vE '<adatom/[a-z]*\.h>|<std[a-z]*\.h>' |
    breach "a public header includes more than public and standard headers"

# The library never prints, exits or reads the environment.
calls='v?d?printf|putw?char|putc|puts|perror|getenv|secure_getenv|setenv|putenv|setlocale|system|raise|_?exit|_Exit|quick_exit|abort|assert'
for room in $rooms; do
    [ "$room" = cli ] && continue
    [ -d "src/$room" ] || continue
    grep -rnE "(^|[^A-Za-z0-9_>.])($calls) *\\(" "src/$room"
    grep -rnwE 'stdout|stderr|environ' "src/$room" | grep -vE '^[^:]*:[0-9]*: *(/\*| \*|//)'
done | breach "the library prints, exits or reads the environment"

# The host program's locale decides nothing: base/locale.c and io/json.c have what is used instead.
letters='strn?casecmp|tolower|toupper|is(alpha|alnum|space|xdigit|upper|lower|print|punct)'
for room in $rooms; do
    [ "$room" = cli ] && continue
    [ -d "src/$room" ] || continue
    grep -rnE "(^|[^A-Za-z0-9_])($letters|strto[dfl]d?|ato[fl]|json_(dump|load)[a-z_]*) *\\(" "src/$room" | grep -v '^src/io/json\.c:'
    grep -rnE '[^_a-z]v?snprintf *\(.*%[-+ #0-9.*]*[aefgAEFG]' "src/$room"
done | breach "depends on the locale"

# One subject a file, nothing left for later.
list_sources() {
    find src include shaders tests tools examples windows -name '*.[ch]' -o -name '*.comp' -o -name '*.glsl' -o -name '*.def' \
        -o -name '*.sh' -o -name '*.awk' 2>/dev/null
}
list_sources | while read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || echo "$file has $lines lines" | breach "over 600 lines"
done
list_code() {
    list_sources | grep -E '\.([ch]|def|comp|glsl)$'
    find CMakeLists.txt cmake examples tests -name CMakeLists.txt -o -name '*.cmake' 2>/dev/null
}
list_code | xargs awk 'length($0) > 120 {print FILENAME ":" FNR ": " length($0) " columns"}' /dev/null | breach "over 120 columns"
list_sources | grep -E '\.([ch]|comp|glsl)$' | xargs awk -f "$here/statements.awk" /dev/null | breach "one statement a line"
list_sources | grep -v '^tests/rules/' | xargs grep -nE 'TODO|FIXME|(^|[^X])XXX([^X]|$)' /dev/null | breach "left for later"

# No global state: nothing writable outside functions. Known and harmless: volk's entry points and the lock around loading them, and the
# text of an error inside stb_image.
instrumented() { objdump -t "$library" | grep -qE '__asan|__gcov|__sanitizer'; }
if [ -n "$library" ] && command -v objdump >/dev/null && ! instrumented; then
    objdump -t "$library" | awk '/^[^ ]*\.o:/ {object = $1}
        NF < 4 || $(NF-2) !~ /^\.(data|bss)(\.|$)/ || $(NF-2) ~ /rel\.ro/ || $NF ~ /^\./ {next}
        object !~ /volk\.c/ && $NF !~ /^(volk_lock|(stbi__parse_png_file\.)?invalid_chunk(\.[0-9]+)?)$/ {print object, $NF}' | breach "global state"
fi

# What tests do to the inside (tests/support/hooks.h) is in the tests, not in what is installed.
if [ -n "$library" ] && command -v nm >/dev/null; then
    nm "$library" 2>/dev/null | grep -E '[ _](ad_test_|ad_vk_test_|fail_countdown)' | breach "a test hook in the library"
fi

cat "$found"
[ ! -s "$found" ]
