# Merging and drawing results of bench with very many cases takes a time that grows in proportion to their size.
. "$LIB"
awk 'BEGIN {
    printf "{\"command\":\"bench\",\"results\":["
    for (i = 0; i < 6000; i++)
        printf "%s{\"name\":\"adapt/a%d/t%d/5w\",\"status\":\"ok\",\"min_ns\":%d,\"value\":1,\"unit\":\"x\"}", i ? "," : "", i % 50, i, i + 1
    print "]}"
}' >many.json
timeout 20 "$ADATOM" bench --merge many.json many.json --format json >out 2>err || complain "merge: $? $(tail -n 1 err)"
same "$(get out results.#)" 6000 "merged rows"
timeout 20 "$ADATOM" bench --merge many.json many.json --plot many.svg >out 2>err || complain "plot: $? $(tail -n 1 err)"
same "$(grep -c '<path fill=.none. stroke' many.svg)" 100 "curves" # 50 names in each of two files
# Rows that are not objects, and files that are too long, are refused and not ignored.
echo '{"command":"bench","results":[{"name":"a","status":"ok","value":1,"unit":"x"},1]}' >number.json
expect 4 'number.json: results\[1\] is not an object with a name' "$ADATOM" bench --merge number.json
{ echo '{"command":"bench","results":['; head -c 34000000 /dev/zero | tr '\0' ' '; echo ']}'; } >long.json
expect 4 'long.json: over 32 MiB' "$ADATOM" bench --merge long.json
rm long.json
# Names from files do not steer the terminal.
printf '{"command":"bench","device":{"name":"evil\\u001b[2J"},"results":[{"name":"a\\u001b[31m","status":"ok","value":1,"unit":"x"}]}' >evil.json
expect 0 'a\\x1b\[31m' "$ADATOM" bench --merge evil.json
grep -q "$(printf '\033')" out && complain "an escape sequence in the table"
finish
