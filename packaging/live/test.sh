#!/usr/bin/env bash
# Installs the package in a Debian machine of its own and tries the service there: ../../docs/operators.md.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: packaging/live/test.sh [--work DIR] [--stale] [--machine|--container] PACKAGE.deb

Boots Debian 12's systemd, installs the package there, and runs guest.sh: recordings of data/,
reload, watchdog, sandbox, review queue, a second boot. Prints a line for each check. Exit code:
0 all held, 1 some did not, 2 could not run. The service's journal is then DIR/journal.

  --machine    in qemu with Debian's kernel and a sound card (snd-aloop) that can be unplugged
               [default where qemu can use /dev/kvm; without it, some 10 minutes of processor time]
  --container  in namespaces on this machine's kernel; sound comes through a pipe [default elsewhere]
  --work DIR   folder for the Debian tree and the disk [default: target/live]
  --stale      take a Debian mirror whose signed lists are past their date (they stay verified)

Needs Debian or Ubuntu on x86_64, root, 4 GB of disk, Debian's archive; the container overlayfs and
cgroup2. Environment: MIRROR [default: http://deb.debian.org/debian], LIVE_TEST_S, seconds after
which it is given up [default: 900, 7200 in a machine without /dev/kvm].
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

# What is started once it is up.
furnish() { # FOLDER OUTPUT...
    local tree=$1 units=$1/etc/systemd/system
    mkdir -p "$tree/srv/live"
    install -m 755 "$here/guest.sh" "$tree/srv/live/guest.sh"
    install -m 644 "$package" "$tree/srv/live/wakegate.deb"
    install -m 644 "$root"/data/{alexa_alone,mention_told}.flac "$tree/srv/live/"
    shift
    echo live >"$tree/etc/hostname"
    echo 127.0.0.1 localhost live >"$tree/etc/hosts"
    printf '%s\n' '[Unit]' After=multi-user.target '[Service]' Type=oneshot ExecStart=/srv/live/guest.sh \
        "$@" >"$units/live-test.service"
    mkdir -p "$units/multi-user.target.wants"
    ln -sf ../live-test.service "$units/multi-user.target.wants/"
}

# Not that of a machine which is a guest itself and lets only guests of its own kind run.
usable_kvm() { [ -w /dev/kvm ] && grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; }

# The machine has no network, and listens on no terminal. The second serial port has the results.
machine() {
    furnish "$work/tree" StandardOutput=tty TTYPath=/dev/ttyS1
    rm -f "$work/disk"
    mke2fs -q -t ext4 -d "$work/tree" "$work/disk" 3G
    # An emulated processor is too slow for sound at the pace of this machine's clock, so it has a
    # clock of its own: its instructions, one a nanosecond, and the time in which it has none to do.
    local processor=(-accel "tcg,thread=single" -cpu max -icount shift=0 -rtc clock=vm) limit=7200
    ! usable_kvm || processor=(-accel kvm -cpu host -smp 2) limit=900
    timeout "${LIVE_TEST_S:-$limit}" qemu-system-x86_64 "${processor[@]}" -m 1G -nodefaults -display none -nic none \
        -kernel "$(echo "$work"/tree/boot/vmlinuz-*)" -initrd "$(echo "$work"/tree/boot/initrd.img-*)" \
        -append "root=/dev/vda rw console=ttyS0 systemd.show_status=no" \
        -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
        -serial "file:$work/console" -serial stdio </dev/null | sed -u 's/\r$//' | tee "$work/result" || true
    debugfs -R "cat /srv/live/journal" "$work/disk" >"$work/journal" 2>/dev/null
}

# What is written to the tree lies in an overlay. Its two boots are two runs of systemd.
container() {
    rm -rf --one-file-system "$work/upper" "$work/overlay"
    mkdir -p "$work/upper/srv/live" "$work/overlay" "$work/mounted"
    furnish "$work/tree" StandardOutput=append:/srv/live/result
    : >"$work/upper/srv/live/result"
    tail -n +1 -f "$work/upper/srv/live/result" &
    local follower=$!
    for _ in first second; do
        # It ends by the signal that stands for a reboot.
        (timeout "${LIVE_TEST_S:-900}" unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup \
            "$here/test.sh" --inside "$work" >>"$work/console" || true) 2>>"$work/console"
    done
    sleep 1
    kill "$follower"
    cp "$work/upper/srv/live/result" "$work/result"
    cp "$work/upper/srv/live/journal" "$work/journal"
}

# As the first process of its namespaces. The root is changed by pivot_root: in a chroot the kernel
# refuses the service's own user namespace. Mounts are shared, or no credentials arrive.
inside() {
    local new=$1/mounted node
    mount --make-rprivate /
    mount -t overlay overlay -o "lowerdir=$1/tree,upperdir=$1/upper,workdir=$1/overlay" "$new"
    mount -t proc proc "$new/proc"
    mount -t sysfs sysfs "$new/sys"
    mount -t cgroup2 cgroup2 "$new/sys/fs/cgroup"
    mount -t tmpfs -o mode=755 tmpfs "$new/run"
    mount -t tmpfs -o mode=755 tmpfs "$new/dev"
    for node in null zero full random urandom tty; do
        touch "$new/dev/$node"
        mount --bind "/dev/$node" "$new/dev/$node"
    done
    mkdir "$new/dev/pts" "$new/dev/shm" "$new/run/old"
    mount -t devpts -o newinstance,ptmxmode=666 devpts "$new/dev/pts"
    ln -s pts/ptmx "$new/dev/ptmx"
    ln -s /proc/self/fd "$new/dev/fd"
    cd "$new"
    pivot_root . run/old
    exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c \
        'umount -l /run/old && mount --make-rshared / && exec /lib/systemd/systemd' </dev/null
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ "${1:-}" = --inside ]; then
    inside "$2"
fi
work=$root/target/live stale=no package="" where=container
! usable_kvm || where=machine
while [ $# -gt 0 ]; do
    case $1 in
    --work) work=$2; shift ;;
    --stale) stale=yes ;;
    --machine | --container) where=${1#--} ;;
    --help | -h) usage; exit ;;
    -*) usage >&2; exit 2 ;;
    *) package=$1 ;;
    esac
    shift
done
if [ ! -f "$package" ] || [ "$(id -u)" != 0 ]; then
    echo "expected root and a package (hint: packaging/release/deb.sh, then target/release-files/wakegate_*.deb)" >&2
    exit 2
fi
needed=(mmdebstrap debian-archive-keyring)
[ "$where" = container ] || needed+=(qemu-system-x86 seabios e2fsprogs)
if ! dpkg -s "${needed[@]}" >/dev/null 2>&1; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${needed[@]}"
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)
: >"$work/console"
tree
"$where"
if ! grep -q '^end: ' "$work/result"; then
    echo "expected the end of the checks, found none (hint: $work/console)" >&2
    exit 2
fi
grep -q '^end: 0 failed' "$work/result"
