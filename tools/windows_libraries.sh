#!/bin/sh
# windows_libraries.sh FOLDER: cross-builds the libraries that Adatom needs on Windows from the sources of this system's
# distribution, statically, with mingw-w64, into FOLDER (lib, include, licences). What is built is kept: only a library of
# which the distribution has another version, or which is built otherwise now, is built again. The system's list of
# package sources stays as it is.
set -eu
cd "$(dirname "$0")/.."
toolchain=$PWD/cmake/mingw-w64.cmake
mkdir -p "$1"
folder=$(readlink -f "$1")
sh tools/setup.sh gcc-mingw-w64-x86-64-posix g++-mingw-w64-x86-64-posix dpkg-dev nasm make
mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/sources" "$folder/stamps" \
    "$folder/include" "$folder/lib/pkgconfig" "$folder/bin" "$folder/licences"

# The distribution's own lists, of sources instead of packages.
parts=$folder/apt/parts
rm -rf "$parts" && mkdir "$parts"
for list in debian ubuntu; do
    if [ -f "/etc/apt/sources.list.d/$list.sources" ]; then
        sed 's/^Types:.*/Types: deb-src/' "/etc/apt/sources.list.d/$list.sources" >"$parts/$list.sources"
    fi
done
if [ -f /etc/apt/sources.list ]; then sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$parts/older.list"; fi
cat >"$folder/apt/apt.conf" <<END
Dir::Etc::sourcelist "-";
Dir::Etc::sourceparts "$parts";
Dir::State::lists "$folder/apt/lists";
Dir::Cache "$folder/apt/cache";
APT::Sandbox::User "";
END
export APT_CONFIG="$folder/apt/apt.conf"
apt-get update -qq >&2

