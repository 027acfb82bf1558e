#!/usr/bin/env bash
# Binary and package for 32-bit ARM, cross-built and tried under qemu-user. Needs root.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

sudo=$([ "$(id -u)" = 0 ] || echo sudo)
triple=armv7-unknown-linux-gnueabihf
$sudo packaging/arm/build.sh --no-tests --deb armv7
cp "target/arm/out/$triple/wakegate.deb" "$files/wakegate_${version}-1_armhf.deb"
# Its man pages are in the package: no program of this processor has to run here.
folder=$(mktemp -d)
dpkg-deb --extract "$files/wakegate_${version}-1_armhf.deb" "$folder"
name=wakegate-$version-$triple
mkdir "$folder/$name"
cp "$folder/usr/bin/wakegate" LICENSE README.md CHANGELOG.md "$folder/$name/"
[ ! -d target/notices ] || cp target/notices/* "$folder/$name/"
tar --create --gzip --file "$files/$name.tar.gz" --directory "$folder" --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@$(git log -1 --format=%ct)" "$name"
rm -rf "$folder"
