#!/usr/bin/env bash
# The container image, with everything but sound cards and man pages: wakegate-ARCH.image.tar, tried before it is kept, so that programs
# of ARCH have to run here.
#   packaging/release/image.sh amd64|arm64 TARGET [--program FILE]
# --program packs one that is built already, without the feature `capture`.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arch=${1:?usage: packaging/release/image.sh amd64|arm64 TARGET} target=${2:?TARGET is missing}
built=$CARGO_TARGET_DIR/$target/release/wakegate
if [ "${3:-}" = --program ]; then
    built=${4:?FILE is missing}
else
    [ $# = 2 ] || fail "unknown option $3"
    # In the folder of binary.sh: the dependencies are the same, and compiled once.
    cargo build --release --locked --bin wakegate --no-default-features --features corpora,page,tls --target "$target"
fi
packaging/container/build.sh --arch "$arch" --binary "$built"
packaging/container/test.sh "target/container/wakegate-$arch.image.tar"
cp "target/container/wakegate-$arch.image.tar" "$files/"
