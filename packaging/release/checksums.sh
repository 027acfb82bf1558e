#!/usr/bin/env bash
# SHA256SUMS over everything that is published.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cd "$files"
rm -f SHA256SUMS
sha256sum -- * >"$root/target/SHA256SUMS"
mv "$root/target/SHA256SUMS" .
sha256sum --check --quiet SHA256SUMS
cat SHA256SUMS
