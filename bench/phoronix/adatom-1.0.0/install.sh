#!/bin/sh
# Makes adatom-bench in the folder it is called in, as Phoronix Test Suite does. By default Adatom is built from the
# source tree that this profile lies in, or is linked from; ADATOM_SOURCE names another tree, ADATOM a program that is
# installed already.
set -eu
trap 'echo $? >install-exit-status' EXIT
here=$(dirname "$(readlink -f "$0")")
source=${ADATOM_SOURCE:-$here/../../..}
program=${ADATOM:-}
if [ -z "$program" ]; then
    if [ ! -f "$source/include/adatom/adatom.h" ]; then
        echo "install: there is no source tree of Adatom at $source: link the profile's folder from one, or set ADATOM_SOURCE to" \
            "one, or ADATOM to an installed program" >&2
        exit 2
    fi
    cmake -S "$source" -B build -DCMAKE_BUILD_TYPE=Release -DADATOM_TESTS=OFF
    cmake --build build --target adatom -j "${NUM_CPU_CORES:-2}"
    program=$PWD/build/adatom
fi
ln -sf "$program" adatom
cat >adatom-bench <<'SCRIPT'
#!/bin/sh
# LOG_FILE and HOME are set by Phoronix Test Suite.
"$(dirname "$0")/adatom" bench --suite quick --plain --quiet "$@" >"$LOG_FILE" 2>&1
echo $? >"$HOME/test-exit-status"
SCRIPT
chmod +x adatom-bench
./adatom --version
