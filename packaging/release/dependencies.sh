#!/usr/bin/env bash
# Whether every dependency is one that deny.toml admits: licences, known faults, where it is from.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

tool cargo-deny 0.20.2
cargo deny --locked --workspace check "$@"
