#!/bin/sh
# portability.sh [ARCHITECTURE...]: builds for other processors with Debian's cross compilers and tests under qemu.
#   arm64   library, program and tests; unit tests, kernel check on the CPU engine, basics of tests/e2e, `adatom doctor`
#   armhf   library, program and tests, where size_t has 32 bits; the unit tests of files and models
# Without arguments both. The libraries come from Debian's archive and are unpacked into build-ARCHITECTURE/root: the
# system gets no packages but those of the compiler and of qemu, if they are missing. Takes about half an hour. Ends
# with a line for each architecture; exit code 1 if something failed.
set -eu
cd "$(dirname "$0")/.."
here=$PWD
case ${1-} in -*)
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    [ "$1" = --help ] && exit 0
    exit 2
    ;;
esac
[ $# -gt 0 ] || set -- arm64 armhf
packages="libc6-dev libgomp1 libvulkan-dev libvulkan-volk-dev libstb-dev libjansson-dev libarchive-dev libxxhash-dev libutf8proc-dev
    zlib1g-dev libjpeg-dev libpng-dev libwebp-dev libtiff-dev libheif-dev check"

# The tests of tests/e2e that depend on the processor; the others are about files, and the same everywhere.
basics='adapt|arguments|classify|data|decode|devices|diverged|early|episodes|fixture|grouped|model|names|output|pictures|resume|transfer'

# Makes a folder with the libraries of architecture $1. It has apt's state, too, so that the system's is not touched.
make_root() {
    root=$here/build-$1/root
    [ ! -e "$root/complete" ] || return 0
    rm -rf "$root"
    apt=$root/apt
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    cat >"$apt/apt.conf" <<END
APT::Architecture "$1";
APT::Architectures { "$1"; };
APT::Install-Recommends "false";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
END
    # Only Debian's own sources, since those of others may have nothing for this architecture.
    mkdir "$apt/sources"
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $release main" >"$apt/sources/debian.list"
    cat >>"$apt/apt.conf" <<END
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
END
    # shellcheck disable=SC2086
    APT_CONFIG=$apt/apt.conf sh -c 'apt-get update -qq && apt-get install -y -qq --download-only "$@"' sh $packages >&2 || return 1
    # Packages that no library needs are only there because other packages depend on them.
    for package in "$apt"/cache/archives/*.deb; do
        case ${package##*/} in python3* | libpython3* | dpkg_* | tar_* | media-types_*) continue ;; esac
        dpkg-deb -x "$package" "$root" || return 1
    done
    rm -rf "$apt"
    touch "$root/complete"
}

# Builds for architecture $1 and runs its tests.
try() {
    architecture=$1
    case $architecture in
    arm64) triple=aarch64-linux-gnu processor=aarch64 qemu=qemu-aarch64 compiler=gcc-aarch64-linux-gnu ;;
    armhf) triple=arm-linux-gnueabihf processor=armv7 qemu=qemu-arm compiler=gcc-arm-linux-gnueabihf ;;
    *)
        echo "portability: unknown architecture '$architecture'; known: arm64, armhf" >&2
        return 2
        ;;
    esac
    sh tools/setup.sh "$compiler" qemu-user debian-archive-keyring || return 1
    make_root "$architecture" || return 1
    build=$here/build-$architecture
    cat >"$build/toolchain.cmake" <<END
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $processor)
set(CMAKE_C_COMPILER $triple-gcc)
set(CMAKE_SYSROOT $root)
set(CMAKE_LIBRARY_ARCHITECTURE $triple)
set(CMAKE_FIND_ROOT_PATH $root)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# What the libraries need themselves is not named on the command line.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,$root/usr/lib/$triple:$root/lib/$triple")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-Wl,-rpath-link,$root/usr/lib/$triple:$root/lib/$triple")
set(CMAKE_CROSSCOMPILING_EMULATOR $qemu -L $root)
END
    export PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_LIBDIR="$root/usr/lib/$triple/pkgconfig:$root/usr/share/pkgconfig"
    export VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent
    cmake -G Ninja -S . -B "$build" --toolchain "$build/toolchain.cmake" -DCMAKE_BUILD_TYPE=Release -DADATOM_WERROR=ON || return 1
    cmake --build "$build" || return 1
    export CK_TIMEOUT_MULTIPLIER=30 OMP_NUM_THREADS=2 OMP_WAIT_POLICY="${OMP_WAIT_POLICY-passive}"
    status=0
    case $architecture in
    arm64)
        ctest --test-dir "$build" --parallel "$(nproc)" --no-tests=error --output-on-failure --output-log "$build/tests" \
            --tests-regex "^(unit_.*|kernel_(cpu_.*|checker|half)|e2e_($basics))\$" || status=1
        "$qemu" -L "$root" "$build/adatom" doctor --device cpu --quick --no-cache || status=1
        ;;
    armhf)
        ctest --test-dir "$build" --parallel "$(nproc)" --no-tests=error --output-on-failure --output-log "$build/tests" \
            --tests-regex '^unit_(safetensors|model|write|checkpoint|adapter|transfer|linear_algebra)$' || status=1
        ;;
    esac
    return $status
}

summary= failed=0
for architecture in "$@"; do
    mkdir -p "build-$architecture"
    log=build-$architecture/log
    echo "portability: $architecture ..."
    # In a subshell, so that its exports do not affect the next one.
    if (try "$architecture") >"$log" 2>&1; then verdict=passed; else verdict=FAILED failed=1; fi
    tests=$(sed -n 's/^\([0-9]*% tests passed.*\)/\1/p' "$log" | tail -n 1)
    echo "portability: $architecture $verdict: ${tests:-it did not get to the tests}; see $log"
done
exit $failed
