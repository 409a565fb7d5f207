# The installed library is found by pkg-config and by CMake, and exports the public names only.
. "$LIB"
cmake --install "$BUILD" --prefix "$work/prefix" >log 2>&1 || complain "install: $(tail -n 1 log)"
library=$(find prefix -name libadatom.so)
nm -D --defined-only "$library" | awk '{print $3}' | grep -v '^adatom_' >others
[ ! -s others ] || complain "exported besides the public names: $(tr '\n' ' ' <others)"
for file in "$library" "$work/prefix/bin/adatom"; do
    ! nm -D "$file" | grep -E 'ad_(vk_)?test_' || complain "a test hook in $file"
    ! nm "$file" | grep -E 'ad_(vk_)?test_|fail_countdown' || complain "a test hook in $file"
done
awk '/^```c$/ {on = 1; next} /^```/ {on = 0} on' "$SOURCE/docs/c-api.md" >example.c
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name adatom.pc)")
export PKG_CONFIG_PATH
$CC ${CFLAGS-} example.c $(pkg-config --cflags --libs adatom) ${LDFLAGS-} -o by_pkg_config || complain "pkg-config"
mkdir project
cp example.c project
cat >project/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(example C)
find_package(adatom 0.1 REQUIRED)
add_executable(example example.c)
target_link_libraries(example PRIVATE adatom::adatom)
CMAKE
cmake -S project -B project/build -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_COMPILER="$CC" -DCMAKE_C_FLAGS="${CFLAGS-}" >log 2>&1 &&
    cmake --build project/build >>log 2>&1 || complain "find_package: $(grep -m 1 -A 3 Error log)"
expect 0 '^centroid: ' env LD_LIBRARY_PATH="$(dirname "$library")" project/build/example "$FIXTURE/model.safetensors" builtin:shapes/novel
finish
