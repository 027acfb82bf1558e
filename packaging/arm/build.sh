#!/usr/bin/env bash
# Cross-builds wakegate for aarch64 and armv7 and runs its tests under qemu-user: see README.md.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: packaging/arm/build.sh [--work DIR] [--no-tests] [--deb] [--stale] [aarch64] [armv7]
       packaging/arm/build.sh [--work DIR] --run aarch64|armv7 COMMAND...

Builds the binary for each processor named (default: both) into DIR/out/, then runs the tests.
Run it as root, from anywhere. A second run goes on from what DIR holds. --run gives a command,
for instance bash, in the tree where all this happens; ARM programs just run there.

  --work DIR   folder for the two Debian trees, the crates and the builds [default: target/arm]
  --no-tests   build only, in the release's own profile, whose last step is slow; with tests a
               quicker one is taken
  --deb        also make the Debian package, install it in a tree of the processor's own, and judge
               the recordings of data/ there
  --stale      take a Debian mirror whose signed lists are past their date (they stay verified)

Needs Debian or Ubuntu on x86_64 with Linux 6.7 or newer, 9 GB of disk, and Debian's archive and
crates.io. Environment: MIRROR [default: http://deb.debian.org/debian], CARGO_BUILD_JOBS.
TEXT
}

# Debian 12 is what Raspberry Pi OS 12 is made from: its C library and ALSA are the oldest that the
# binary meets. Its Rust is too old, so the compiler is sid's, run from a tree of its own.
BASE=bookworm
RUST=sid
BASE_PACKAGES=(ca-certificates gcc libc6-dev pkgconf libasound2-data
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross libasound2-dev:arm64
    gcc-arm-linux-gnueabihf libc6-dev-armhf-cross libasound2-dev:armhf
    qemu-user qemu-user-static dpkg-dev e2fsprogs flac mosquitto procps systemd)
RUST_PACKAGES=(rustc cargo libstd-rust-dev:arm64 libstd-rust-dev:armhf)
# What a step and a verifier call run: as fast as in the release. The rest is built quickly.
FAST=(wakegate wakegate-lab tract-core tract-data tract-linalg ndarray matrixmultiply
    rustfft realfft num-complex libm)

# What is built and tested: everything but the Python package, which is for an interpreter that the tree has not. The
# same for the binary as for the tests, as another selection would compile dependencies anew.
OURS=(--package wakegate --package wakegate-lab --package wakegate-cli)

# Tests that say nothing of the processor here, by any part of their names.
LEFT_OUT=(
    # Compares the errors of the compiler, which runs on the host.
    what_goes_around_the_gate_does_not_compile
    # Looks at the memory of its process, which is qemu's.
    memory_stays_flat
)

triple() {
    case $1 in
    aarch64) echo aarch64-unknown-linux-gnu ;;
    armv7) echo armv7-unknown-linux-gnueabihf ;;
    *) return 1 ;;
    esac
}

# The processor's name in Debian.
debian() {
    case $1 in
    aarch64) echo arm64 ;;
    armv7) echo armhf ;;
    esac
}

# ---- on the machine -------------------------------------------------------------------------

tree() { # FOLDER SUITE ARCHITECTURES PACKAGE...
    local folder=$1 suite=$2 architectures=$3
    shift 3
    [ -e "$folder.ready" ] && return
    rm -rf --one-file-system "$folder"
    local options=(--mode=root --variant=apt "--architectures=$architectures"
        '--aptopt=APT::Install-Recommends "false"')
    [ "$stale" = yes ] && options+=('--aptopt=Acquire::Check-Valid-Until "false"')
    mmdebstrap "${options[@]}" --include="$(IFS=,; echo "$*")" \
        "$suite" "$folder" "${MIRROR:-http://deb.debian.org/debian}"
    touch "$folder.ready"
}

prepare() {
    # mmdebstrap asks arch-test whether programs of another processor run, for the tree that the package is installed in.
    # It only recommends it, and would say so when everything is compiled.
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    if ! command -v mmdebstrap >/dev/null || ! command -v arch-test >/dev/null || [ ! -e "$keys" ]; then
        apt-get update -qq
        apt-get install -y -qq mmdebstrap arch-test debian-archive-keyring
    fi
    mkdir -p "$work"/{cargo,build,out}
    tree "$work/base" "$BASE" amd64,arm64,armhf "${BASE_PACKAGES[@]}"
    tree "$work/rust" "$RUST" amd64,arm64,armhf "${RUST_PACKAGES[@]}"
    mkdir -p "$work"/base/{src,rust,made}
    local tool file
    for tool in cargo rustc rustdoc; do
        # sid's programs with sid's C library, in a tree that has an older one. Whole or not at all:
        # another run of this script may be using them.
        file=$work/base/usr/local/bin/$tool
        cat >"$file.new" <<TEXT
#!/bin/sh
lib=/rust/usr/lib/x86_64-linux-gnu
exec \$lib/ld-linux-x86-64.so.2 --argv0 $tool --library-path \$lib /rust/usr/bin/$tool "\$@"
TEXT
        chmod 755 "$file.new"
        mv "$file.new" "$file"
    done
}

