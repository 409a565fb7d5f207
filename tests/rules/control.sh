#!/bin/sh
# Builds a tree that breaks every rule once and expects rules.sh to name each breach.
set -u
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/include/adatom" "$tree/src/vk" "$tree/src/cli" "$tree/src/nn" "$tree/src/attic" "$tree/shaders" "$tree/tests" "$tree/tools"
echo '#include "cpu/cpu.h"' >"$tree/src/vk/a.c"
echo '#include "nn/plan.h"' >"$tree/src/cli/b.c"
echo '#include "vk/vk.h"' >"$tree/src/nn/c.c"
echo 'void f(void) { printf("x"); getenv("HOME"); fprintf(stderr, "x"); }' >"$tree/src/nn/d.c"
echo '#include <vulkan/vulkan.h>' >"$tree/include/adatom/e.h"
seq 601 | sed 's|^|// |' >"$tree/src/nn/f.c"
printf '/* TO%s */\n' DO >"$tree/src/nn/h.c"
printf '// %0138d\n' 0 >"$tree/src/nn/i.c"
printf '# %0139d\n' 0 >"$tree/CMakeLists.txt"
printf 'void g(void) { strcasecmp("a", "b"); }\nvoid k(void) { snprintf(b, 9, "%%.3g", 0.5); }\n' >"$tree/src/nn/j.c"
out=$(sh "$1" "$tree")
status=$?
missing=0
for breach in vk/a.c cli/b.c nn/c.c nn/d.c:1:.*printf nn/d.c:1:.*stderr e.h:1 nn/f.c nn/h.c:1 nn/i.c:1:.*columns CMakeLists.txt:1 nn/j.c:1 nn/j.c:2 src/attic; do
    echo "$out" | grep -q "$breach" || { echo "not reported: $breach"; missing=1; }
done
# And a tree without a breach passes.
rm -rf "$tree/src/attic" "$tree/CMakeLists.txt" "$tree"/src/*/*.c "$tree/include/adatom/e.h"
printf '#include "base/base.h"\n#include "nn/plan.h"\n' >"$tree/src/vk/a.c"
printf '#include "args.h"\n#include <adatom/adatom.h>\n' >"$tree/src/cli/b.c"
clean=$(sh "$1" "$tree") || { echo "a clean tree is refused: $clean"; missing=1; }
[ "$status" -eq 1 ] && [ "$missing" -eq 0 ]
