# The C program of docs/c-api.md compiles against the shared library and runs; every option and file that README.md and docs name exist.
. "$LIB"
awk '/^```c$/ {on = 1; next} /^```/ {on = 0} on' "$SOURCE/docs/c-api.md" >example.c
[ -s example.c ] || complain "docs/c-api.md has no C program"
$CC ${CFLAGS-} -std=c11 -Wall -Wextra -Werror -I"$SOURCE/include" example.c -L"$BUILD" -ladatom -Wl,-rpath,"$BUILD" ${LDFLAGS-} -o example ||
    complain "it does not compile"
expect 0 '^centroid: ' ./example "$FIXTURE/model.safetensors" builtin:shapes/novel
./example nothing.safetensors builtin:shapes/novel 2>err
same $? 4 "exit code without a model"
grep -q 'nothing.safetensors' err || complain "no message without a model"
for command in devices doctor bench tune data pretrain metatrain episodes reproduce adapt classify features import decompose round export inspect manual completion; do
    "$ADATOM" $command --help
done >help
texts="$SOURCE/README.md $SOURCE/docs/adapt.md $SOURCE/docs/backbones.md $SOURCE/docs/benchmark.md $SOURCE/docs/episodes.md $SOURCE/docs/faq.md
    $SOURCE/docs/formats.md $SOURCE/docs/install.md $SOURCE/docs/python.md"
grep -ohE -e '--[a-z][a-z-]+' $texts | sort -u | grep -vxE -e '--(preset|build|install|prefix|cflags|libs|summary)' |
while read -r option; do
    grep -q -e "--\(\[no-\]\)\{0,1\}$(echo "$option" | sed 's/^--//; s/^no-//')" help || echo "$option"
done >unknown
[ ! -s unknown ] || complain "README.md and docs name unknown options: $(tr '\n' ' ' <unknown)"
# What it says about names in checkpoints is what import looks for, in that order.
"$ADATOM" import --list --format json >list.json || complain "import --list"
tr '\n' ' ' <"$SOURCE/docs/backbones.md" >text
for list in wrappers prefixes; do
    i=0 pattern=
    while [ $i -lt "$(get list.json $list.#)" ]; do
        pattern="$pattern\`$(get list.json $list.$i)\`[^\`]*"
        i=$((i + 1))
    done
    grep -q -e "$pattern" text || complain "docs/backbones.md has not the $list of import, in their order"
done
# Files that they name are there; README.md is short.
grep -ohE '(docs|models|examples|tools|bench)/[A-Za-z0-9_./-]*[A-Za-z0-9/]' $texts | sort -u | while read -r file; do
    [ -e "$SOURCE/$file" ] || echo "$file"
done >missing
[ ! -s missing ] || complain "README.md and docs name files that are not there: $(tr '\n' ' ' <missing)"
[ "$(wc -l <"$SOURCE/README.md")" -le 150 ] || complain "README.md has more than 150 lines"
finish
