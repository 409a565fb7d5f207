# The parsing of the command line: suggestions, ranges, missing values, help and version.
. "$LIB"
expect 2 'a command is missing' "$ADATOM"
expect 2 "unknown command 'episods'; did you mean 'episodes'\?" "$ADATOM" episods
expect 2 "unknown command 'frobnicate'; 'adatom --help' lists" "$ADATOM" frobnicate
expect 0 '^adatom [0-9]+\.[0-9]+\.[0-9]+$' "$ADATOM" --version
expect 0 'usage: adatom COMMAND' "$ADATOM" --help
expect 0 'usage: adatom COMMAND' "$ADATOM" help
expect 0 'cpu' "$ADATOM" --list-devices
expect 2 "unknown option '--modle'; did you mean '--model'\?" "$ADATOM" episodes --modle x
expect 2 "unknown option '--no-cahce'; did you mean '--no-cache'\?" "$ADATOM" episodes --no-cahce
expect 2 "unknown option '--no-way'" "$ADATOM" episodes --no-way
expect 2 "unknown option '-z'" "$ADATOM" devices -z
expect 2 '--model needs a value' "$ADATOM" episodes --model
expect 2 '--model needs a value' "$ADATOM" episodes --model --data x
expect 2 '--model FILE is missing' "$ADATOM" episodes --data x
expect 2 '--data DATA is missing' "$ADATOM" episodes --model x
expect 2 "--way: 'five' is not a whole number" "$ADATOM" episodes --way five
expect 2 '--way: 1 is outside 2 to' "$ADATOM" episodes --way 1
expect 2 '--tasks: 1e9 is outside' "$ADATOM" episodes --tasks 1e9
expect 2 "--lr: 'nan' is not a number" "$ADATOM" episodes --lr nan
expect 2 "--seed: '-1' is not a number" "$ADATOM" episodes --seed -1
expect 2 '--seed: 18446744073709551616 is too large' "$ADATOM" episodes --seed 18446744073709551616
expect 2 "--memory: '2X' is not a size" "$ADATOM" episodes --memory 2X
expect 2 "--shot: '1,' has an empty part" "$ADATOM" episodes --shot 1,
expect 2 "--shot: '5' is given twice" "$ADATOM" episodes --shot 5,5
expect 2 "--adapt: unknown value 'atom'; did you mean 'atoms'\?" "$ADATOM" episodes --adapt atom
expect 2 "--format: unknown value 'xml'; possible values: table, json, jsonl, csv" "$ADATOM" devices --format xml
expect 2 "--quiet takes no value" "$ADATOM" devices --quiet=yes
expect 2 "unexpected argument 'more'" "$ADATOM" inspect model more
expect 2 'info\|verify is missing: one of info, verify' "$ADATOM" data
expect 2 "unknown value 'verfiy'; did you mean 'verify'\?" "$ADATOM" data verfiy x
# The longest list of names is whole.
expect 0 'usage: adatom import' "$ADATOM" import --help
tr '\n' ' ' <out | tr -s ' ' | grep -q 'conv4, conv6, .*convnext_base (default auto)' || complain "import --help does not name every network"
expect 2 "possible values: auto, .*, convnext_base" "$ADATOM" import x -o y --arch zzzzzzzzzzzz
for command in devices doctor data pretrain metatrain episodes features import decompose round export inspect manual completion; do
    expect 0 "usage: adatom $command" "$ADATOM" "$command" --help
    for option in help quiet version; do grep -q -e "--.*$option" out || complain "$command --help does not name --$option"; done
    [ ! -s err ] || complain "$command --help prints on stderr"
done
finish
