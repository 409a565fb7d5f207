# The bundle, unpacked in an empty folder, runs without any library of this system but libc and those that it shares
# with drivers.
. "$LIB"
for tool in objdump strip tar python3 gzip bzip2 xz zstd; do command -v $tool >/dev/null || exit 77; done
case $(ldd "$ADATOM" 2>/dev/null) in *libasan* | *libtsan*) exit 77 ;; esac # only a build for users is bundled
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
# It is small, and has the licences that its libraries ask for, of those that are linked statically, too.
bytes=$(find . -type f -printf '%s\n' | awk '{sum += $1} END {print sum}')
[ "$bytes" -le 20000000 ] || complain "the bundle takes $bytes bytes, unpacked"
[ -s README.md ] && [ -s docs/adapt.md ] || complain "its documentation is missing"
[ -s licences/libarchive-dev ] && [ -s licences/libjansson4 ] || complain "licences are missing"
LD_LIBRARY_PATH=$PWD/lib ldd libexec/adatom | grep -E 'libarchive|libxml2|libicu|blas|lapack' &&
    complain "a library that is not needed"
# Archives of every kind that is read, without a library of this system but libc and what drivers share.
pictures set 2 2
pack() { python3 -c "import shutil; shutil.make_archive('set', '$1', '.', 'set')"; }
pack tar && gzip -k set.tar && bzip2 -k set.tar && xz -k set.tar && zstd -q set.tar && pack zip || complain "packing"
for archive in set.tar set.tar.gz set.tar.bz2 set.tar.xz set.tar.zst set.zip; do
    expect 0 'images +4 ' $run ./adatom data info "$PWD/$archive" --size 16 --no-cache
done
$run ./gpu_suite.sh --help 2>&1 | grep -q 'gpu_suite.sh .--device' || complain "gpu_suite.sh --help"
finish