# Runs this script's other half in the base tree. Its mounts, and the kernel's list of foreign
# programs, are those of a user namespace: nothing is left on the machine.
enter() {
    unshare --user --mount sleep infinity &
    local holder=$! status=0 map
    until [ "$(readlink "/proc/$holder/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; do sleep 0.1; done
    for map in uid_map gid_map; do echo "0 0 65536" >"/proc/$holder/$map"; done
    nsenter --target "$holder" --user --mount \
        "$root/packaging/arm/build.sh" --inside "$work" "$@" || status=$?
    kill "$holder"
    return "$status"
}

# ---- inside ---------------------------------------------------------------------------------

mounts() {
    local base=$1/base
    mount --rbind "$base" "$base"
    mount --rbind /proc "$base/proc"
    mount --rbind /dev "$base/dev"
    mount --bind "$root" "$base/src"
    mount --bind "$1/rust" "$base/rust"
    mount --bind "$1" "$base/made"
    local file
    for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
        [ -e "$file" ] || continue
        touch "$base$file"
        mount --bind "$(readlink -f "$file")" "$base$file"
    done
    mount -t binfmt_misc none "$base/proc/sys/fs/binfmt_misc" 2>/dev/null ||
        echo "warning: ARM programs will not run: expected Linux 6.7 or newer, whose user" \
            "namespaces have their own binfmt_misc (hint: --no-tests)" >&2
}

# The first bytes of an ARM program, as Debian's qemu-user-binfmt has them.
register() { # NAME MACHINE CLASS QEMU FLAGS
    local magic="\\x7fELF\\x0$3\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x$2\\x00"
    local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    local folder=/proc/sys/fs/binfmt_misc
    [ ! -e "$folder/register" ] || [ -e "$folder/qemu-$1" ] ||
        echo ":qemu-$1:M::$magic:$mask:$4:$5" >"$folder/register"
}

settings() { # PROCESSOR
    export target
    target=$(triple "$1")
    local gnu=${target/-unknown/} upper
    gnu=${gnu/armv7/arm} upper=${target//-/_}
    export PATH=/usr/local/bin:/usr/bin:/usr/sbin HOME=/root
    export CARGO_HOME=/made/cargo CARGO_TARGET_DIR=/made/build CARGO=/usr/local/bin/cargo
    export "CARGO_TARGET_${upper^^}_LINKER=$gnu-gcc"
    export PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_LIBDIR=/usr/lib/$gnu/pkgconfig
    export CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt
    if [ "$with_tests" = yes ]; then
        # The release profile without its slow last step, as some 50 test programs are linked.
        export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
        export CARGO_PROFILE_RELEASE_OPT_LEVEL=1
    fi
    unset RUSTC RUSTFLAGS ORT_DYLIB_PATH
}

# cargo [--config SETTING]... COMMAND..., with the profile of all that is built here: that of the
# release where nothing is tested, as that is what people get. Settings come
# before the command: those after it would not be added to the others but replace them.
compile() {
    if [ "$with_tests" = no ]; then
        cargo "$@"
        return
    fi
    local fast=(--config 'profile.release.package."*".opt-level=1') name
    for name in "${FAST[@]}"; do fast+=(--config "profile.release.package.$name.opt-level=3"); done
    cargo "${fast[@]}" "$@"
}

build() {
    compile build --locked "${OURS[@]}" --release --target "$target" --bin wakegate
    install -D "/made/build/$target/release/wakegate" "/made/out/$target/wakegate"
}

# wakegate's own code is checked as in a debug build, as is the crate that catches allocations and
# is empty in a release; the others are those of the binary. All that
# the tests said, with what those said that skipped themselves, is in out/TARGET/tests.
tests() {
    local skip=() checked=() name status=0 said=/made/out/$target/tests
    for name in "${LEFT_OUT[@]}"; do skip+=(--skip "$name"); done
    for name in wakegate wakegate-lab wakegate-cli; do
        checked+=(--config "profile.release.package.$name.overflow-checks=true"
            --config "profile.release.package.$name.debug-assertions=true")
    done
    compile "${checked[@]}" --config 'profile.release.package.assert_no_alloc.debug-assertions=true' \
        test --locked "${OURS[@]}" --release --target "$target" --no-fail-fast \
        --lib --bins --tests -- --show-output "${skip[@]}" 2>&1 | tee "$said" |
        grep --line-buffered -E '^ +(Compiling|Finished|Running) |^test |^skipped: |^error' || status=$?
    awk '/^test result: / { programs++; passed += $4; failed += $6; ignored += $8 }
        /^skipped: / { skipped++ }
        END { printf "%d test programs: %d passed (%d of them skipped themselves), %d failed, %d ignored\n",
            programs, passed, skipped, failed, ignored }' "$said"
    return "$status"
}

run() {
    "$@"
}

# The package of what `build` made. What it depends on comes from the processor's own libraries.
package() {
    # In the version that deb.sh was tried with.
    [ -x "$CARGO_HOME/bin/cargo-deb" ] || CARGO_TARGET_DIR=/made/build cargo install --locked \
        "cargo-deb@$(sed -n 's/^tool cargo-deb //p' packaging/release/deb.sh)"
    # Its man pages and completions, by the program itself.
    bash -c '. packaging/release/common.sh; documents "$1"' - "/made/out/$target/wakegate"
    "$CARGO_HOME/bin/cargo-deb" --no-build --locked --package wakegate-cli --target "$target" \
        --output "/made/out/$target/wakegate.deb"
    dpkg --info "/made/out/$target/wakegate.deb"
}

# Installs the package in a tree of the processor's own programs, and uses it there. The kernel
# holds qemu open (F), so that the tree needs none.
installed() { # WORK PROCESSOR
    local tree=$1/$2
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    register aarch64 b7 2 "$1/base/usr/bin/qemu-aarch64-static" PFO
    register arm 28 1 "$1/base/usr/bin/qemu-arm-static" PFO
    tree "$tree" "$BASE" "$(debian "$2")" libasound2 systemd-standalone-sysusers
    mount --rbind /dev "$tree/dev"
    mount --rbind /proc "$tree/proc"
    mkdir -p "$tree/srv/data"
    cp "$1/out/$(triple "$2")/wakegate.deb" "$root"/data/*.flac "$root"/data/*.tsv "$tree/srv/data/"
    chroot "$tree" /bin/sh -exc 'cd /srv
        dpkg --install data/wakegate.deb
        wakegate config check /etc/wakegate/wakegate.toml
        wakegate model check
        wakegate demo --data data'
}

inside() {
    local work=$1 step=$2
    shift 2
    if [ "$step" = mount ]; then
        mounts "$work"
        # A chroot would do, but for the tests that make a namespace with a disk of their own.
        cd "$work/base"
        pivot_root . .
        umount -l .
        exec /src/packaging/arm/build.sh --inside /made "$@"
    fi
    if [ "$step" = installed ]; then
        installed "$work" "$1"
        return
    fi
    cd /src
    register aarch64 b7 2 /usr/bin/qemu-aarch64 PO
    register arm 28 1 /usr/bin/qemu-arm PO
    settings "$1"
    shift
    "$step" "$@"
}

# ---------------------------------------------------------------------------------------------

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# For this script's other half too.
export stale=${stale:-no} with_tests=${with_tests:-yes}
if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi

# The tree has no git.
WAKEGATE_COMMIT=${WAKEGATE_COMMIT:-$(git -C "$root" describe --always --dirty '--exclude=*' || echo unknown)}
export WAKEGATE_COMMIT
work=$root/target/arm deb=no processors=() command=()
while [ $# -gt 0 ]; do
    case $1 in
    --work) work=$2; shift ;;
    --no-tests) with_tests=no ;;
    --stale) stale=yes ;;
    --deb) deb=yes ;;
    --run)
        if [ $# -lt 3 ] || ! triple "$2" >/dev/null; then
            usage >&2
            exit 2
        fi
        shift
        command=("$@")
        break
        ;;
    --help | -h) usage; exit ;;
    *) triple "$1" >/dev/null || { usage >&2; exit 2; }; processors+=("$1") ;;
    esac
    shift
done
if [ "$(id -u)" != 0 ]; then
    echo "expected root, for the Debian trees and their mounts (hint: sudo)" >&2
    exit 2
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)
prepare
if [ ${#command[@]} -gt 0 ]; then
    enter mount run "${command[@]}"
    exit
fi
[ ${#processors[@]} -gt 0 ] || processors=(aarch64 armv7)
for processor in "${processors[@]}"; do
    enter mount build "$processor"
    if [ "$deb" = yes ]; then
        enter mount package "$processor"
        enter installed "$processor"
    fi
    [ "$with_tests" = no ] || enter mount tests "$processor"
done
