# The examples build against an installed copy, by CMake's package and by pkg-config, and run.
. "$LIB"
cmake --install "$BUILD" --prefix "$work/prefix" >log 2>&1 || complain "install: $(tail -n 1 log)"
cmake -S "$SOURCE/examples" -B package -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_COMPILER="$CC" -DCMAKE_C_FLAGS="${CFLAGS-}" >log 2>&1 &&
    cmake --build package >log 2>&1 || complain "CMake package: $(tail -n 3 log)"
pc=$(dirname "$(find "$work/prefix" -name adatom.pc)")
flags=$(PKG_CONFIG_PATH=$pc pkg-config --define-variable=prefix="$work/prefix" --cflags --libs adatom) || complain "pkg-config"
mkdir plain
$CC ${CFLAGS-} -std=c11 -Wall -Wextra -Werror "$SOURCE/examples/adapt_and_classify.c" $flags ${LDFLAGS-} -o plain/adapt_and_classify ||
    complain "pkg-config's flags"
libs=$(dirname "$(find "$work/prefix" -name 'libadatom.so' | head -n 1)")
"$SHAPES" few 3 0 3 16 && "$SHAPES" new 3 20 2 16 || complain "no pictures"
for kind in package plain; do
    expect 0 '3 classes, estimated accuracy [0-9.]+ %' env LD_LIBRARY_PATH="$libs" $kind/adapt_and_classify \
        "$FIXTURE/model.safetensors" few adapter new
    same "$(grep -c '^new/.*%)$' out)" 6 "pictures classified"
    LD_LIBRARY_PATH="$libs" $kind/adapt_and_classify nothing.safetensors few adapter new 2>err
    same $? 4 "exit code without a model"
done
expect 0 '^new/' "$ADATOM" classify --model "$FIXTURE/model.safetensors" --adapter adapter new --device cpu
finish
