#!/usr/bin/env bash
# Binary and package for 32-bit ARM, cross-built and tried under qemu-user. Needs root.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

sudo=$([ "$(id -u)" = 0 ] || echo sudo)
triple=armv7-unknown-linux-gnueabihf
$sudo packaging/arm/build.sh --no-tests --deb armv7
cp "target/arm/out/$triple/wakegate.deb" "$files/wakegate_${version}-1_armhf.deb"
# The package's pages and completions were written by this program, under qemu.
packaging/release/binary.sh "$triple" --program "target/arm/out/$triple/wakegate" --documented
