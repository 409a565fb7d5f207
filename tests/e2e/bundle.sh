# The bundle, unpacked in an empty folder, runs without anything of this one but libc and what drivers share.
. "$LIB"
for tool in objdump strip tar; do command -v $tool >/dev/null || exit 77; done
sh "$SOURCE/tools/bundle.sh" "$work/bundle.tar.gz" "$BUILD" >out 2>err || complain "bundle.sh: $(tail -n 1 err)"
tar xzf bundle.tar.gz || complain "the archive cannot be read"
cd adatom-* || exit 1
[ ! -e fallback/libc.so.6 ] && [ ! -e lib/libc.so.6 ] || complain "libc is in the bundle"
find . -name 'libvulkan*' | grep . && complain "the Vulkan loader is in the bundle"
run="env -i PATH=/usr/bin:/bin HOME=$work"
expect 0 ' cpu ' $run ./adatom devices
expect 0 '^fill +loops ' $run ./adatom doctor --device cpu --quick --filter fill
# Every library it names comes from the bundle or is a system library that the start script leaves to the system.
LD_LIBRARY_PATH=$PWD/lib ldd libexec/adatom | grep 'not found' && complain "a library is missing"
$run ./gpu_suite.sh --help 2>&1 | grep -q 'gpu_suite.sh .--device' || complain "gpu_suite.sh --help"
finish