# Unpacks a source package: $source is its folder then, $version its version. Where a mirror lacks the newest version,
# the one before it is taken.
unpack() {
    for version in $(apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -Vr | uniq); do
        source=$folder/sources/$1
        if [ "$(cat "$source/.version" 2>/dev/null)" = "$version" ]; then return; fi
        rm -rf "$source" "$folder/sources/$1.download"
        mkdir "$folder/sources/$1.download"
        if (cd "$folder/sources/$1.download" && apt-get source -qq "$1=$version") >"$folder/log" 2>&1; then
            mv "$folder/sources/$1.download"/*/ "$source"
            rm -rf "$folder/sources/$1.download"
            printf '%s\n' "$version" >"$source/.version"
            cp "$source/debian/copyright" "$folder/licences/$1"
            return
        fi
        echo "windows: the source package $1 $version cannot be fetched" >&2
    done
    cat "$folder/log" >&2
    exit 1
}

# build PACKAGE COMMAND...: runs the command in the package's source folder unless the same has been done.
build() {
    package=$1
    shift
    unpack "$package"
    { printf '%s %s\n' "$version" "$*" && sed -n "/^$1() {/,/^}/p" tools/windows_libraries.sh; } >"$folder/wanted"
    cmp -s "$folder/wanted" "$folder/stamps/$package" && return
    echo "windows: building $package $version" >&2
    (cd "$source" && "$@") >"$folder/log" 2>&1 || {
        tail -n 30 "$folder/log" >&2
        echo "windows: $package cannot be built" >&2
        exit 1
    }
    mv "$folder/wanted" "$folder/stamps/$package"
}

# with_cmake SUBFOLDER OPTION...: for build.
with_cmake() {
    rm -rf build-windows
    cmake -S "$1" -B build-windows -G Ninja -DCMAKE_TOOLCHAIN_FILE="$toolchain" -DADATOM_WINDOWS_LIBRARIES="$folder" \
        -DCMAKE_PREFIX_PATH="$folder" -DCMAKE_INSTALL_PREFIX="$folder" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_BUILD_TYPE=Release \
        -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF "$@" || return
    cmake --build build-windows -j "$(nproc)" || return
    cmake --install build-windows
}

cross=x86_64-w64-mingw32
# Debian leaves zlib's own files for Windows out.
with_zlib() {
    CC=$cross-gcc-posix AR=$cross-ar RANLIB=$cross-ranlib ./configure --static --uname=Linux --prefix="$folder" &&
        make libz.a && make install
}
with_bzip2() {
    make CC=$cross-gcc-posix AR=$cross-ar RANLIB=$cross-ranlib libbz2.a &&
        cp libbz2.a "$folder/lib/" && cp bzlib.h "$folder/include/"
}
with_xz() {
    with_cmake . || return
    # Which its own rules leave out in some versions.
    [ -f "$folder/lib/pkgconfig/liblzma.pc" ] ||
        printf 'Name: liblzma\nDescription: xz\nVersion: %s\nCflags: -I%s -DLZMA_API_STATIC\nLibs: -L%s -llzma\n' "${version%%[-+]*}" \
            "$folder/include" "$folder/lib" >"$folder/lib/pkgconfig/liblzma.pc"
}
with_xxhash() {
    cp xxhash.h "$folder/include/" && cp debian/copyright "$folder/licences/xxhash" &&
        printf 'Name: xxhash\nDescription: header only\nVersion: %s\nCflags: -I%s\n' "${version%%-*}" "$folder/include" \
            >"$folder/lib/pkgconfig/libxxhash.pc"
}
with_libarchive() {
    with_cmake "$@" && mv "$folder/lib/libarchive_static.a" "$folder/lib/libarchive.a" && rm "$folder/lib/libarchive.dll.a"
}
with_check() {
    with_cmake "$@" && sed -i 's/-lcheck_pic/-lcheck/' "$folder/lib/pkgconfig/check.pc"
}

# What is the same on every system.
cp -r /usr/include/vulkan /usr/include/vk_video /usr/include/volk.c /usr/include/volk.h /usr/include/stb "$folder/include/"

build zlib with_zlib
build bzip2 with_bzip2
build xz-utils with_xz
build libzstd with_cmake build/cmake -DZSTD_BUILD_PROGRAMS=OFF -DZSTD_BUILD_SHARED=OFF
build jansson with_cmake . -DJANSSON_BUILD_DOCS=OFF -DJANSSON_WITHOUT_TESTS=ON -DJANSSON_EXAMPLES=OFF
build xxhash with_xxhash
build utf8proc with_cmake .
# Its own rule for the folder of libraries takes an untyped one to be in the folder of sources.
build libjpeg-turbo with_cmake . -DCMAKE_INSTALL_LIBDIR:STRING=lib -DENABLE_SHARED=OFF -DWITH_TURBOJPEG=OFF
build libpng1.6 with_cmake . -DPNG_SHARED=OFF -DPNG_TESTS=OFF
build libwebp with_cmake . -DWEBP_BUILD_ANIM_UTILS=OFF -DWEBP_BUILD_CWEBP=OFF -DWEBP_BUILD_DWEBP=OFF -DWEBP_BUILD_GIF2WEBP=OFF \
    -DWEBP_BUILD_IMG2WEBP=OFF -DWEBP_BUILD_VWEBP=OFF -DWEBP_BUILD_WEBPINFO=OFF -DWEBP_BUILD_WEBPMUX=OFF -DWEBP_BUILD_EXTRAS=OFF
build tiff with_cmake . -Djpeg=ON -Djbig=OFF -Dlerc=OFF -Dlibdeflate=OFF -Dold-jpeg=OFF -Dcxx=OFF -Dtiff-tools=OFF \
    -Dtiff-tests=OFF -Dtiff-contrib=OFF -Dtiff-docs=OFF
# The first two answer what it could only find out by running a program.
build libarchive with_libarchive . -DZLIB_WINAPI=OFF "-DZLIB_WINAPI_WITH_LIB=$folder/lib/libz.a" -DCMAKE_C_FLAGS=-DLZMA_API_STATIC \
    -DENABLE_TEST=OFF -DENABLE_TAR=OFF -DENABLE_CPIO=OFF -DENABLE_CAT=OFF -DENABLE_OPENSSL=OFF -DENABLE_NETTLE=OFF \
    -DENABLE_LIBXML2=OFF -DENABLE_EXPAT=OFF -DENABLE_PCREPOSIX=OFF -DENABLE_LIBB2=OFF -DENABLE_LZ4=OFF -DENABLE_ICONV=OFF \
    -DENABLE_WERROR=OFF
build check with_check . -DCHECK_ENABLE_TESTS=OFF -DENABLE_SUBUNIT=OFF
