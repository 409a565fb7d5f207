#!/bin/sh
# control.sh RULES COMPILER: builds a tree that breaks every rule once and expects rules.sh to name each breach.
set -u
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/include/adatom" "$tree/src/attic" "$tree/src/base" "$tree/src/cli" "$tree/src/cpu" "$tree/src/plan" \
    "$tree/src/vk/kernels" "$tree/src/verify/cases" "$tree/shaders" "$tree/tests" "$tree/tools"
root=$(dirname "$1")/../..
cp "$root/src/rooms.txt" "$tree/src/rooms.txt"
cp "$root/src/plan/ops.def" "$tree/src/plan/ops.def"
missing=0
expect() { echo "$out" | grep -qE "$1" || { echo "not reported: $1"; missing=1; }; }

printf '#include "cpu/cpu.h"\n#include <jansson.h>\n' >"$tree/src/vk/a.c"
printf '#include "plan/plan.h"\n#include <adatom/adatom.h>\n' >"$tree/src/cli/b.c"
printf '#include "vk/vk.h"\n#include <volk.h>\n#include "plan/../vk/vk.h"\n# include NAME\n#include "plan.h"\n' >"$tree/src/plan/c.c"
: >"$tree/src/plan/same.c"
: >"$tree/src/vk/same.c"
printf 'void f(void) { printf("x"); }\nvoid g(void) { getenv("HOME"); }\nvoid h(void) { fputs("x", stderr); }\nvoid i(void) { exit(1); }\n' \
    >"$tree/src/plan/d.c"
printf 'void f(void) { assert(1); }\nvoid g(FILE **out) { *out = stdout; }\n' >"$tree/src/base/e.c"
echo '#include <vulkan/vulkan.h>' >"$tree/include/adatom/e.h"
seq 601 | sed 's|^|// |' >"$tree/src/plan/f.c"
printf '/* TO%s */\n' DO >"$tree/src/plan/h.c"
printf '/* FIX%s */\n' ME >"$tree/tools/h.sh"
printf '// %0118d\n' 0 >"$tree/src/plan/i.c"
printf '# %0119d\n' 0 >"$tree/CMakeLists.txt"
printf 'void g(void) { strcasecmp("a", "b"); }\nvoid k(void) { snprintf(b, 9, "%%.3g", 0.5); }\n' >"$tree/src/plan/j.c"
# Statements: lines 2 to 10 are breaches, what follows is none.
cat >"$tree/src/plan/k.c" <<'C'
void f(int a, int b) {
    a = 1, b = 2;
    f(1, 2), f(3, 4);
    (void)a, (void)b;
    if (a) a = 1, b = 2;
    for (;;) a++, b++;
    a = f(a,
          b), b = 3;
    a = 1; b = 2;
    return a, b;
    int c = 1, d[] = {1, 2}, *e; /* c; d, e */
    for (a = 1, b = 2; a < b; a++, b--) f(a, b);
    const pair p = {.a = 1, .b = 2}, q = f(a, "b; c, d");
    switch (a) {
    case 1: f(a, ','); break;
    }
}
C
printf 'const ad_vk_lowering ad_vk_lowering_ADD = {0};\n' >"$tree/src/vk/kernels/conv.c"
: >"$tree/src/verify/cases/conv.c"
: >"$tree/shaders/conv_dx.comp"
: >"$tree/shaders/other.comp"
# A library with writable data outside functions, and with a hook for tests.
library() { # TEXT: its one file
    echo "$1" >"$tree/library.c"
    "$compiler" -c -o "$tree/library.o" "$tree/library.c" && rm -f "$tree/library.a" && ar rc "$tree/library.a" "$tree/library.o" || exit 2
}
compiler=$2
library 'int ad_counted = 3; static int kept; int *ad_kept(void) { return &kept; } void ad_test_hook(void) {}'
out=$(sh "$1" "$tree" "$tree/library.a")
status=$?
expect '^unknown room: src/attic/'
expect '^include against the arrows: src/vk/a\.c:1:'
expect '^include against the arrows: src/cli/b\.c:1:'
expect '^include against the arrows: src/plan/c\.c:1:'
expect '^include against the arrows: src/plan/c\.c:5:'
expect '^include of what src/rooms.txt does not name: src/vk/a\.c:2:'
expect '^include of what src/rooms.txt does not name: src/plan/c\.c:2:'
expect '^include by a way round: src/plan/c\.c:3:'
expect '^include by a way round: src/plan/c\.c:4:'
expect '^two files of one name: src/.*/same\.c '
expect '^a family is not in every room: conv has no file in src/cpu'
expect '^a family is not in every room: pool has no shader'
expect '^a family is not in every room: shaders/other\.comp is of no family'
expect "^an operation outside its family's file: src/vk/kernels/conv\.c:1: ADD is of elementwise"
expect '^a public header includes more .*: include/adatom/e\.h:1:'
for line in 1 2 3 4; do expect "^the library prints, .*: src/plan/d\.c:$line:"; done
for line in 1 2; do expect "^the library prints, .*: src/base/e\.c:$line:"; done
expect '^depends on the locale: src/plan/j\.c:1:'
expect '^depends on the locale: src/plan/j\.c:2:'
expect '^over 600 lines: src/plan/f\.c has 601 lines'
expect '^over 120 columns: src/plan/i\.c:1: 121 columns'
expect '^over 120 columns: CMakeLists\.txt:1: 121 columns'
for line in 2 3 4 5 6 8 9 10; do expect "^one statement a line: src/plan/k\.c:$line:"; done
echo "$out" | grep -qE '^one statement a line: src/plan/k\.c:1[1-9]:' && { echo "sound statements are refused: $out"; missing=1; }
expect '^left for later: src/plan/h\.c:1:'
expect '^left for later: tools/h\.sh:1:'
if command -v objdump >/dev/null; then
    expect '^global state: library\.o: ad_counted'
    expect '^global state: library\.o: kept'
fi
expect '^a test hook in the library: .* ad_test_hook'

# And a tree without a breach passes.
rm -rf "$tree/src/attic" "$tree/src/verify" "$tree"/shaders/*.comp "$tree/CMakeLists.txt" "$tree/tools/h.sh" "$tree/include/adatom/e.h"
find "$tree/src" -name '*.c' -exec rm {} +
printf '#include "base/base.h"\n#include "plan/plan.h"\n#include <volk.h>\n' >"$tree/src/vk/a.c"
printf '#include "args.h"\n#include <adatom/adatom.h>\n' >"$tree/src/cli/b.c"
library 'const int ad_constant = 3; int ad_twice(int x) { return 2 * x; }'
clean=$(sh "$1" "$tree" "$tree/library.a") || { echo "a clean tree is refused: $clean"; missing=1; }
[ "$status" -eq 1 ] && [ "$missing" -eq 0 ]
