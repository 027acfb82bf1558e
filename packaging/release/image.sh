#!/usr/bin/env bash
# The container image of this machine's processor, without sound cards: wakegate-ARCH.image.tar, tried before it is kept.
#   packaging/release/image.sh amd64|arm64 TARGET
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arch=${1:?usage: packaging/release/image.sh amd64|arm64 TARGET} target=${2:?TARGET is missing}
cargo build --release --locked --bin wakegate --no-default-features --target "$target" \
    --target-dir "$CARGO_TARGET_DIR/no-sound-cards"
packaging/container/build.sh --arch "$arch" --binary "$CARGO_TARGET_DIR/no-sound-cards/$target/release/wakegate"
packaging/container/test.sh "target/container/wakegate-$arch.image.tar"
cp "target/container/wakegate-$arch.image.tar" "$files/"
