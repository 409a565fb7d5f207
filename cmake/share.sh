#!/bin/sh
# share.sh BINARY FOLDER: writes manual pages and completions as they lie in share/ of an installation.
set -eu
binary=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder/man/man1" "$folder/bash-completion/completions" "$folder/zsh/site-functions" "$folder/fish/vendor_completions.d"
"$binary" manual adatom >"$folder/man/man1/adatom.1"
"$binary" --help | sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p' | while read -r command; do
    "$binary" manual "$command" >"$folder/man/man1/adatom-$command.1"
done
"$binary" completion bash >"$folder/bash-completion/completions/adatom"
"$binary" completion zsh >"$folder/zsh/site-functions/_adatom"
"$binary" completion fish >"$folder/fish/vendor_completions.d/adatom.fish"
touch "$folder/written"
