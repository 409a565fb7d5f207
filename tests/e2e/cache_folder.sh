# A cache folder in which other users can write is neither read nor written, and a warning tells.
. "$LIB"
pictures data 2 2
"$ADATOM" data info data --cache-dir own >out 2>err || complain "$(cat err)"
same "$(stat -c %a own)" 700 "permissions of a new cache"
ls own | grep -q pictures- || complain "nothing is kept"
mkdir open && chmod 777 open
expect 0 "cache folder 'open' is not used: others may write" "$ADATOM" data info data --cache-dir open
same "$(ls open)" "" "kept where others can write"
finish
