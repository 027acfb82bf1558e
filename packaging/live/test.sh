#!/usr/bin/env bash
# Installs the package in a Debian machine of its own and tries the service there: ../README.md.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: packaging/live/test.sh [--work DIR] [--stale] PACKAGE.deb

Boots Debian 12 with its own kernel and systemd in qemu, installs the package, and runs guest.sh:
a sound card (snd-aloop) that can be unplugged, recordings of data/ through it, reload, watchdog,
sandbox, review queue, reboot. Prints a line for each check. Exit code: 0 all held, 1 some did
not, 2 could not run. The journal and the machine's console are in DIR.

  --work DIR   folder for the Debian tree and the disk [default: target/live]
  --stale      take a Debian mirror whose signed lists are past their date (they stay verified)

Needs Debian or Ubuntu on x86_64, root, 4 GB of disk, Debian's archive. With /dev/kvm it takes
five minutes, without it much longer. Environment: MIRROR [default: http://deb.debian.org/debian],
LIVE_TEST_S, seconds after which it is given up [default: 900; 7200 without /dev/kvm].
TEXT
}

PACKAGES=(systemd systemd-sysv udev dbus linux-image-amd64 initramfs-tools kmod iproute2 libasound2
    alsa-utils procps util-linux bsdutils flac sudo)

# A Debian tree whose initial ramdisk holds what qemu's disk needs and nothing else.
tree() {
    [ ! -e "$work/tree.ready" ] || return 0
    rm -rf --one-file-system "$work/tree"
    local options=(--mode=root --variant=apt '--aptopt=APT::Install-Recommends "false"')
    [ "$stale" = no ] || options+=('--aptopt=Acquire::Check-Valid-Until "false"')
    # shellcheck disable=SC2016  # $1 is the hook's
    options+=('--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
        printf "MODULES=list\nCOMPRESS=gzip\n" >"$1/etc/initramfs-tools/conf.d/small"
        printf "virtio_pci\nvirtio_blk\next4\n" >"$1/usr/share/initramfs-tools/modules.d/small"')
    mmdebstrap "${options[@]}" --include="$(IFS=,; echo "${PACKAGES[*]}")" \
        bookworm "$work/tree" "${MIRROR:-http://deb.debian.org/debian}"
    touch "$work/tree.ready"
}

# What the machine starts once it is up. It writes to its second serial port.
furnish() {
    install -m 755 "$here/guest.sh" "$work/tree/root/guest.sh"
    install -m 644 "$package" "$work/tree/root/wakegate.deb"
    install -m 644 "$root"/data/{alexa_alone,mention_told}.flac "$work/tree/root/"
    cat >"$work/tree/etc/systemd/system/live-test.service" <<'TEXT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/root/guest.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
TEXT
    mkdir -p "$work/tree/etc/systemd/system/multi-user.target.wants"
    ln -sf ../live-test.service "$work/tree/etc/systemd/system/multi-user.target.wants/"
    rm -f "$work/disk"
    mke2fs -q -t ext4 -d "$work/tree" "$work/disk" 3G
}

# Not that of a machine which is a guest itself and lets only guests of its own kind run.
usable_kvm() { [ -w /dev/kvm ] && grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; }

boot() {
    local fast=(-accel tcg,thread=multi -cpu max) limit=7200
    ! usable_kvm || fast=(-accel kvm -cpu host,-arch-capabilities) limit=900
    # It listens on no terminal and has no network.
    timeout "${LIVE_TEST_S:-$limit}" qemu-system-x86_64 "${fast[@]}" -smp 2 -m 1G -nodefaults -display none -nic none \
        -kernel "$(echo "$work"/tree/boot/vmlinuz-*)" -initrd "$(echo "$work"/tree/boot/initrd.img-*)" \
        -append "root=/dev/vda rw console=ttyS0 systemd.show_status=no" \
        -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
        -serial "file:$work/console" -serial stdio </dev/null | tr -d '\r' | tee "$work/result"
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/target/live stale=no package=
while [ $# -gt 0 ]; do
    case $1 in
    --work) work=$2; shift ;;
    --stale) stale=yes ;;
    --help | -h) usage; exit ;;
    -*) usage >&2; exit 2 ;;
    *) package=$1 ;;
    esac
    shift
done
if [ ! -f "$package" ] || [ "$(id -u)" != 0 ]; then
    echo "expected root and a package (hint: \`cargo deb\`, then target/debian/wakegate_*.deb)" >&2
    exit 2
fi
if ! command -v mmdebstrap qemu-system-x86_64 mke2fs >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends \
        mmdebstrap debian-archive-keyring qemu-system-x86 seabios e2fsprogs
fi
mkdir -p "$work"
tree
furnish
boot || true
debugfs -R "cat /root/journal" "$work/disk" >"$work/journal" 2>/dev/null
if ! grep -q '^end: ' "$work/result"; then
    echo "the machine did not come to the end of its checks (hint: $work/console)" >&2
    exit 2
fi
grep -q '^end: 0 failed' "$work/result"
