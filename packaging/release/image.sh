#!/usr/bin/env bash
# The container image of this machine's processor, with everything but sound cards: wakegate-ARCH.image.tar, tried before
# it is kept.
#   packaging/release/image.sh amd64|arm64 TARGET
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arch=${1:?usage: packaging/release/image.sh amd64|arm64 TARGET} target=${2:?TARGET is missing}
# In the folder of binary.sh: the dependencies are the same, and compiled once.
cargo build --release --locked --bin wakegate --no-default-features --features corpora,page --target "$target"
packaging/container/build.sh --arch "$arch" --binary "$CARGO_TARGET_DIR/$target/release/wakegate"
packaging/container/test.sh "target/container/wakegate-$arch.image.tar"
cp "target/container/wakegate-$arch.image.tar" "$files/"
