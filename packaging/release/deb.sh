#!/usr/bin/env bash
# The Debian package of this machine's processor, with man pages and completions: wakegate_VERSION_ARCH.deb.
# Those of ARM are cross-built by packaging/arm/build.sh --deb.
#   packaging/release/deb.sh [--program FILE]
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Older ones make no user of packaging/wakegate.sysusers.
tool cargo-deb 3.8.0
if [ "${1:-}" = --program ]; then
    install -D -m 755 "$2" "$CARGO_TARGET_DIR/release/wakegate"
else
    cargo build --release --locked --bin wakegate
fi
documents "$CARGO_TARGET_DIR/release/wakegate"
cargo deb --no-build --locked --package wakegate-cli --output "$files/"
dpkg --info "$files"/wakegate_*_"$(dpkg --print-architecture)".deb
