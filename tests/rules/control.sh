#!/bin/sh
# Builds a tree that breaks every rule once and expects rules.sh to name each breach.
set -u
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/include/adatom" "$tree/src/vk" "$tree/src/cli" "$tree/src/plan" "$tree/src/attic" "$tree/shaders" "$tree/tests" "$tree/tools"
cp "$(dirname "$1")/../../src/rooms.txt" "$tree/src/rooms.txt"
printf '#include "cpu/cpu.h"\n#include <jansson.h>\n' >"$tree/src/vk/a.c"
echo '#include "plan/plan.h"' >"$tree/src/cli/b.c"
printf '#include "vk/vk.h"\n#include <volk.h>\n' >"$tree/src/plan/c.c"
: >"$tree/src/plan/same.c"
: >"$tree/src/vk/same.c"
echo 'void f(void) { printf("x"); getenv("HOME"); fprintf(stderr, "x"); }' >"$tree/src/plan/d.c"
echo '#include <vulkan/vulkan.h>' >"$tree/include/adatom/e.h"
seq 601 | sed 's|^|// |' >"$tree/src/plan/f.c"
printf '/* TO%s */\n' DO >"$tree/src/plan/h.c"
printf '// %0118d\n' 0 >"$tree/src/plan/i.c"
printf '# %0119d\n' 0 >"$tree/CMakeLists.txt"
printf 'void g(void) { strcasecmp("a", "b"); }\nvoid k(void) { snprintf(b, 9, "%%.3g", 0.5); }\n' >"$tree/src/plan/j.c"
printf 'void f(void) {\n    a = 1, b = 2;\n}\n' >"$tree/src/plan/k.c"
mkdir -p "$tree/src/verify/cases"
: >"$tree/src/verify/cases/conv.c"
: >"$tree/shaders/conv_dx.comp"
: >"$tree/shaders/other.comp"
out=$(sh "$1" "$tree")
status=$?
missing=0
for breach in vk/a.c cli/b.c 'arrows: src/plan/c.c' 'does not name: src/plan/c.c' 'does not name: src/vk/a.c' plan/d.c:1:.*printf plan/d.c:1:.*stderr e.h:1 plan/f.c \
    plan/k.c:2 plan/h.c:1 plan/i.c:1:.*columns CMakeLists.txt:1 plan/j.c:1 plan/j.c:2 src/attic 'one name: src/.*/same.c' \
    'conv has no file in src/cpu' 'pool has no shader' 'shaders/other.comp is of no family'; do
    echo "$out" | grep -q "$breach" || { echo "not reported: $breach"; missing=1; }
done
# And a tree without a breach passes.
rm -rf "$tree/src/attic" "$tree/src/verify" "$tree"/shaders/*.comp "$tree/CMakeLists.txt" "$tree"/src/*/*.c "$tree/include/adatom/e.h"
printf '#include "base/base.h"\n#include "plan/plan.h"\n' >"$tree/src/vk/a.c"
printf '#include "args.h"\n#include <adatom/adatom.h>\n' >"$tree/src/cli/b.c"
clean=$(sh "$1" "$tree") || { echo "a clean tree is refused: $clean"; missing=1; }
[ "$status" -eq 1 ] && [ "$missing" -eq 0 ]
