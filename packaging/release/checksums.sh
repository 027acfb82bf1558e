#!/usr/bin/env bash
# SHA256SUMS over everything that is published as a file; images go to a registry, which has sums of its own.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cd "$files"
rm -f SHA256SUMS
find . -maxdepth 1 -type f -not -name '*.image.tar' -printf '%f\0' | sort --zero-terminated |
    xargs --null sha256sum -- >"$root/target/SHA256SUMS"
mv "$root/target/SHA256SUMS" .
sha256sum --check --quiet SHA256SUMS
cat SHA256SUMS
