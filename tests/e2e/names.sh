# Names from files, archives and the command line: nothing in them steers the terminal, and files and JSON keep them as
# they are.
. "$LIB"
escape=$(printf '\033') bell=$(printf '\007') csi=$(printf '\302\233') turn=$(printf '\342\200\256')
# clean FILE: no control character but the line's end, none of C1, no bidirectional override.
clean() {
    LC_ALL=C tr -d '\n' <"$1" | LC_ALL=C grep -q "[[:cntrl:]]" && complain "$2: a control character"
    LC_ALL=C grep -q -e "$csi" -e "$turn" "$1" && complain "$2: a harmful character"
}
evil="b$escape]0;PWNED$bell$escape[31m${csi}31m$turn"
pictures data 1 3
mkdir "data/$evil" "data/two
lines"
for name in "$evil" "two
lines"; do
    picture "data/$name/1.ppm" 1 2 3
    picture "data/$name/2.ppm" 3 2 1
done
tar cf data.tar data
for set in data data.tar; do
    expect 0 'b\\x1b\]0;PWNED\\x07\\x1b\[31m\\u\{9b\}31m\\u\{202e\}' "$ADATOM" data info $set --no-cache
    clean out "data info $set"
    grep -q 'two\\x0alines' out || complain "no line break is shown as \\x0a"
    same "$(grep -c . out)" 9 "lines of data info $set"
done
"$ADATOM" data info data --no-cache --format csv >out
grep -q "$escape" out || complain "CSV in a file is not as it is"
"$ADATOM" data info data --no-cache --format json >out
grep -qi 'u001b' out || complain "JSON does not hold the name"
# The same holds for problems, warnings and the last sentence.
printf x >"data/$evil/broken.png"
expect 4 'PWNED' "$ADATOM" data verify data --least 1
clean out "data verify"
clean err "data verify's messages"
expect 4 'PWNED' "$ADATOM" data info "no$evil"
clean err "a file that is not there"
expect 2 'PWNED' "$ADATOM" "--$evil"
clean err "an unknown option"
expect 2 'PWNED' "$ADATOM" "$evil"
clean err "an unknown command"
rm "data/$evil/broken.png"
"$ADATOM" adapt --model "$FIXTURE/model.safetensors" --images data --adapt centroid --estimate none --output "a$evil" --device cpu --no-cache \
    >out 2>err || complain "adapt: $(tail -n 1 err)"
clean out "adapt's report"
clean err "adapt's messages"
cp "data/$evil/1.ppm" "$evil.ppm"
"$ADATOM" classify "$evil.ppm" --model "$FIXTURE/model.safetensors" --adapter "a$evil" --device cpu >out 2>err || complain "classify: $(tail -n 1 err)"
clean out "classify's table"
clean err "classify's messages"
# What goes to a terminal is escaped in every form, and escaped JSON has the same meaning.
if command -v script >/dev/null; then
    for form in table csv jsonl; do
        script -qec "'$ADATOM' data info data --no-cache -o $form --quiet" /dev/null </dev/null 2>/dev/null | tr -d '\r' >shown
        grep -q 'PWNED' shown || complain "nothing on a terminal as $form"
        clean shown "$form on a terminal"
    done
    script -qec "'$ADATOM' data info data --no-cache --format json --quiet" /dev/null </dev/null 2>/dev/null | tr -d '\r' >shown
    clean shown "JSON on a terminal"
    "$ADATOM" data info data --no-cache --format json >out
    same "$(get shown classes.1.class)" "$(get out classes.1.class)" "a class on a terminal and in a file"
fi
# Wide characters take two columns, marks none, so that the table's columns are aligned.
mkdir wide wide/日本 wide/abcd "wide/$(printf 'e\314\201e\314\201xx')"
for name in wide/*; do picture "$name/1.ppm" 1 2 3; done
"$ADATOM" data info wide --no-cache >out 2>err
same "$(grep 日本 out)" "日本        1" "a wide name"
same "$(grep abcd out)" "abcd        1" "a narrow name"
grep -q "xx        1$" out || complain "a name with marks"
finish
