#!/usr/bin/env bash
# Makes the container image without a daemon: a tree of a few files, and of it an archive for
# `docker load` or `podman load`.
set -euo pipefail

usage() {
    cat <<'END'
usage: packaging/container/build.sh [--arch amd64|arm64] [--binary FILE] [--out DIR] [--tree-only]

  --arch       what the binary is for (default: this machine's)
  --binary     wakegate, built with --no-default-features --features corpora,page,tls (default: target/release/wakegate)
  --out        where rootfs-ARCH and wakegate-ARCH.image.tar come (default: target/container)
  --tree-only  only the tree; for a builder that takes the Containerfile itself

Needs mmdebstrap, binutils, and buildah unless --tree-only. Needs no root.
END
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
arch=$(dpkg --print-architecture) binary=$root/target/release/wakegate out=$root/target/container image=yes
while [ $# -gt 0 ]; do
    case $1 in
    --arch) arch=$2; shift ;;
    --binary) binary=$2; shift ;;
    --out) out=$2; shift ;;
    --tree-only) image=no ;;
    --help | -h) usage; exit ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
[ -x "$binary" ] || { echo "expected a program at $binary (hint: --binary)" >&2; exit 2; }
if readelf --dynamic "$binary" | grep -q libasound; then
    echo "expected a program without sound cards, found one that needs libasound (hint: cargo build --release --no-default-features --features corpora,page,tls)" >&2
    exit 2
fi
mkdir -p "$out"
debian=$out/debian-$arch tree=$out/rootfs-$arch
[ -e "$debian.tar" ] ||
    mmdebstrap --quiet --mode=unshare --variant=extract --architectures="$arch" \
        --include=libc6,libgcc-s1,busybox-static,tzdata bookworm "$debian.tar"

# Of Debian's packages only what is run or read: no package manager, no Perl.
rm -rf "$debian" "$tree"
mkdir -p "$debian" "$tree"/{etc/wakegate,usr/bin,bin,tmp,usr/share/wakegate/models,usr/share/doc/wakegate,var/lib/wakegate}
tar --extract --file "$debian.tar" --directory "$debian" --no-same-owner --exclude='./dev/*'
copy() { # PATH... under the same name, links as links
    (cd "$debian" && cp --archive --parents --target-directory "$tree" "$@")
}
needed() {
    readelf --dynamic "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}
loader=$(readelf --program-headers "$binary" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
if [ -n "$loader" ]; then
    # A name is also looked up by libraries that the resolver loads by itself.
    for library in $(needed "$binary") libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
        found=$(cd "$debian" && find lib usr/lib -name "$library" -print -quit)
        [ -n "$found" ] || { echo "the program needs $library, which the image has not" >&2; exit 2; }
        copy "$found"
        link=$(readlink "$debian/$found" || true)
        [ -z "$link" ] || copy "$(dirname "$found")/$link"
    done
    install -D -m 755 "$(find "$debian/lib" -name "$(basename "$loader")" -type f -print -quit)" "$tree$loader"
fi
copy bin/busybox usr/share/zoneinfo
copy usr/share/doc/{libc6,libgcc-s1,busybox-static,tzdata}/copyright
rm -rf "$tree"/usr/share/zoneinfo/{right,posix}
ln -s busybox "$tree/bin/sh"
install -m 755 "$binary" "$tree/usr/bin/wakegate"
install -m 644 "$root/packaging/container/wakegate.toml" "$tree/etc/wakegate/"
install -m 644 "$root/LICENSE" "$tree/usr/share/doc/wakegate/"
for notices in "$root/target/notices/THIRD-PARTY.html" "$root/target/notices/wakegate.cdx.json"; do
    [ ! -e "$notices" ] || install -m 644 "$notices" "$tree/usr/share/doc/wakegate/"
done
for model in "$root"/models/*-[0-9]*/; do
    mkdir "$tree/usr/share/wakegate/models/$(basename "$model")"
    install -m 644 "$model"/{manifest.toml,MODEL_CARD.md,*.onnx} "$tree/usr/share/wakegate/models/$(basename "$model")/"
done
printf 'root:x:0:0:root:/:/bin/false\nwakegate:x:10400:10400:wakegate:/var/lib/wakegate:/bin/false\n' >"$tree/etc/passwd"
printf 'root:x:0:\nwakegate:x:10400:\n' >"$tree/etc/group"
chmod 1777 "$tree/tmp"
chmod 700 "$tree/var/lib/wakegate"
rm -rf "$debian"
du --summarize --human-readable "$tree"
[ "$image" = yes ] || exit 0

archive=$out/wakegate-$arch.image.tar
rm -f "$archive"
build=(buildah --root "$out/.storage" --runroot "$out/.run" --storage-driver vfs)
"${build[@]}" build --quiet --format docker --platform "linux/$arch" --build-arg "TARGETARCH=$arch" \
    --isolation chroot --tag wakegate --file "$root/packaging/container/Containerfile" "$out"
"${build[@]}" push --quiet wakegate "docker-archive:$archive:wakegate:latest"
ls -l "$archive"
