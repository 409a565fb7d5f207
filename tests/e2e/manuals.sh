# Manual pages and completions follow the tables of options. mandoc and the shells judge them where they are installed; under
# CI they are.
. "$LIB"
commands=$("$ADATOM" --help | sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 17 ] || complain "commands: $commands"
for command in adatom $commands; do
    "$ADATOM" manual $command >$command.1 || complain "manual $command"
    [ $command = adatom ] && continue
    "$ADATOM" $command --help | grep -oE -e '--(\[no-\])?[a-z][a-z-]*' | sort -u | while read -r option; do
        grep -qE -e "^\.It .*Fl $(echo "$option" | sed 's/^-//; s/\[/\\[/; s/\]/\\]/')( |$)" $command.1 || echo "$command $option"
    done >missing
    # what --help says in passing, of other commands' options
    while read -r command option; do "$ADATOM" "$command" --help | grep -qE -e "^ +(-., )?$(echo "$option" | sed 's/\[/\\[/; s/\]/\\]/')( |$)" && complain "$command.1 lacks $option"; done <missing
done
expect 2 "did you mean 'adapt'" "$ADATOM" manual adpt
expect 2 'one of bash, zsh, fish' "$ADATOM" completion
if command -v mandoc >/dev/null; then
    for page in *.1; do mandoc -Tlint "$page" | grep -v 'referenced manual not found' >lint && complain "$page: $(head -n 1 lint)"; done
    mandoc -Tutf8 adapt.1 | col -b >page
    grep -q 'adatom adapt --model FILE' page && grep -q 'Possible values: auto, centroid' page || complain "adapt.1 as text: $(head -n 20 page)"
elif [ -n "${CI-}" ]; then
    complain "mandoc is missing"
fi
for shell in bash zsh fish; do
    "$ADATOM" completion $shell >completion.$shell || complain "completion $shell"
    if command -v $shell >/dev/null; then
        $shell -n completion.$shell || complain "$shell cannot read its completion"
    elif [ -n "${CI-}" ]; then
        complain "$shell is missing"
    fi
done
mkdir bin pictures
ln -s "$ADATOM" bin/adatom
PATH=$PWD/bin:$PATH
# bash_completes EXPECTED WORD...
bash_completes() {
    expected=$1
    shift
    same "$(bash -c '. ./completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _adatom; echo "${COMPREPLY[*]}"' - "$@")" \
        "$expected" "bash: $*"
}
fish_completes() { same "$(HOME=$work fish -c "source completion.fish; complete -C '$2'" | cut -f 1 | tr '\n' ' ')" "$1 " "fish: $2"; }
if command -v bash >/dev/null; then
    bash_completes adapt adatom ada
    bash_completes "--adapt --adapter-scale" adatom adapt --ada
    bash_completes "atoms atoms+norm" adatom adapt --adapt ato
    bash_completes "atoms,head" adatom episodes --adapt atoms,he
    bash_completes "verify" adatom data v
    bash_completes "pictures" adatom adapt --images pic
    bash_completes "" adatom adapt --steps 1
    bash_completes "--no-mirror" adatom adapt --no-mi
fi
if command -v fish >/dev/null; then
    fish_completes "adapt" "adatom ada"
    fish_completes "--adapt --adapter-scale" "adatom adapt --ada"
    fish_completes "atoms atoms+norm" "adatom adapt --adapt ato"
    fish_completes "atoms,head" "adatom episodes --adapt atoms,he"
    fish_completes "verify" "adatom data v"
    fish_completes "pictures/" "adatom adapt --images pic"
fi
# Installed, they are where man and the shells look.
cmake --install "$BUILD" --prefix "$work/prefix" >log 2>&1 || complain "install: $(tail -n 1 log)"
for file in man/man1/adatom.1 man/man1/adatom-adapt.1 bash-completion/completions/adatom zsh/site-functions/_adatom fish/vendor_completions.d/adatom.fish; do
    [ -s prefix/share/$file ] || complain "no share/$file"
done
same "$(ls prefix/share/man/man1 | wc -l | tr -d ' ')" "$(ls ./*.1 | wc -l | tr -d ' ')" "installed pages"
finish
