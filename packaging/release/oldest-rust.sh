#!/usr/bin/env bash
# Whether the sources compile with the oldest Rust that Cargo.toml promises.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
rustup toolchain install "$oldest" --profile minimal
packaging/release/system.sh
cargo "+$oldest" check --locked --workspace --all-targets
