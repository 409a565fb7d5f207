# The C program of README.md compiles against the shared library and runs; every option that README.md names exists.
. "$LIB"
awk '/^```c$/ {on = 1; next} /^```/ {on = 0} on' "$SOURCE/README.md" >example.c
[ -s example.c ] || complain "README.md has no C program"
$CC ${CFLAGS-} -std=c11 -Wall -Wextra -Werror -I"$SOURCE/include" example.c -L"$BUILD" -ladatom -Wl,-rpath,"$BUILD" ${LDFLAGS-} -o example ||
    complain "it does not compile"
expect 0 '^centroid: ' ./example "$FIXTURE/model.safetensors" builtin:shapes/novel
./example nothing.safetensors builtin:shapes/novel 2>err
same $? 4 "exit code without a model"
grep -q 'nothing.safetensors' err || complain "no message without a model"
for command in devices doctor bench tune data pretrain metatrain episodes reproduce adapt classify features import decompose round export inspect manual completion; do
    "$ADATOM" $command --help
done >help
grep -oE -e '--[a-z][a-z-]+' "$SOURCE/README.md" | sort -u | grep -vxE -e '--(preset|build|install|prefix|cflags|libs)' |
while read -r option; do
    grep -q -e "--\(\[no-\]\)\{0,1\}$(echo "$option" | sed 's/^--//; s/^no-//')" help || echo "$option"
done >unknown
[ ! -s unknown ] || complain "README.md names unknown options: $(tr '\n' ' ' <unknown)"
# What it says about names in checkpoints is what import looks for, in that order.
"$ADATOM" import --list --format json >list.json || complain "import --list"
tr '\n' ' ' <"$SOURCE/README.md" >text
for list in wrappers prefixes; do
    i=0 pattern=
    while [ $i -lt "$(get list.json $list.#)" ]; do
        pattern="$pattern\`$(get list.json $list.$i)\`[^\`]*"
        i=$((i + 1))
    done
    grep -q -e "$pattern" text || complain "README.md has not the $list of import, in their order"
done
finish
